//! Gemini's API.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::http::{self, ClientError};
use super::{Model, ModelOptions, Part, Prompt};

/// A request with inline files may have 20 MB, and base64 makes four bytes of three.
const FILES: u64 = 14_850_000;

/// Gemini's `generateContent` with a JSON schema, PDF files inline.
pub struct Gemini {
    client: Client,
    endpoint: Url,
    options: ModelOptions,
}

impl Gemini {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When this machine has no certificates to trust.
    pub fn new(options: ModelOptions) -> Result<Self, ClientError> {
        let model = options.model.trim_start_matches("models/");
        let path = format!("models/{model}:generateContent");
        Ok(Self {
            client: http::client(&options.url, options.timeout)?,
            endpoint: http::below(&options.url, &path),
            options,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    finish_reason: Option<String>,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
}

#[async_trait]
impl Model for Gemini {
    fn provider(&self) -> &'static str {
        "gemini"
    }

    fn files_up_to(&self) -> u64 {
        FILES
    }

    async fn ask(&self, prompt: &Prompt<'_>) -> Result<String, Fault> {
        let material = prompt.material.iter().map(part);
        let wish = json!({"text": prompt.wish});
        let parts: Vec<Value> = material.chain([wish]).collect();
        let body = json!({
            "systemInstruction": {"parts": [{"text": prompt.instructions}]},
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseJsonSchema": prompt.schema,
                "maxOutputTokens": self.options.max_output_tokens,
            },
        });
        let mut request = self.client.post(self.endpoint.clone()).json(&body);
        if let Ok(mut key) = HeaderValue::from_str(&self.options.key)
            && !key.is_empty()
        {
            // Not in the URL, which ends up in logs.
            key.set_sensitive(true);
            request = request.header("x-goog-api-key", key);
        }
        let answer = http::send(request).await?;
        read(&answer)
    }
}

fn part(part: &Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"text": format!("<material>\n{text}\n</material>")}),
        Part::Pdf(bytes) => {
            json!({"inlineData": {"mimeType": "application/pdf", "data": STANDARD.encode(bytes)}})
        }
    }
}

fn read(answer: &[u8]) -> Result<String, Fault> {
    let no_answer = Fault::Malformed("the service's answer has no candidate");
    let generated: Generated = serde_json::from_slice(answer).map_err(|_| no_answer.clone())?;
    let blocked = generated.prompt_feedback.and_then(|said| said.block_reason);
    if blocked.is_some() {
        return Err(Fault::Refused);
    }
    let candidate = generated.candidates.into_iter().next().ok_or(no_answer)?;
    match candidate.finish_reason.as_deref() {
        Some("MAX_TOKENS") => Err(Fault::CutOff),
        // RECITATION is not among them: the next answer may well be in other words.
        Some("SAFETY" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE") => {
            Err(Fault::Refused)
        }
        Some("STOP") | None => {
            let parts = candidate.content.map(|content| content.parts);
            let said = parts.unwrap_or_default().into_iter();
            Ok(said
                .filter(|part| !part.thought)
                .filter_map(|part| part.text)
                .collect())
        }
        Some(_) => Err(Fault::Malformed("the model did not finish its answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(reason: &str) -> Result<String, Fault> {
        let answer = json!({"candidates": [{"finishReason": reason, "content": {"role": "model", "parts": [
            {"text": "hm", "thought": true}, {"text": "{\"a\""}, {"text": ":1}"}]}}]});
        read(answer.to_string().as_bytes())
    }

    #[test]
    fn how_an_answer_ended_decides_what_it_is_worth() {
        assert_eq!(finished("STOP"), Ok("{\"a\":1}".to_owned()));
        assert_eq!(finished("MAX_TOKENS"), Err(Fault::CutOff));
        for refused in [
            "SAFETY",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "LANGUAGE",
        ] {
            assert_eq!(finished(refused), Err(Fault::Refused), "{refused}");
        }
        for odd in ["RECITATION", "OTHER", "SOMETHING_NEW"] {
            assert!(matches!(finished(odd), Err(Fault::Malformed(_))), "{odd}");
        }
        let blocked = br#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#;
        assert_eq!(read(blocked), Err(Fault::Refused));
        for odd in ["{}", "[]", "", r#"{"candidates":[]}"#] {
            assert!(
                matches!(read(odd.as_bytes()), Err(Fault::Malformed(_))),
                "{odd}"
            );
        }
    }
}
