//! Requests to Gemini and its answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pullit::question_set::generator::{Gemini, ModelGenerator};
use question_maker::{QuestionGenerator, QuestionKind, SourceFile};
use serde_json::json;

use super::stand_in::StandIn;
use super::{KEY, TEXT, gemini, made, options, request};

#[tokio::test]
async fn a_request_carries_the_key_the_material_and_the_schema() {
    let service = StandIn::start().await;
    let questions = made(&gemini(&service), &request(QuestionKind::MultipleChoice, 3)).await;
    assert_eq!(questions.unwrap().len(), 3);
    let [asked] = &service.asked()[..] else {
        panic!("one request")
    };
    assert_eq!(asked.path, "/v1/models/a-model:generateContent");
    assert_eq!(asked.header("x-goog-api-key"), Some(KEY));
    let config = &asked.body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(
        config["responseJsonSchema"]["required"],
        json!(["questions"])
    );
    assert_eq!(config["maxOutputTokens"], 9_000);
    assert!(asked.body["systemInstruction"]["parts"][0]["text"].is_string());
    assert!(
        asked.body["contents"][0]["parts"][0]["text"]
            .as_str()
            .unwrap()
            .contains(TEXT)
    );
}

#[tokio::test]
async fn a_pdf_goes_inline_instead_of_its_text_and_does_not_count_as_text() {
    let service = StandIn::start().await;
    let mut request = request(QuestionKind::TrueFalse, 2);
    let pdf_text = "피".repeat(5_000);
    request.text = format!("{pdf_text}\n\n{TEXT}");
    let file = Bytes::from_static(b"%PDF-1.7 \x00\xff and so on");
    request.files = vec![SourceFile {
        text: 0..pdf_text.len(),
        bytes: file.clone(),
    }];
    made(&gemini(&service), &request).await.unwrap();
    let asked = service.asked().remove(0);
    let parts = asked.body["contents"][0]["parts"].as_array().unwrap();
    let inline = &parts[0]["inlineData"];
    assert_eq!(inline["mimeType"], "application/pdf");
    assert_eq!(
        STANDARD.decode(inline["data"].as_str().unwrap()).unwrap(),
        file
    );
    assert!(parts[1]["text"].as_str().unwrap().contains(TEXT));
    assert!(
        parts[2]["text"]
            .as_str()
            .unwrap()
            .contains("exactly 2 questions")
    );
    assert!(
        !asked.text().contains("피피"),
        "the text of a file that is sent is not sent too"
    );
}

#[tokio::test]
async fn files_leave_room_in_a_request_of_20_megabytes() {
    let service = StandIn::start().await;
    for max_chars in [1_000, 200_000, 2_000_000] {
        let model = Gemini::new(options(&service)).unwrap();
        let files = ModelGenerator::new(model, 0, max_chars).files_up_to();
        let whole = files * 4 / 3 + 3 * max_chars as u64;
        assert!((19_700_000..19_900_000).contains(&whole), "{whole}");
    }
    let model = Gemini::new(options(&service)).unwrap();
    let none = ModelGenerator::new(model, 0, 20_000_000).files_up_to();
    assert_eq!(none, 0);
}
