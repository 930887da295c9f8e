//! What becomes of each thing that a service can say.

use std::time::{Duration, Instant};

use pullit::question_set::generator::{ModelGenerator, OpenAi};
use question_maker::{GenerationError, QuestionKind};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::stand_in::{Said, StandIn, choice};
use super::{gemini, made, openai, options, request};

fn finished(reason: &str, content: Value, refusal: Value) -> Said {
    Said::Raw(
        json!({"choices": [{"finish_reason": reason, "message": {"content": content, "refusal": refusal}}]}),
    )
}

fn status(code: u16, body: Value) -> Said {
    Said::Status(code, &[], body)
}

/// A question whose options are these.
fn with(options: [&str; 4], solution: &str) -> Value {
    let mut question = choice(2);
    for (letter, option) in ["A", "B", "C", "D"].into_iter().zip(options) {
        question["responses"][letter] = option.into();
    }
    question["solution"] = solution.into();
    question
}

async fn code(said: Said) -> (&'static str, bool, usize) {
    let service = StandIn::saying([said]).await;
    let error = made(&openai(&service), &request(QuestionKind::MultipleChoice, 2)).await;
    let error = error.unwrap_err();
    (error.code(), error.retryable(), service.asked().len())
}

#[tokio::test]
async fn an_answer_that_is_no_good_is_worth_another_attempt_and_is_not_stored() {
    let two = |second: Value| Said::Questions(vec![choice(1), second]);
    for (said, expected) in [
        (
            Said::Text("죄송하지만 만들 수 없습니다."),
            "MALFORMED_ANSWER",
        ),
        (
            Said::Text("{\"questions\": [{\"question\": \"?\"}]}"),
            "MALFORMED_ANSWER",
        ),
        (Said::Raw(json!({"object": "list"})), "MALFORMED_ANSWER"),
        (Said::Raw(json!({"choices": []})), "MALFORMED_ANSWER"),
        (
            finished("stop", Value::Null, Value::Null),
            "MALFORMED_ANSWER",
        ),
        (
            finished("length", json!("{\"questions\": ["), Value::Null),
            "ANSWER_CUT_OFF",
        ),
        (Said::Endless, "MALFORMED_ANSWER"),
        // What is well formed and still not what was asked for.
        (Said::Questions(vec![choice(1)]), "MALFORMED_QUESTIONS"),
        (
            Said::Questions(vec![choice(1), choice(2), choice(3)]),
            "MALFORMED_QUESTIONS",
        ),
        (two(choice(1)), "MALFORMED_QUESTIONS"),
        (
            two(with(["하나", "둘", "둘", "넷"], "A")),
            "MALFORMED_QUESTIONS",
        ),
        (
            two(with(["하나", "둘", "셋", ""], "A")),
            "MALFORMED_QUESTIONS",
        ),
        (
            two(with(["하나", "둘", "셋", "넷"], "E")),
            "MALFORMED_ANSWER",
        ),
    ] {
        assert_eq!(code(said).await, (expected, true, 1));
    }
}

#[tokio::test]
async fn what_the_service_refuses_is_not_asked_again() {
    let because = |code: &str| json!({"error": {"message": "m", "type": "t", "code": code}});
    for (said, expected) in [
        (
            finished("content_filter", Value::Null, Value::Null),
            "CONTENT_REFUSED",
        ),
        (
            finished("stop", Value::Null, json!("I can't help.")),
            "CONTENT_REFUSED",
        ),
        (status(400, because("content_filter")), "CONTENT_REFUSED"),
        (
            status(400, because("context_length_exceeded")),
            "SOURCES_TOO_LONG",
        ),
        (status(413, json!({})), "SOURCES_TOO_LONG"),
        (status(400, because("invalid_value")), "GENERATOR_REJECTED"),
        (
            status(401, because("invalid_api_key")),
            "GENERATOR_MISCONFIGURED",
        ),
        (status(403, json!("no")), "GENERATOR_MISCONFIGURED"),
        (status(404, json!({})), "GENERATOR_MISCONFIGURED"),
        (
            Said::Status(307, &[("location", "http://127.0.0.1:9/")], json!({})),
            "GENERATOR_MISCONFIGURED",
        ),
    ] {
        assert_eq!(code(said).await, (expected, false, 1));
    }
}

