//! What every generator's answer must satisfy before it is stored.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use crate::{Answer, GeneratedQuestion, GenerationError, GenerationRequest, QuestionKind};

/// Checks a generator's answer against what was asked for: the number of questions, their kind,
/// four distinct options with the right one among them, nothing empty, nothing twice.
///
/// # Errors
/// [`GenerationError::Transient`] with code `MALFORMED_QUESTIONS`: the next attempt may be well-formed.
pub fn validate(
    request: &GenerationRequest,
    questions: &[GeneratedQuestion],
) -> Result<(), GenerationError> {
    if questions.len() != request.count {
        return Err(malformed(format!(
            "문제 {}개를 요청했지만 {}개가 만들어졌습니다.",
            request.count,
            questions.len()
        )));
    }
    let mut seen = HashSet::new();
    for (index, question) in questions.iter().enumerate() {
        let number = index + 1;
        check_question(request.kind, question)
            .map_err(|reason| malformed(format!("{number}번 문제: {reason}")))?;
        if !seen.insert(comparable(&question.text)) {
            return Err(malformed(format!(
                "{number}번 문제가 앞의 문제와 같습니다."
            )));
        }
    }
    Ok(())
}

fn check_question(kind: QuestionKind, question: &GeneratedQuestion) -> Result<(), &'static str> {
    if question.text.trim().is_empty() {
        return Err("문제 내용이 비어 있습니다.");
    }
    if question.explanation.trim().is_empty() {
        return Err("해설이 비어 있습니다.");
    }
    match (kind, &question.answer, &question.options) {
        (QuestionKind::MultipleChoice, Answer::Text(answer), Some(options)) => {
            check_options(answer, options)
        }
        (QuestionKind::TrueFalse, Answer::Boolean(_), None) => Ok(()),
        (QuestionKind::ShortAnswer, Answer::Text(answer), None) => {
            if comparable(answer).is_empty() {
                return Err("정답이 비어 있습니다.");
            }
            Ok(())
        }
        _ => Err("정답이나 보기의 형식이 문제 유형과 맞지 않습니다."),
    }
}

fn check_options(answer: &str, options: &[String]) -> Result<(), &'static str> {
    if options.len() != 4 {
        return Err("보기는 네 개여야 합니다.");
    }
    let distinct: HashSet<String> = options.iter().map(|o| comparable(o)).collect();
    if distinct.contains("") {
        return Err("빈 보기가 있습니다.");
    }
    if distinct.len() != 4 {
        return Err("같은 보기가 두 번 나옵니다.");
    }
    if !options.iter().any(|option| option == answer) {
        return Err("정답이 보기에 없습니다.");
    }
    Ok(())
}

fn malformed(message: String) -> GenerationError {
    GenerationError::Transient {
        code: "MALFORMED_QUESTIONS",
        message,
        retry_after: None,
    }
}

/// The form in which two texts that read the same are equal: NFC, folded case, no white space.
pub(super) fn comparable(text: &str) -> String {
    text.nfc()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Difficulty;

    fn request(kind: QuestionKind, count: usize) -> GenerationRequest {
        GenerationRequest {
            text: String::new(),
            files: Vec::new(),
            kind,
            difficulty: Difficulty::Easy,
            count,
            seed: 1,
        }
    }

    fn choice(options: &[&str], answer: &str) -> GeneratedQuestion {
        GeneratedQuestion {
            text: "Which?".into(),
            options: Some(options.iter().map(|o| (*o).to_owned()).collect()),
            answer: Answer::Text(answer.into()),
            explanation: "Because.".into(),
        }
    }

    fn verdict(question: GeneratedQuestion) -> Result<(), GenerationError> {
        validate(&request(QuestionKind::MultipleChoice, 1), &[question])
    }

    #[test]
    fn four_distinct_options_with_the_answer_among_them_pass() {
        assert_eq!(verdict(choice(&["a", "b", "c", "d"], "c")), Ok(()));
    }

    #[test]
    fn options_that_differ_only_in_case_space_or_composition_are_the_same() {
        for twin in ["A", " a ", "a\u{a0}"] {
            assert!(verdict(choice(&["a", twin, "c", "d"], "c")).is_err());
        }
        let decomposed = "한글".nfd().collect::<String>();
        assert!(verdict(choice(&["한글", &decomposed, "c", "d"], "c")).is_err());
    }

    #[test]
    fn a_missing_answer_a_third_option_and_an_empty_option_are_refused() {
        assert!(verdict(choice(&["a", "b", "c", "d"], "e")).is_err());
        assert!(verdict(choice(&["a", "b", "c"], "c")).is_err());
        assert!(verdict(choice(&["a", "b", " ", "c"], "c")).is_err());
    }

    #[test]
    fn too_few_questions_and_questions_twice_are_refused() {
        let question = choice(&["a", "b", "c", "d"], "c");
        let two = request(QuestionKind::MultipleChoice, 2);
        assert!(validate(&two, std::slice::from_ref(&question)).is_err());
        assert!(validate(&two, &[question.clone(), question]).is_err());
    }

    #[test]
    fn an_answer_of_another_kind_is_refused_as_worth_a_retry() {
        let question = choice(&["a", "b", "c", "d"], "c");
        let error = validate(&request(QuestionKind::TrueFalse, 1), &[question]).unwrap_err();
        assert!(error.retryable());
        assert_eq!(error.code(), "MALFORMED_QUESTIONS");
    }

    #[test]
    fn nothing_may_be_empty() {
        for empty in ["", " \n"] {
            let mut question = choice(&["a", "b", "c", "d"], "c");
            question.explanation = empty.into();
            assert!(verdict(question).is_err());
            let mut question = choice(&["a", "b", "c", "d"], "c");
            question.text = empty.into();
            assert!(verdict(question).is_err());
            let short = GeneratedQuestion {
                text: "What?".into(),
                options: None,
                answer: Answer::Text(empty.into()),
                explanation: "Because.".into(),
            };
            assert!(validate(&request(QuestionKind::ShortAnswer, 1), &[short]).is_err());
        }
    }
}
