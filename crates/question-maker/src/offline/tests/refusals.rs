//! What is not made, and the reason that is given.

use super::*;

#[test]
fn asked_for_too_many_it_says_how_many_it_can_make_and_then_makes_them() {
    let cancel = CancellationToken::new();
    for kind in KINDS {
        for text in [SEJONG, PLANTS] {
            let wish = request(text, kind, Difficulty::Medium, 500);
            let error = compose(&wish, &cancel).unwrap_err();
            assert_eq!(error.code(), "NOT_ENOUGH_MATERIAL");
            assert!(!error.retryable());
            let (_, tail) = error.message().split_once("자료로는 ").unwrap();
            let possible: usize = tail.split('개').next().unwrap().parse().unwrap();
            assert!(possible >= 20, "{error}");
            made(text, kind, Difficulty::Medium, possible);
        }
    }
}

#[test]
fn a_text_without_sentences_is_refused_for_good() {
    let code = "```\nfn main() { println!(\"It is a thing that is a thing.\"); }\n```";
    for text in [
        "",
        "  \n\n",
        "# Only\n## Headings",
        code,
        "짧다.",
        "1 2 3 4 5 6 7 8",
    ] {
        for kind in KINDS {
            let wish = request(text, kind, Difficulty::Easy, 1);
            let error = compose(&wish, &CancellationToken::new()).unwrap_err();
            assert_eq!(error.code(), "TEXT_TOO_SHORT", "{text:?}");
            assert!(!error.retryable());
        }
    }
}

#[test]
fn one_lonely_sentence_makes_no_multiple_choice_question() {
    let text = "측우기는 빗물을 받아 비가 온 양을 재는 기구이다.";
    let wish = request(text, QuestionKind::MultipleChoice, Difficulty::Easy, 1);
    let error = compose(&wish, &CancellationToken::new()).unwrap_err();
    assert_eq!(error.code(), "NOT_ENOUGH_MATERIAL");
}

#[tokio::test]
async fn a_cancelled_generation_may_be_tried_again() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let wish = request(SEJONG, QuestionKind::TrueFalse, Difficulty::Easy, 5);
    let error = OfflineGenerator.generate(&wish, &cancel).await.unwrap_err();
    assert_eq!(error.code(), "CANCELLED");
    assert!(error.retryable());
}
