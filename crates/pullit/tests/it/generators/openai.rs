//! Requests of chat completions and their answers.

use pullit::question_set::generator::{ModelGenerator, OpenAi};
use question_maker::{Answer, QuestionKind};

use super::stand_in::StandIn;
use super::{KEY, TEXT, made, openai, options, request};

#[tokio::test]
async fn a_request_carries_the_key_the_model_the_material_and_a_strict_schema() {
    let service = StandIn::start().await;
    let questions = made(&openai(&service), &request(QuestionKind::MultipleChoice, 3)).await;
    assert_eq!(questions.unwrap().len(), 3);
    let [asked] = &service.asked()[..] else {
        panic!("one request")
    };
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(
        asked.header("authorization"),
        Some(&*format!("Bearer {KEY}"))
    );
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.body["model"], "a-model");
    assert_eq!(asked.body["max_tokens"], 9_000);
    assert_eq!(asked.body["response_format"]["type"], "json_schema");
    assert_eq!(asked.body["response_format"]["json_schema"]["strict"], true);
    let [system, user] = &asked.body["messages"].as_array().unwrap()[..] else {
        panic!("two messages")
    };
    assert_eq!(
        (&system["role"], &user["role"]),
        (&"system".into(), &"user".into())
    );
    let said = user["content"].as_str().unwrap();
    assert!(
        said.contains(TEXT) && said.contains("exactly 3 questions"),
        "{said}"
    );
}

#[tokio::test]
async fn every_kind_of_question_is_made() {
    let service = StandIn::start().await;
    let generator = openai(&service);
    let choices = made(&generator, &request(QuestionKind::MultipleChoice, 2))
        .await
        .unwrap();
    assert!(
        choices
            .iter()
            .all(|q| q.answer == Answer::Text("둘".to_owned()))
    );
    let statements = made(&generator, &request(QuestionKind::TrueFalse, 2))
        .await
        .unwrap();
    assert_eq!(statements[1].answer, Answer::Boolean(false));
    let short = made(&generator, &request(QuestionKind::ShortAnswer, 2))
        .await
        .unwrap();
    assert_eq!(short[0].answer, Answer::Text("답 1".to_owned()));
}

#[tokio::test]
async fn a_service_without_a_key_is_sent_none() {
    let service = StandIn::start().await;
    let mut options = options(&service);
    options.key = String::new();
    let generator = ModelGenerator::new(OpenAi::new(options).unwrap(), 0, 1_000);
    made(&generator, &request(QuestionKind::TrueFalse, 1))
        .await
        .unwrap();
    assert_eq!(service.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn material_that_is_too_long_is_not_even_sent() {
    let service = StandIn::start().await;
    let mut request = request(QuestionKind::TrueFalse, 1);
    request.text = "가".repeat(1_001);
    let error = made(&openai(&service), &request).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retryable()),
        ("SOURCES_TOO_LONG", false)
    );
    assert!(service.asked().is_empty());
    request.text = "가".repeat(1_000);
    made(&openai(&service), &request).await.unwrap();
}
