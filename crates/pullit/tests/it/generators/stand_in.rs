//! A language model's service that says what a test wants, and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What comes back for one request.
#[derive(Clone)]
pub(super) enum Said {
    /// A status with headers and a body.
    Status(u16, &'static [(&'static str, &'static str)], Value),
    /// These questions.
    Questions(Vec<Value>),
    /// This text, as the model's own.
    Text(&'static str),
    /// This, as the service's whole answer.
    Raw(Value),
    /// The beginning of an answer, and the end of the connection.
    BrokenOff,
    /// More than anybody should read.
    Endless,
    /// Nothing.
    Never,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole body as text, to look for words in it.
    pub(super) fn text(&self) -> String {
        self.body.to_string()
    }

    fn gemini(&self) -> bool {
        self.path.ends_with(":generateContent")
    }

    /// How many questions it asks for.
    fn count(&self) -> usize {
        let text = self.text();
        let (_, rest) = text.split_once("exactly ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Questions as the schema wants them.
    fn questions(&self) -> Vec<Value> {
        let schema = match self.gemini() {
            true => &self.body["generationConfig"]["responseJsonSchema"],
            false => &self.body["response_format"]["json_schema"]["schema"],
        };
        let question = &schema["properties"]["questions"]["items"]["properties"];
        let one = |n: usize| match question["solution"]["type"].as_str() {
            Some("boolean") => {
                json!({"index": n, "question": format!("{n}은 수다."), "solution": n % 2 == 1, "why": "그렇다."})
            }
            _ if question["responses"].is_object() => choice(n),
            _ => {
                json!({"index": n, "question": format!("{n}번은?"), "solution": format!("답 {n}"), "why": "그렇다."})
            }
        };
        (1..=self.count()).map(one).collect()
    }
}

/// A multiple-choice question; B is right.
pub(super) fn choice(n: usize) -> Value {
    json!({"index": n, "question": format!("{n}번 문제는?"), "solution": "B", "why": "그렇다.",
        "responses": {"A": "하나", "B": "둘", "C": "셋", "D": "넷"}})
}

#[derive(Default)]
struct Script {
    says: Mutex<VecDeque<Said>>,
    asked: Mutex<Vec<Asked>>,
}

/// Serves until it is dropped. Once its script is at an end it makes good questions, whatever kind is wanted.
pub(super) struct StandIn {
    /// `http://127.0.0.1:PORT/v1`
    pub(super) url: String,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

impl StandIn {
    pub(super) async fn start() -> Self {
        Self::saying([]).await
    }

    pub(super) async fn saying(says: impl IntoIterator<Item = Said>) -> Self {
        let script = Arc::new(Script::default());
        script.says.lock().unwrap().extend(says);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&script));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            script,
            serving,
        }
    }

    /// Every request, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let asked = Asked {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap(),
    };
    script.asked.lock().unwrap().push(asked.clone());
    let said = script.says.lock().unwrap().pop_front();
    let whole = match said {
        None => completion(&asked, &json!({"questions": asked.questions()}).to_string()),
        Some(Said::Questions(questions)) => {
            completion(&asked, &json!({ "questions": questions }).to_string())
        }
        Some(Said::Text(text)) => completion(&asked, text),
        Some(Said::Raw(whole)) => whole,
        Some(Said::Status(status, headers, body)) => {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            let status = StatusCode::from_u16(status).unwrap();
            return (status, headers, body.to_string()).into_response();
        }
        Some(Said::BrokenOff) => {
            let chunks = [
                Ok(Bytes::from_static(b"{\"choices\": [")),
                Err(std::io::Error::other("broken off")),
            ];
            return Body::from_stream(stream::iter(chunks)).into_response();
        }
        Some(Said::Endless) => {
            let blanks = stream::repeat(Bytes::from_static(&[b' '; 65_536]));
            return Body::from_stream(blanks.map(Ok::<_, Infallible>)).into_response();
        }
        Some(Said::Never) => return std::future::pending().await,
    };
    whole.to_string().into_response()
}

/// A good answer with this text, in the words of whoever was asked.
fn completion(asked: &Asked, text: &str) -> Value {
    if asked.gemini() {
        json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [{"text": text}]}}]})
    } else {
        json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, "refusal": null}}]})
    }
}
