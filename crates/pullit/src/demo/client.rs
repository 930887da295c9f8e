//! A member's browser, as far as the server can tell.

use std::future::Future;
use std::time::Duration;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::problem::{Problem, check};
use super::stream::EventStream;
use crate::platform::tls;

/// The longest that one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// What follows by itself is waited for this long, and looked at this often.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A client, signed in or not.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    access_token: String,
    refresh_cookie: String,
}

/// An answer of the server.
pub(super) struct Answer {
    asked: String,
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Client {
    /// Of the server at this address.
    pub(super) fn new(base: String) -> Result<Self, Problem> {
        // Loopback only: neither a proxy of the environment nor certificates have a part in this.
        tls::install();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build();
        Ok(Self {
            http: http.map_err(Problem::of)?,
            base,
            access_token: String::new(),
            refresh_cookie: String::new(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.access_token.is_empty() {
            request
        } else {
            request.bearer_auth(&self.access_token)
        }
    }

    /// GET.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Problem> {
        let request = self.request(Method::GET, path);
        answer(format!("GET {path}"), send(request).await?).await
    }

    /// POST of JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Problem> {
        let request = self.request(Method::POST, path).json(body);
        answer(format!("POST {path}"), send(request).await?).await
    }

    /// PUT of a file to the address that the server gave for it.
    pub(super) async fn put(
        &self,
        url: &str,
        content_type: &str,
        bytes: &'static [u8],
    ) -> Result<Answer, Problem> {
        let request = self.http.put(url).header("content-type", content_type);
        answer(
            "PUT <uploadUrl>".to_owned(),
            send(request.body(bytes)).await?,
        )
        .await
    }

    /// Signs in with an e-mail address.
    pub(super) async fn sign_in(&mut self, email: &str, name: &str) -> Result<(), Problem> {
        let body = serde_json::json!({"email": email, "name": name});
        let request = self.request(Method::POST, "/auth/dev-login").json(&body);
        self.keep_tokens("POST /auth/dev-login", send(request).await?)
            .await
    }

    /// Exchanges the refresh cookie for new tokens.
    pub(super) async fn refresh(&mut self) -> Result<(), Problem> {
        let request = self.http.post(format!("{}/auth/refresh", self.base));
        let request = request.header(COOKIE, &self.refresh_cookie);
        self.keep_tokens("POST /auth/refresh", send(request).await?)
            .await
    }

    async fn keep_tokens(&mut self, asked: &str, response: Response) -> Result<(), Problem> {
        let cookie = response
            .headers()
            .get(SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok())
            .and_then(|cookie| cookie.split(';').next())
            .unwrap_or_default()
            .to_owned();
        let body = answer(asked.to_owned(), response).await?.ok(200)?;
        check(
            cookie.starts_with("refresh_token="),
            format_args!("{asked} set no refresh cookie"),
        )?;
        self.access_token = text(&body, "/accessToken")?;
        self.refresh_cookie = cookie;
        Ok(())
    }

    /// Opens the event stream; its first event is not a heartbeat.
    pub(super) async fn events(&self, last_id: Option<&str>) -> Result<EventStream, Problem> {
        let mut request = self.request(Method::GET, "/api/notifications/subscribe");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.map_err(Problem::of)?;
        check(
            response.status() == 200,
            format_args!("the event stream answered {}", response.status()),
        )?;
        Ok(EventStream::of(response))
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Problem> {
    request.timeout(REQUEST).send().await.map_err(Problem::of)
}

async fn answer(asked: String, response: Response) -> Result<Answer, Problem> {
    let status = response.status().as_u16();
    let text = response.text().await.map_err(Problem::of)?;
    // What is not JSON (metrics, an empty body) is kept as a string.
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer {
        asked,
        status,
        body,
    })
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("-")
    }

    /// The body, if the answer has this status.
    pub(super) fn ok(self, status: u16) -> Result<Value, Problem> {
        check(
            self.status == status,
            format_args!(
                "{} answered {} and not {status}: {}",
                self.asked, self.status, self.body
            ),
        )?;
        Ok(self.body)
    }

    /// The body as a type of ours, if the answer is 200.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let asked = self.asked.clone();
        serde_json::from_value(self.ok(200)?)
            .map_err(|error| Problem(format!("the answer to {asked} cannot be read: {error}")))
    }

    /// The words of a refusal, if it is one with this status and code.
    pub(super) fn refused(self, status: u16, code: &str) -> Result<String, Problem> {
        check(
            self.status == status && self.code() == code,
            format_args!(
                "{} answered {} {} and not {status} {code}: {}",
                self.asked,
                self.status,
                self.code(),
                self.body
            ),
        )?;
        let words = self.body["detail"].as_str().or(self.body["title"].as_str());
        Ok(words.unwrap_or_default().to_owned())
    }
}

/// A string in a body.
pub(super) fn text(body: &Value, pointer: &str) -> Result<String, Problem> {
    let found = body.pointer(pointer).and_then(Value::as_str);
    let missing = || Problem(format!("there is no text at {pointer} in {body}"));
    found.map(str::to_owned).ok_or_else(missing)
}

/// A whole number in a body.
pub(super) fn number(body: &Value, pointer: &str) -> Result<i64, Problem> {
    let found = body.pointer(pointer).and_then(Value::as_i64);
    found.ok_or_else(|| Problem(format!("there is no number at {pointer} in {body}")))
}

/// Looks again and again at what follows by itself, until it is there.
///
/// # Errors
/// When looking fails; or when the time is up, with what was seen last.
pub(super) async fn until<T, F>(mut look: impl FnMut() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<Result<T, String>, Problem>>,
{
    let began = Instant::now();
    loop {
        match look().await? {
            Ok(there) => return Ok(there),
            Err(seen) if began.elapsed() >= TIMEOUT => {
                return Err(Problem(format!(
                    "waited {} s in vain; seen last: {seen}",
                    TIMEOUT.as_secs()
                )));
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}
