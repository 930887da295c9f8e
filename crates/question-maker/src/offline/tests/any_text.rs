//! Texts of any length and any characters.

use super::*;

/// Two million characters of different sentences in both languages.
fn long_text() -> String {
    let mut text = String::new();
    let mut length = 0;
    for copy in 0.. {
        for (_, part) in TEXTS {
            let part = part.replace("다.", &format!("다고 기록 {copy}호는 전한다."));
            let part = part.replace(". ", &format!(", as report {copy} of the archive says. "));
            length += part.chars().count();
            text.push_str(&part);
            text.push_str("\n\n");
        }
        if length > 2_000_000 {
            break;
        }
    }
    text
}

#[test]
fn two_million_characters_take_seconds() {
    let text = long_text();
    let begin = Instant::now();
    for kind in KINDS {
        let wish = request(&text, kind, Difficulty::Hard, 20);
        let result = compose(&wish, &CancellationToken::new());
        assert!(result.is_ok(), "{result:?}");
    }
    // Three sets, unoptimised, on a machine that may do other things as well.
    assert!(
        begin.elapsed() < Duration::from_secs(120),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn one_endless_line_is_no_trap() {
    let lines = [
        "가".repeat(300_000),
        "a ".repeat(200_000),
        "(".repeat(200_000),
        "1. ".repeat(100_000),
    ];
    for line in lines {
        let wish = request(&line, QuestionKind::TrueFalse, Difficulty::Easy, 1);
        assert!(compose(&wish, &CancellationToken::new()).is_err());
    }
}

#[test]
fn decomposed_hangul_is_read_as_composed() {
    let text: String = SEJONG.nfd().collect();
    let composed = made(SEJONG, QuestionKind::ShortAnswer, Difficulty::Easy, 10);
    assert_eq!(
        made(&text, QuestionKind::ShortAnswer, Difficulty::Easy, 10),
        composed
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered_with_questions_or_a_reason(
        text in "[가-힣a-zA-Z0-9 .,()\\[\\]『』“”'\"*_|#>:\n-]{0,400}",
        count in 1usize..5,
    ) {
        for kind in KINDS {
            let wish = request(&text, kind, Difficulty::Medium, count);
            if let Ok(questions) = compose(&wish, &CancellationToken::new()) {
                prop_assert_eq!(validate(&wish, &questions), Ok(()));
            }
        }
    }

    #[test]
    fn whatever_sentences_a_text_has_the_questions_are_sound(
        picks in prop::collection::vec((0usize..5, 0usize..200), 10..60),
        seed in any::<u64>(),
        hard in any::<bool>(),
    ) {
        let sentences: Vec<Vec<&str>> = TEXTS
            .iter()
            .map(|(_, text)| text.split_inclusive(". ").collect())
            .collect();
        let text: String = picks
            .iter()
            .map(|(text, at)| sentences[*text][at % sentences[*text].len()])
            .collect();
        let difficulty = if hard { Difficulty::Hard } else { Difficulty::Easy };
        for kind in KINDS {
            let wish = GenerationRequest { seed, ..request(&text, kind, difficulty, 4) };
            let Ok(questions) = compose(&wish, &CancellationToken::new()) else {
                continue;
            };
            prop_assert_eq!(validate(&wish, &questions), Ok(()));
            for question in &questions {
                if let Answer::Text(answer) = &question.answer {
                    prop_assert!(comparable(&text).contains(&comparable(answer)));
                    prop_assert!(!comparable(&question.text).contains(&comparable(answer)));
                }
            }
        }
    }
}
