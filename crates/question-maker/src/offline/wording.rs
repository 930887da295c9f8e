//! How questions and explanations are worded, in the language of their sentence.

use super::{
    document::{Fact, Sentence},
    facts::FactKind,
    josa,
    language::Language,
};

/// What a question shows above the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    ChooseForBlank,
    ChooseForDescription,
    WriteForBlank,
    WriteForDescription,
    Judge,
}

/// A whole question: the task and what it is about.
pub(super) fn question(task: Task, kind: FactKind, language: Language, body: &str) -> String {
    let number = kind == FactKind::Number;
    let year = kind == FactKind::Year;
    let date = kind == FactKind::Date;
    let task = match (language, task) {
        (Language::Korean, Task::ChooseForBlank) if year => "다음 빈칸에 들어갈 알맞은 연도는?",
        (Language::Korean, Task::ChooseForBlank) if date => "다음 빈칸에 들어갈 알맞은 날짜는?",
        (Language::Korean, Task::ChooseForBlank) if number => "다음 빈칸에 들어갈 알맞은 수는?",
        (Language::Korean, Task::ChooseForBlank) => "다음 빈칸에 들어갈 알맞은 말은?",
        (Language::Korean, Task::ChooseForDescription) => "다음 설명에 해당하는 것은?",
        (Language::Korean, Task::WriteForBlank) if year => {
            "다음 빈칸에 들어갈 알맞은 연도를 쓰세요."
        }
        (Language::Korean, Task::WriteForBlank) if date => {
            "다음 빈칸에 들어갈 알맞은 날짜를 쓰세요."
        }
        (Language::Korean, Task::WriteForBlank) if number => {
            "다음 빈칸에 들어갈 알맞은 수를 쓰세요."
        }
        (Language::Korean, Task::WriteForBlank) => "다음 빈칸에 들어갈 알맞은 말을 쓰세요.",
        (Language::Korean, Task::WriteForDescription) => "다음 설명에 해당하는 말을 쓰세요.",
        (Language::Korean, Task::Judge) => "다음 설명이 맞으면 참, 틀리면 거짓을 고르세요.",
        (Language::English, Task::ChooseForBlank) if year => "Which year belongs in the blank?",
        (Language::English, Task::ChooseForBlank) if date => "Which date belongs in the blank?",
        (Language::English, Task::ChooseForBlank) if number => "Which number belongs in the blank?",
        (Language::English, Task::ChooseForBlank) => "Which option belongs in the blank?",
        (Language::English, Task::ChooseForDescription) => "Which of these fits the description?",
        (Language::English, Task::WriteForBlank) if year => {
            "Write the year that belongs in the blank."
        }
        (Language::English, Task::WriteForBlank) if date => {
            "Write the date that belongs in the blank."
        }
        (Language::English, Task::WriteForBlank) if number => {
            "Write the number that belongs in the blank."
        }
        (Language::English, Task::WriteForBlank) => "Write what belongs in the blank.",
        (Language::English, Task::WriteForDescription) => {
            "Write the term that fits the description."
        }
        (Language::English, Task::Judge) => "Is the following statement true or false?",
    };
    format!("{task}\n\n{body}")
}

/// Why `answer` is right.
pub(super) fn because(answer: &str, sentence: &Sentence) -> String {
    let text = &sentence.text;
    match sentence.language {
        Language::Korean => format!("정답은 ‘{answer}’입니다. 본문에 “{text}”라고 나와 있습니다."),
        Language::English => format!("The answer is “{answer}”. The text says: “{text}”"),
    }
}

/// Why a statement is true.
pub(super) fn because_true(sentence: &Sentence) -> String {
    let text = &sentence.text;
    match sentence.language {
        Language::Korean => format!("맞는 설명입니다. 본문에 “{text}”라고 나와 있습니다."),
        Language::English => format!("True. The text says: “{text}”"),
    }
}

/// Why a statement with `wrong` in the place of `right` is false.
pub(super) fn because_false(right: &str, wrong: &Fact, sentence: &Sentence) -> String {
    let text = &sentence.text;
    let wrong = &wrong.surface;
    match sentence.language {
        Language::Korean => {
            let particle = josa::after(wrong, "이");
            format!(
                "틀린 설명입니다. ‘{wrong}’{particle} 아니라 ‘{right}’입니다. 본문에 “{text}”라고 나와 있습니다."
            )
        }
        Language::English => {
            format!("False. It is “{right}”, not “{wrong}”. The text says: “{text}”")
        }
    }
}
