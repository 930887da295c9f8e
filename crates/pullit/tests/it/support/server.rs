//! A node in the test's own process.

use std::path::PathBuf;
use std::sync::Arc;

use pullit::app::{App, Outside};
use pullit::platform::config::{Config, Span};
use pullit::server::{Roles, Running};
use question_maker::QuestionGenerator;
use scheduler::{Clock, Run};
use tempfile::TempDir;
use testkit::Database;
use testkit::http::Client;
use tokio::net::TcpListener;

use super::{Member, TestClock};

/// What a node of a test is like, before it starts.
pub(crate) struct Setup {
    config: Config,
    roles: Roles,
    clock: TestClock,
    generator: Option<Arc<dyn QuestionGenerator>>,
}

impl Setup {
    /// The embedded defaults, the computer's time, the offline generator, every role but the scheduler's.
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.auth.jwt_secret = "a secret of the tests that is long enough".to_owned();
        config.worker.lease = Span::seconds(3);
        Self {
            config,
            roles: Roles {
                scheduler: false,
                ..Roles::ALL
            },
            clock: TestClock::running(),
            generator: None,
        }
    }

    /// Changes the configuration.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// What the node does.
    pub(crate) fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// The clock of the node.
    pub(crate) fn clock(mut self, clock: TestClock) -> Self {
        self.clock = clock;
        self
    }

    /// Who makes the questions.
    pub(crate) fn generator(mut self, generator: Arc<dyn QuestionGenerator>) -> Self {
        self.generator = Some(generator);
        self
    }

    /// Starts the node on an empty database.
    pub(crate) async fn start(self, database: Database) -> Server {
        let folder = TempDir::with_prefix("pullit-node-").unwrap();
        self.start_in(Arc::new(Home { database, folder })).await
    }

    /// Starts one more node on the database and the folder of another.
    pub(crate) async fn start_beside(self, other: &Server) -> Server {
        self.start_in(Arc::clone(&other.home)).await
    }

    async fn start_in(mut self, home: Arc<Home>) -> Server {
        // As `serve` does: what is counted before the recorder starts is lost.
        pullit::platform::telemetry::metrics();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.config.listen = address.to_string();
        self.config.data_dir = home.folder.path().to_owned();
        if self.config.database.url.is_empty() {
            // The service adds SQLite's parameters itself.
            let url = home.database.url();
            self.config.database.url = url.split('?').next().unwrap_or(url).to_owned();
        }
        let outside = Outside {
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            generator: self.generator,
            program: PathBuf::from(env!("CARGO_BIN_EXE_pullit")),
        };
        let app = App::build(self.config, outside).await.unwrap();
        let running = Running::start(app.clone(), self.roles, listener)
            .await
            .unwrap();
        let url = format!("http://{address}");
        Server {
            client: Client::new(&url),
            clock: self.clock,
            url,
            app,
            running,
            home,
        }
    }
}

struct Home {
    database: Database,
    folder: TempDir,
}

/// A node that runs in the test's process.
pub(crate) struct Server {
    /// A client that is not signed in.
    pub(crate) client: Client,
    /// The clock of everything but the locks.
    pub(crate) clock: TestClock,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// Everything behind the port.
    pub(crate) app: App,
    running: Running,
    home: Arc<Home>,
}

impl Server {
    /// Starts a node as [`Setup::new`] has it.
    pub(crate) async fn start(database: Database) -> Self {
        Setup::new().start(database).await
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// Signs in, for the first time or again. Each call is a browser of its own.
    pub(crate) async fn member(&self, email: &str) -> Member {
        let client = Client::new(&self.url);
        client.dev_login(email).await;
        let me = client.get("/api/members/me").await.expect(200);
        Member {
            id: me["id"].as_i64().unwrap(),
            client,
        }
    }

    /// Signs in a member who may use the operator's console.
    pub(crate) async fn admin(&self, email: &str) -> Member {
        let member = self.member(email).await;
        self.change(
            "UPDATE member SET role = 'ADMIN' WHERE id = $1",
            vec![member.id.into()],
        )
        .await;
        member
    }

    /// A one-time link of the first operator, who is made.
    pub(crate) async fn first_link(&self) -> String {
        let link = self.app.auth.make_first_link("test").await.unwrap();
        format!("/auth/link?token={}", link.unwrap().token)
    }

    /// Runs a job by hand, to its end.
    ///
    /// # Panics
    /// When it cannot run. A run that failed is no panic: see its status.
    #[track_caller]
    pub(crate) fn run(&self, job: &str) -> impl Future<Output = Run> {
        let ran = self.app.scheduler.run_now(job);
        async move { ran.await.unwrap() }
    }

    /// Runs a job by hand and expects it to succeed; how many things it changed.
    ///
    /// # Panics
    /// When it cannot run or fails.
    pub(crate) async fn ran(&self, job: &str) -> u64 {
        let run = self.run(job).await;
        assert_eq!(run.error, None, "{job} failed");
        run.affected
    }

    /// The folder of the node.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.home.folder.path()
    }

    /// The database, for a connection that is none of the node's.
    pub(crate) fn database(&self) -> &Database {
        &self.home.database
    }
}