#[tokio::test]
async fn gemini_says_the_same_in_its_own_words() {
    let ended = |reason: &str| Said::Raw(json!({"candidates": [{"finishReason": reason}]}));
    let key = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}});
    for (said, expected, retryable) in [
        (ended("SAFETY"), "CONTENT_REFUSED", false),
        (
            Said::Raw(json!({"promptFeedback": {"blockReason": "SAFETY"}})),
            "CONTENT_REFUSED",
            false,
        ),
        (status(400, key), "GENERATOR_MISCONFIGURED", false),
        (ended("MAX_TOKENS"), "ANSWER_CUT_OFF", true),
        (ended("STOP"), "MALFORMED_ANSWER", true),
        (ended("OTHER"), "MALFORMED_ANSWER", true),
        (
            Said::Questions(vec![choice(1)]),
            "MALFORMED_QUESTIONS",
            true,
        ),
    ] {
        let service = StandIn::saying([said]).await;
        let error = made(&gemini(&service), &request(QuestionKind::MultipleChoice, 2)).await;
        let error = error.unwrap_err();
        assert_eq!((error.code(), error.retryable()), (expected, retryable));
        assert_eq!(service.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_fault_of_the_moment_is_asked_again_within_the_attempt() {
    for fault in [
        status(500, json!({"error": {"message": "m"}})),
        Said::Status(429, &[("retry-after", "1")], json!({})),
        Said::BrokenOff,
    ] {
        let service = StandIn::saying([fault]).await;
        let questions = made(&openai(&service), &request(QuestionKind::TrueFalse, 2)).await;
        assert_eq!(questions.unwrap().len(), 2);
        assert_eq!(service.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_service_that_asks_for_a_long_rest_puts_the_attempt_off() {
    let busy = Said::Status(429, &[("retry-after", "120")], json!({}));
    let service = StandIn::saying([busy]).await;
    let generator = openai(&service);
    let request = request(QuestionKind::TrueFalse, 2);
    let after = |error| match error {
        GenerationError::PutOff { after } => after.as_secs(),
        other => panic!("{other:?}"),
    };
    assert_eq!(after(made(&generator, &request).await.unwrap_err()), 120);
    assert!((100..=120).contains(&after(made(&generator, &request).await.unwrap_err())));
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn a_service_that_never_answers_is_left_when_the_time_is_up() {
    let service = StandIn::saying([Said::Never]).await;
    let mut options = options(&service);
    options.timeout = Duration::from_millis(200);
    let generator = ModelGenerator::new(OpenAi::new(options).unwrap(), 0, 1_000);
    let error = made(&generator, &request(QuestionKind::TrueFalse, 1))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.retryable()),
        ("GENERATION_TIMEOUT", true)
    );
    assert_eq!(
        service.asked().len(),
        1,
        "what took all its time is not asked again at once"
    );
}

#[tokio::test]
async fn a_cancelled_generation_ends_at_once() {
    use question_maker::QuestionGenerator;
    let service = StandIn::saying([Said::Never]).await;
    let (generator, cancel) = (openai(&service), CancellationToken::new());
    let request = request(QuestionKind::TrueFalse, 1);
    let asking = generator.generate(&request, &cancel);
    let cancelling = async {
        testkit::wait::until(
            "the service is asked",
            Duration::from_secs(20),
            async || !service.asked().is_empty(),
        )
        .await;
        cancel.cancel();
        Instant::now()
    };
    let (made, cancelled) = tokio::join!(asking, cancelling);
    assert_eq!(made.unwrap_err().code(), "CANCELLED");
    assert!(cancelled.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_down() {
    let service = StandIn::start().await;
    let mut options = options(&service);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.url = format!("http://{}/", free.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(free);
    let generator = ModelGenerator::new(OpenAi::new(options).unwrap(), 0, 1_000);
    let error = made(&generator, &request(QuestionKind::TrueFalse, 1))
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("GENERATOR_DOWN", true));
}
