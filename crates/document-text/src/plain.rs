//! Plain text: hard-wrapped lines become paragraphs again.

/// Columns beyond which lines are paragraphs, not hard-wrapped prose.
const WIDEST: usize = 120;

/// Joins the lines of a hard-wrapped text into paragraphs; leaves any other text as it is.
///
/// A line was wrapped when the first word of the next would not have fitted; a text is hard-wrapped
/// when most lines within its blocks were, and most of those in the middle of a sentence.
pub(super) fn unwrap(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim_end).collect();
    let widest = lines
        .iter()
        .map(|line| columns(line))
        .max()
        .unwrap_or_default();
    let inner = lines
        .windows(2)
        .filter(|pair| !pair[0].is_empty() && !pair[1].is_empty())
        .count();
    let wraps = || {
        lines
            .windows(2)
            .filter(|pair| was_wrapped(pair[0], pair[1], widest))
    };
    let wrapped = wraps().count();
    let sentences = wraps()
        .filter(|pair| pair[0].ends_with(['.', '!', '?', '。']))
        .count();
    if widest > WIDEST || wrapped < 3 || wrapped * 2 < inner || sentences * 2 > wrapped {
        return lines.join("\n");
    }
    let mut unwrapped = String::with_capacity(text.len());
    for (index, line) in lines.iter().enumerate() {
        unwrapped.push_str(line);
        match lines.get(index + 1) {
            Some(next) if was_wrapped(line, next, widest) => unwrapped.push(' '),
            Some(_) => unwrapped.push('\n'),
            None => {}
        }
    }
    unwrapped
}

fn was_wrapped(line: &str, next: &str, widest: usize) -> bool {
    let Some(word) = next.split_whitespace().next() else {
        return false;
    };
    let starts_item = word.starts_with(['-', '*', '•', '·', '#'])
        || word
            .strip_suffix(['.', ')'])
            .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    // Editors do not agree on whether the limit itself is still inside.
    !line.is_empty() && !starts_item && columns(line) + 1 + columns(word) + 1 > widest
}

/// Columns on a terminal, where a Korean syllable takes two.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| if c < '\u{1100}' { 1 } else { 2 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::unwrap;

    #[test]
    fn hard_wrapped_paragraphs_become_lines_and_their_headings_stay_apart() {
        let text = "Heading\r\n\r\nA cell is the smallest unit of life that\r\ncan grow and reproduce on its own. Robert\r\nHooke described small chambers in a thin\r\nslice of cork.\r\n- An item\r\n";
        assert_eq!(
            unwrap(text),
            "Heading\n\nA cell is the smallest unit of life that can grow and reproduce on its own. Robert Hooke described small chambers in a thin slice of cork.\n- An item\n"
        );
    }

    #[test]
    fn a_text_with_a_sentence_a_line_stays_as_it_is() {
        let text = "세종은 1397년에 태어났다.\n이름은 이도이다.\n1418년에 임금이 되었다.\n1446년에 훈민정음을 반포하였다.\n끝.";
        assert_eq!(unwrap(text), text);
    }
}
