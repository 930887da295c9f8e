//! The last step of every format: NFC, visible characters, single spaces.

use unicode_normalization::UnicodeNormalization;

/// Text as readers expect it: NFC, no control or invisible characters but the line feed,
/// one space between words, no space at line ends, at most one empty line in a row.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in text.replace("\r\n", "\n").split(is_line_end) {
        let start = tidy.len();
        for word in line.split(is_space) {
            let begin = tidy.len();
            if begin > start {
                tidy.push(' ');
            }
            let bare = tidy.len();
            tidy.extend(word.chars().filter(|c| !is_invisible(*c)).nfc());
            if tidy.len() == bare {
                tidy.truncate(begin);
            }
        }
        if tidy.len() > start {
            empty_lines = 0;
            tidy.push('\n');
        } else if empty_lines == 0 && start > 0 {
            empty_lines = 1;
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{E000}'..='\u{F8FF}').contains(&c)
}

/// Controls, marks of direction and joining, the soft hyphen, and what stands for an unreadable glyph.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFF0}'..='\u{FFFD}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::tidy;
    use proptest::prelude::*;

    #[test]
    fn text_is_composed_and_freed_of_what_cannot_be_seen() {
        assert_eq!(
            tidy("\u{1112}\u{1161}\u{11AB}글\u{0} \u{200B} \u{A0}a\u{AD}b\tc\u{FFFD} "),
            "한글 ab c"
        );
        assert_eq!(
            tidy("\r\n\u{FEFF}가\r\n나 \n\n \u{7}\n\n\n다\u{C}라\n\n"),
            "가\n나\n\n다\n라"
        );
    }

    proptest! {
        #[test]
        fn tidying_twice_changes_nothing(text in "[가-힣a-z \\n\\r\\t\u{0}\u{200B}\u{1100}-\u{11FF}]{0,40}") {
            let once = tidy(&text);
            prop_assert_eq!(tidy(&once), once);
        }
    }
}
