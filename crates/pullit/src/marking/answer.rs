//! Whether an answer is right.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::question_set::QuestionKind;

/// Whether an answer is right. `kind` and `right` are the question's; the answer is a string or a boolean, as it came.
pub(super) fn is_right(kind: QuestionKind, right: &str, answer: &Value) -> bool {
    match kind {
        QuestionKind::TrueFalse => match answer {
            Value::Bool(answer) => (right == "true") == *answer,
            Value::String(answer) => right.eq_ignore_ascii_case(answer.trim()),
            _ => false,
        },
        QuestionKind::MultipleChoice => answer
            .as_str()
            .is_some_and(|answer| option(answer) == option(right)),
        QuestionKind::ShortAnswer => answer
            .as_str()
            .is_some_and(|answer| !short(answer).is_empty() && short(answer) == short(right)),
    }
}

/// An option is chosen, not typed: only its form in Unicode may differ.
fn option(text: &str) -> String {
    text.trim().nfc().collect()
}

/// A short answer is typed: NFC, case folding, no white space, no outer punctuation.
fn short(text: &str) -> String {
    // Up and down again folds what lower case alone leaves apart: `ß` and `SS`, `σ` and `ς`.
    let folded: String = text
        .nfc()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .collect();
    folded.trim_matches(is_punctuation).to_owned()
}

/// What may stand around an answer without being part of it. Signs that carry meaning (`%`, `℃`, `+`, `-` …) stay.
fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '\''
            | '"'
            | '`'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '…'
            | '·'
            | '‘'
            | '’'
            | '“'
            | '”'
            | '«'
            | '»'
            | '、'
            | '。'
            | '〈'..='】' | '！' | '？' | '，' | '．' | '：' | '；' | '（' | '）'
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_right;
    use crate::question_set::QuestionKind::{MultipleChoice, ShortAnswer, TrueFalse};

    #[test]
    fn short_answers_compare_without_form_case_space_and_outer_punctuation() {
        let decomposed = "훈민정음";
        for answer in [
            "훈민정음",
            " 훈민 정음. ",
            "「훈민정음」",
            "\"훈민정음\"",
            decomposed,
        ] {
            assert!(
                is_right(ShortAnswer, "훈민정음", &json!(answer)),
                "{answer}"
            );
        }
        assert!(is_right(ShortAnswer, "Page Table", &json!("page table")));
        assert!(is_right(ShortAnswer, "Straße", &json!("STRASSE")));
        assert!(!is_right(ShortAnswer, "C++", &json!("C")));
        assert!(!is_right(ShortAnswer, "30%", &json!("30")));
        assert!(!is_right(ShortAnswer, "…", &json!("")));
    }

    #[test]
    fn true_and_false_come_as_booleans_or_as_words() {
        assert!(is_right(TrueFalse, "true", &json!(true)));
        assert!(is_right(TrueFalse, "false", &json!(false)));
        assert!(is_right(TrueFalse, "true", &json!("TRUE")));
        assert!(!is_right(TrueFalse, "true", &json!(false)));
        assert!(!is_right(TrueFalse, "false", &json!("no")));
    }

    #[test]
    fn an_option_must_be_the_right_one_to_the_letter() {
        assert!(is_right(MultipleChoice, "1446년", &json!("1446년")));
        assert!(!is_right(MultipleChoice, "1446년", &json!("1443년")));
        assert!(!is_right(MultipleChoice, "true", &json!(true)));
    }
}
