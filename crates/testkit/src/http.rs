//! A small HTTP client for tests: one browser that is logged in, with its cookies.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use reqwest::{Method, StatusCode, header::HeaderMap};
use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};

/// A client of one server. Copies share the access token and the cookies, as tabs do.
///
/// Redirects are answers, not followed. An absolute URL may stand where a path may; another origin
/// than the server's gets neither token nor cookies.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    client: reqwest::Client,
    session: Arc<Mutex<Session>>,
}

#[derive(Debug, Default)]
struct Session {
    bearer: Option<String>,
    cookies: BTreeMap<String, String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `null` when it is not JSON.
    pub json: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The JSON body of an answer with the expected status.
    ///
    /// # Panics
    /// When the status is another, showing the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(
            self.status.as_u16(),
            status,
            "unexpected status; the body: {}",
            self.text
        );
        self.json
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Client {
    /// A client that is not logged in; `base` is like `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client: direct(),
            session: Arc::default(),
        }
    }

    /// Logs in as `email` through `/auth/dev-login` and returns the access token.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn dev_login(&self, email: &str) -> String {
        let body = self
            .post("/auth/dev-login", &json!({ "email": email }))
            .await
            .expect(200);
        let token = body["accessToken"]
            .as_str()
            .unwrap_or_else(|| panic!("no accessToken in {body}"))
            .to_owned();
        self.set_bearer(Some(&token));
        token
    }

    /// Signs in by a one-time link, as a browser does that opens it, and returns the access token.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn follow_link(&self, link: &str) -> String {
        self.get(link).await.expect(302);
        self.refresh().await
    }

    /// Exchanges the refresh cookie, and returns the new access token.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn refresh(&self) -> String {
        let answer = self.request(Method::POST, "/auth/refresh").send().await;
        let body = answer.expect(200);
        let token = body["accessToken"].as_str();
        let token = token.unwrap_or_else(|| panic!("no accessToken in {body}"));
        self.set_bearer(Some(token));
        token.to_owned()
    }

    /// The access token that requests carry.
    pub fn bearer(&self) -> Option<String> {
        self.session().bearer.clone()
    }

    /// Sets or takes away the access token.
    pub fn set_bearer(&self, token: Option<&str>) {
        self.session().bearer = token.map(str::to_owned);
    }

    /// A cookie that the server set.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.session().cookies.get(name).cloned()
    }

    /// Sets a cookie, or takes it away.
    pub fn set_cookie(&self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                self.session()
                    .cookies
                    .insert(name.to_owned(), value.to_owned());
            }
            None => {
                self.session().cookies.remove(name);
            }
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    /// PATCH of a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PATCH, path).json(body).send().await
    }

    /// PUT of bytes, as an upload is.
    pub async fn put(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.request(Method::PUT, path)
            .bytes(content_type, body)
            .send()
            .await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// Any request, to add headers to.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = self.url(path);
        let ours = url
            .strip_prefix(&self.base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let mut builder = self
            .client
            .request(method, url)
            .timeout(Duration::from_secs(30));
        if ours {
            let session = self.session();
            if let Some(token) = &session.bearer {
                builder = builder.bearer_auth(token);
            }
            if !session.cookies.is_empty() {
                let pairs: Vec<String> = session
                    .cookies
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                builder = builder.header(header::COOKIE, pairs.join("; "));
            }
        }
        Request {
            builder,
            keeps_cookies: ours.then(|| self.clone()),
        }
    }

    /// The absolute URL of a path.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            path.to_owned()
        }
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a Set-Cookie header in ASCII");
            let mut parts = cookie.split(';').map(str::trim);
            let (name, value) = parts
                .next()
                .and_then(|pair| pair.split_once('='))
                .unwrap_or_else(|| panic!("no name in the Set-Cookie header {cookie:?}"));
            let removed =
                value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            self.set_cookie(name, (!removed).then_some(value));
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request being put together.
#[must_use = "it is sent by `send`"]
#[derive(Debug)]
pub struct Request {
    builder: RequestBuilder,
    keeps_cookies: Option<Client>,
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Sets a body of bytes.
    pub fn bytes(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.builder = self
            .builder
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into());
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When no answer comes within 30 s.
    pub async fn send(self) -> Answer {
        let answer = self.try_send().await;
        answer.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// As [`Request::send`], for tests in which the server may be dead.
    ///
    /// # Errors
    /// When no answer comes within 30 s.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(client) = &self.keeps_cookies {
            client.keep_cookies(&headers);
        }
        let body = response.bytes().await?;
        Ok(Answer {
            status,
            headers,
            json: serde_json::from_slice(&body).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// A client that talks to the address itself, whatever proxies the environment names.
pub fn direct() -> reqwest::Client {
    // Loopback only: neither a provider of the program's own nor certificates are needed, but a provider there must be.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("build an HTTP client")
}
