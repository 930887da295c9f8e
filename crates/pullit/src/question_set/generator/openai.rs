//! Chat completions of OpenAI, and of whoever speaks the same.

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::json;

use super::fault::Fault;
use super::http::{self, ClientError};
use super::{Model, ModelOptions, Part, Prompt};

/// Chat completions with a strict JSON schema: OpenAI itself, and every service that speaks the same.
pub struct OpenAi {
    client: Client,
    endpoint: Url,
    options: ModelOptions,
}

impl OpenAi {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When this machine has no certificates to trust.
    pub fn new(options: ModelOptions) -> Result<Self, ClientError> {
        Ok(Self {
            client: http::client(&options.url, options.timeout)?,
            endpoint: http::below(&options.url, "chat/completions"),
            options,
        })
    }

    /// OpenAI's own models refuse the old name, other services do not know the new one.
    fn token_limit(&self) -> &'static str {
        let host = self.endpoint.host_str().unwrap_or_default();
        if host == "api.openai.com" || host.ends_with(".openai.azure.com") {
            "max_completion_tokens"
        } else {
            "max_tokens"
        }
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[async_trait]
impl Model for OpenAi {
    fn provider(&self) -> &'static str {
        "openai"
    }

    async fn ask(&self, prompt: &Prompt<'_>) -> Result<String, Fault> {
        let texts = prompt.material.iter().filter_map(|part| match part {
            Part::Text(text) => Some(*text),
            Part::Pdf(_) => None,
        });
        let material = texts.collect::<Vec<_>>().join("\n\n");
        let content = format!("<material>\n{material}\n</material>\n\n{}", prompt.wish);
        let mut body = json!({
            "model": self.options.model,
            "messages": [
                {"role": "system", "content": prompt.instructions},
                {"role": "user", "content": content},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "question_set", "strict": true, "schema": prompt.schema},
            },
        });
        body[self.token_limit()] = self.options.max_output_tokens.into();
        let mut request = self.client.post(self.endpoint.clone()).json(&body);
        if !self.options.key.is_empty() {
            request = request.bearer_auth(&self.options.key);
        }
        let answer = http::send(request).await?;
        read(&answer)
    }
}

fn read(answer: &[u8]) -> Result<String, Fault> {
    let no_answer = Fault::Malformed("the service's answer is no chat completion");
    let completion: Completion = serde_json::from_slice(answer).map_err(|_| no_answer.clone())?;
    let choice = completion.choices.into_iter().next().ok_or(no_answer)?;
    if choice.message.refusal.is_some_and(|text| !text.is_empty()) {
        return Err(Fault::Refused);
    }
    match choice.finish_reason.as_deref() {
        Some("length") => Err(Fault::CutOff),
        Some("content_filter") => Err(Fault::Refused),
        _ => choice
            .message
            .content
            .ok_or(Fault::Malformed("the completion has no content")),
    }
}
