//! A page in a real browser.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::{get, post};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tempfile::TempDir;
use testkit::Database;
use testkit::http::Client;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{TIMEOUT, events};

fn from_the_script(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: run ./scripts/test"))
        .into()
}

/// What the page saw.
#[derive(Debug, Deserialize)]
struct Seen {
    what: String,
    data: Option<String>,
    id: Option<String>,
}

/// A page in a browser, and the server it is from.
struct Page {
    seen: UnboundedReceiver<Seen>,
    address: SocketAddr,
    browser: Option<Child>,
    profile: TempDir,
}

impl Page {
    /// The server alone, whose address is the page's origin.
    async fn serve() -> Self {
        let script = from_the_script("PULLIT_TEST_EVENT_SOURCE");
        let script = std::fs::read_to_string(script).unwrap();
        let (see, seen) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = move || async move { ([(CONTENT_TYPE, "text/javascript")], script) };
        let router = Router::new()
            .route("/", get(|| async { Html(include_str!("page.html")) }))
            .route("/eventsource.js", get(script))
            .route("/seen", post(note))
            .with_state(see);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            seen,
            address,
            browser: None,
            profile: TempDir::with_prefix("pullit-chromium-").unwrap(),
        }
    }

    /// Opens it in a browser.
    fn open(&mut self, stream: &str, token: &str) {
        let page = format!("http://{}/?url={stream}&token={token}", self.address);
        let profile = self.profile.path().display();
        let browser = Command::new(from_the_script("PULLIT_TEST_CHROMIUM"))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-proxy-server",
                &format!("--user-data-dir={profile}"),
                &page,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its many processes end together.
            .process_group(0)
            .spawn();
        self.browser = Some(browser.unwrap());
    }

    /// The next thing that the page saw, but heartbeats and connections.
    async fn next(&mut self) -> Seen {
        loop {
            let seen = tokio::time::timeout(TIMEOUT, self.seen.recv()).await;
            let seen = seen.expect("the page sees something").unwrap();
            if !matches!(seen.what.as_str(), "heartbeat" | "open" | "error") {
                return seen;
            }
        }
    }

    /// Waits for this and sees nothing on the way that the page was to be told only once.
    async fn until(&mut self, what: &str) {
        loop {
            let seen = tokio::time::timeout(TIMEOUT, self.seen.recv()).await;
            let seen = seen.unwrap_or_else(|_| panic!("the page has not seen {what}"));
            let seen = seen.unwrap();
            if seen.what == what {
                return;
            }
            let usual = ["heartbeat", "open", "error"];
            assert!(usual.contains(&seen.what.as_str()), "{seen:?}");
        }
    }

    /// The set that the page is told of next; its id is a notification's.
    async fn told(&mut self) -> i64 {
        let seen = self.next().await;
        assert_eq!(seen.what, "questionSetCreationComplete", "{seen:?}");
        let id = seen.id.unwrap();
        assert!(id.parse::<i64>().is_ok(), "{id}");
        let data: serde_json::Value = serde_json::from_str(&seen.data.unwrap()).unwrap();
        data["questionSetId"].as_i64().unwrap()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(browser) = &mut self.browser {
            // An error means that it is dead already.
            let _ = kill_process_group(Pid::from_child(browser), Signal::KILL);
            let _ = browser.wait();
        }
    }
}

async fn note(State(see): State<UnboundedSender<Seen>>, body: String) {
    // The test may be over.
    let _ = see.send(serde_json::from_str(&body).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_chromium_receives_survives_restarts_of_the_server_and_resumes() {
    let mut page = Page::serve().await;
    let database = Database::postgres().await;
    let db = database.connect().await;
    let command = events::node(database.url()).env(
        "PULLIT_HTTP__CORS_ORIGINS",
        format!("http://{}", page.address),
    );
    let mut node = command.start().await;
    let address = node.base_url().trim_start_matches("http://").to_owned();
    let command = command.env("PULLIT_LISTEN", &address);
    let client = Client::new(node.base_url());
    let token = client.dev_login("a@pullit.test").await;
    let member = client.get("/api/members/me").await.expect(200)["id"]
        .as_i64()
        .unwrap();
    let made = async |sets: &[i64]| {
        let sets: Vec<_> = sets.iter().map(|set| (*set, member)).collect();
        events::publish(&db, &sets).await.unwrap();
    };

    page.open(&client.url("/api/notifications/subscribe"), &token);
    let hello = page.next().await;
    assert_eq!(hello.what, "handShakeComplete");
    assert_eq!(
        hello.data,
        Some(format!("EventStream Created. userId: {member}"))
    );

    // Cut off before the first notification.
    node.kill_9();
    page.until("error").await;
    made(&[1]).await;
    let mut node = command.start().await;
    assert_eq!(page.next().await.what, "reconnection");
    assert_eq!(page.told().await, 1);
    made(&[2]).await;
    assert_eq!(page.told().await, 2);

    // A server that ends in order says when to come back.
    assert_eq!(node.terminate().await.code(), Some(0));
    page.until("error").await;
    made(&[3, 4]).await;
    let mut node = command.start().await;
    assert_eq!(page.next().await.what, "reconnection");
    for set in [3, 4] {
        assert_eq!(page.told().await, set);
    }

    made(&[5]).await;
    assert_eq!(page.told().await, 5);
    page.until("heartbeat").await;
    assert_eq!(node.terminate().await.code(), Some(0));
}
