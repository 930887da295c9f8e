//! The whole service with a model behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pullit::platform::config::{Config, GeneratorKind};
use serde_json::json;
use testkit::http::Client;

use super::KEY;
use super::stand_in::{Said, StandIn};
use crate::process::pullit;
use crate::support::files::{EXAMPLES, TEXT};
use crate::support::{Member, Problem, Server, Setup};

async fn served(db: testkit::Database, service: &StandIn, kind: GeneratorKind) -> Server {
    let url = service.url.clone();
    Setup::new()
        .config(move |config: &mut Config| {
            config.generator.kind = kind;
            config.generator.url = url;
            config.generator.key = KEY.to_owned();
            config.generator.model = "a-model".to_owned();
            config.generator.requests_per_minute = 0;
        })
        .start(db)
        .await
}

testkit::on_each_database! {
    async fn an_openai_compatible_model_makes_the_questions_of_a_set(db: testkit::Database) {
        let service = StandIn::start().await;
        let server = served(db, &service, GeneratorKind::OpenAi).await;
        let member = server.member("a@pullit.test").await;
        let source = member.upload("a.txt", TEXT, "세종대왕은 훈민정음을 만들었다.".as_bytes()).await;
        let set = member.complete_set(&[source], "MULTIPLE_CHOICE", 3).await;
        let questions = set["questions"].as_array().unwrap();
        assert_eq!(questions.len(), 3);
        for question in questions {
            assert_eq!(question["answer"], "둘");
            assert_eq!(question["options"].as_array().unwrap().len(), 4);
        }
        assert!(service.asked()[0].text().contains("세종대왕은 훈민정음을 만들었다."));
        let metrics = server.client.get("/metrics").await.text;
        for series in [
            "question_generation_calls_total{provider=\"openai\",outcome=\"ANSWERED\"}",
            "question_generation_breaker_state{provider=\"openai\"}",
            "question_generation_deliveries_total{outcome=\"complete\"}",
            "question_generation_request_to_result_seconds_count{outcome=\"complete\"}",
            "question_generation_call_seconds_count{provider=\"openai\"}",
            "question_generation_in_flight",
        ] {
            assert!(metrics.contains(series), "{series} in {metrics}");
        }
        server.stop().await;
    }

    async fn gemini_reads_the_pdf_itself(db: testkit::Database) {
        let service = StandIn::start().await;
        let server = served(db, &service, GeneratorKind::Gemini).await;
        let member = server.member("a@pullit.test").await;
        let pdf = EXAMPLES.iter().find(|file| file.name == "sejong.ko.pdf").unwrap();
        let text = member.upload("a.txt", TEXT, "한강은 서울을 지난다.".as_bytes()).await;
        let document = member.upload(pdf.name, pdf.content_type, pdf.bytes).await;
        let set = member.complete_set(&[text, document], "TRUE_FALSE", 2).await;
        assert_eq!(set["questions"][0]["answer"], true);
        let asked = service.asked().remove(0);
        let parts = asked.body["contents"][0]["parts"].as_array().unwrap();
        assert!(parts[0]["text"].as_str().unwrap().contains("한강은 서울을 지난다."));
        let inline = parts[1]["inlineData"]["data"].as_str().unwrap();
        assert_eq!(STANDARD.decode(inline).unwrap(), pdf.bytes);
        assert!(!asked.text().contains(pdf.sentence), "not its text too");
        server.stop().await;
    }

    async fn what_a_model_refuses_is_told_to_the_owner_and_not_tried_again(db: testkit::Database) {
        let refusal = json!({"choices": [{"finish_reason": "stop", "message": {"refusal": "no"}}]});
        let service = StandIn::saying([Said::Raw(refusal)]).await;
        let server = served(db, &service, GeneratorKind::OpenAi).await;
        let member = server.member("a@pullit.test").await;
        let mut stream = member.stream().await;
        let source = member.upload("a.txt", TEXT, "세종대왕은 훈민정음을 만들었다.".as_bytes()).await;
        let id = member.ask(&[source], "SHORT_ANSWER", 2).await;
        member.made_set(id).await.problem(409, "Q_003");
        let told = stream.next_named("questionSetCreationComplete").await;
        assert!(told.data.contains("\"success\":false"), "{told:?}");
        assert_eq!(server.ran("retryFailedQuestionSetGeneration").await, 0);
        server.stop().await;
    }

    async fn a_wrong_key_costs_one_set_and_the_others_wait(db: testkit::Database) {
        let unauthorized = Said::Status(401, &[], json!({"error": {"code": "invalid_api_key"}}));
        let service = StandIn::saying([unauthorized]).await;
        let server = served(db, &service, GeneratorKind::OpenAi).await;
        let member = server.member("a@pullit.test").await;
        let source = member.upload("a.txt", TEXT, "세종대왕은 훈민정음을 만들었다.".as_bytes()).await;
        let first = member.ask(&[source], "SHORT_ANSWER", 2).await;
        member.made_set(first).await.problem(409, "Q_003");
        let second = member.ask(&[source], "SHORT_ANSWER", 2).await;
        let put_off = "SELECT count(*) FROM work_item WHERE leased_by IS NULL AND deliveries = 0 AND available_at > created_at";
        server.until_number(put_off, 1).await;
        member.set(second).await.problem(409, "Q_002");
        assert_eq!(service.asked().len(), 1);
        server.stop().await;
    }
}

#[tokio::test]
async fn neither_the_key_nor_the_material_nor_an_answer_is_logged_even_at_trace() {
    let echo = json!({"error": {"code": "x", "message": "an echo of mitochondria"}});
    let service = StandIn::saying([
        Said::Text("chloroplasts are no JSON"),
        Said::Status(500, &[], echo.clone()),
        Said::Status(401, &[], echo),
    ])
    .await;
    let node = pullit()
        .env("PULLIT_GENERATOR__KIND", "openai")
        .env("PULLIT_GENERATOR__URL", &service.url)
        .env("PULLIT_GENERATOR__KEY", KEY)
        .env("PULLIT_GENERATOR__MODEL", "a-model")
        .env("PULLIT_LOG__FILTER", "trace")
        .args(["serve"])
        .start()
        .await;
    let client = Client::new(node.base_url());
    client.dev_login("one@example.com").await;
    let member = Member { id: 1, client };
    let text = "Cells hold mitochondria.".as_bytes();
    let source = member.upload("a.txt", TEXT, text).await;
    member.read_source(source).await;
    for _ in 0..2 {
        let set = member.ask(&[source], "TRUE_FALSE", 1).await;
        member.made_set(set).await.problem(409, "Q_003");
    }
    let log = node.output();
    assert!(
        log.contains("does not let us in") && log.contains("TRACE"),
        "{log}"
    );
    assert!(service.asked()[0].text().contains("mitochondria"));
    for word in [KEY, "mitochondria", "chloroplasts"] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "{word}");
    }
}
