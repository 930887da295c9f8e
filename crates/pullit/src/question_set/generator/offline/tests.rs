use super::*;
use crate::question_set::generator::{Answer, Difficulty};

const SEJONG: &str = include_str!("../testdata/sejong.ko.md");
const SYSTEMS: &str = include_str!("../testdata/operating-systems.ko.txt");
const PLANTS: &str = include_str!("../testdata/photosynthesis.en.md");

fn request(
    text: &str,
    kind: QuestionKind,
    difficulty: Difficulty,
    count: usize,
) -> GenerationRequest {
    GenerationRequest {
        text: text.to_owned(),
        kind,
        difficulty,
        count,
        seed: 7,
    }
}

#[test]
#[ignore = "prints questions for a person to judge: cargo test -p pullit --lib read_them -- --ignored --nocapture"]
fn read_them() {
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, text) in [("sejong", SEJONG), ("systems", SYSTEMS), ("plants", PLANTS)] {
        for kind in [
            QuestionKind::MultipleChoice,
            QuestionKind::TrueFalse,
            QuestionKind::ShortAnswer,
        ] {
            for difficulty in [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard] {
                let title = format!("{name} {kind} {difficulty}");
                if !title.contains(&only) {
                    continue;
                }
                println!("\n=== {title}");
                match compose(
                    &request(text, kind, difficulty, 20),
                    &CancellationToken::new(),
                ) {
                    Err(error) => println!("{error}"),
                    Ok(questions) => {
                        for q in questions {
                            let body = q.text.replace("\n\n", " | ");
                            match (q.answer, q.options) {
                                (Answer::Text(a), Some(o)) => {
                                    println!("- {body}\n    {o:?}  -> {a}")
                                }
                                (Answer::Text(a), None) => println!("- {body}\n    -> {a}"),
                                (Answer::Boolean(true), _) => println!("- [T] {body}"),
                                (Answer::Boolean(false), _) => {
                                    println!("- [F] {body}\n    {}", q.explanation)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
