//! `kill -9` at moments that nobody chose: after the last restart everything has come to its end, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ground::Statements;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::Database;
use testkit::http::{Client, Method};
use testkit::process::Command;

use super::on;

const ROUNDS: usize = 8;
/// Answers until a member has asked for everything: the sign-in, and three for each of two uploads with two sets each.
const ASKED: usize = 1 + 2 * (3 + 2);
const TIMEOUT: Duration = Duration::from_secs(120);
const PDF: &[u8] = include_bytes!("../../../../../examples/solar-system.en.pdf");
const TEXT: &[u8] = include_bytes!("../../../../../examples/operating-systems.ko.md");

/// What the server said yes to.
#[derive(Default)]
struct Promised {
    sources: Vec<i64>,
    sets: Vec<i64>,
}

/// A member at work with a server that may die at any moment: every answer counts one.
struct Member {
    client: Client,
    answers: Arc<AtomicUsize>,
}

impl Member {
    /// An answer; none when the server is dead.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Value> {
        let mut request = self.client.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.try_send().await.ok()?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        Some(answer.json)
    }

    async fn upload(&self, name: &str, content_type: &str, bytes: &[u8]) -> Option<i64> {
        let request =
            json!({"fileName": name, "contentType": content_type, "fileSize": bytes.len()});
        let ticket = self
            .ask(Method::POST, "/api/learning/source/upload", Some(&request))
            .await?;
        let put = self
            .client
            .request(Method::PUT, ticket["uploadUrl"].as_str()?)
            .bytes(content_type, bytes);
        put.try_send().await.ok()?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        let done = self
            .ask(
                Method::POST,
                "/api/learning/source/upload-complete",
                Some(&ticket),
            )
            .await?;
        done["id"].as_i64()
    }

    /// Uploads, asks for sets of what was just uploaded, and looks at them until the server dies.
    async fn study(&self, promised: &mut Promised) -> Option<()> {
        let login = json!({"email": "one@example.com"});
        let token = self
            .ask(Method::POST, "/auth/dev-login", Some(&login))
            .await?;
        self.client.set_bearer(token["accessToken"].as_str());
        for (name, content_type, bytes) in [
            ("solar.pdf", "application/pdf", PDF),
            ("os.md", "text/markdown", TEXT),
        ] {
            let source = self.upload(name, content_type, bytes).await?;
            promised.sources.push(source);
            for kind in ["TRUE_FALSE", "SHORT_ANSWER"] {
                let asked = json!({"difficulty": "MEDIUM", "questionCount": 3, "type": kind, "sourceIds": [source]});
                let set = self
                    .ask(Method::POST, "/api/question-set", Some(&asked))
                    .await?;
                promised.sets.push(set["id"].as_i64()?);
            }
        }
        loop {
            self.ask(Method::GET, "/api/question-set/all", None).await?;
        }
    }
}

/// Starts the server, lets the member work, and kills it after so many answers.
async fn round(command: &Command, answers_until_death: usize, promised: &mut Promised) {
    let mut node = command.start().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let member = Member {
        client: Client::new(node.base_url()),
        answers: Arc::clone(&answers),
    };
    let killing = async {
        testkit::wait::until("the server has answered so often", TIMEOUT, async || {
            answers.load(Ordering::Relaxed) >= answers_until_death
        })
        .await;
        node.kill_9();
    };
    tokio::join!(member.study(promised), killing);
}

/// Children that read a document for a server of this folder.
fn readers(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = process.path();
        let here = std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let line = std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        if here && line.split('\0').nth(1) == Some("extract") {
            found.push(line.replace('\0', " "));
        }
    }
    found
}

async fn number(db: &ground::Database, select: &str) -> i64 {
    let sql = format!("SELECT CAST(({select}) AS BIGINT)");
    let number = db.scalar(AssertSqlSafe(sql), vec![]).await;
    number.unwrap().unwrap()
}

/// Waits until nothing is under way any more.
async fn settled(db: &Database) {
    let rows = db.connect().await;
    let open = "SELECT (SELECT count(*) FROM source WHERE status IN ('UPLOADED', 'PROCESSING')) \
                + (SELECT count(*) FROM question_set WHERE status = 'PENDING') \
                + (SELECT count(*) FROM outbox_event) + (SELECT count(*) FROM work_item)";
    testkit::wait::until("nothing is under way any more", TIMEOUT, async || {
        number(&rows, open).await == 0
    })
    .await;
}

/// A node that notices soon that another is dead.
fn node(db: &Database) -> Command {
    on(db)
        .env("PULLIT_WORKER__LEASE", "1s")
        .env("PULLIT_JOBS__RELAYOUTBOXEVENTS__LEASE", "1s")
}

/// Whatever was promised is there, and whatever is there has come to its end, once.
async fn check(db: &Database, promised: &Promised) {
    let rows = db.connect().await;
    for (table, promised) in [
        ("source", &promised.sources),
        ("question_set", &promised.sets),
    ] {
        for id in promised {
            let kept = number(
                &rows,
                &format!("SELECT count(*) FROM {table} WHERE id = {id}"),
            )
            .await;
            assert_eq!(kept, 1, "{table} {id} was promised");
        }
    }
    let wrong_number = "SELECT count(*) FROM question_set s WHERE (SELECT count(*) FROM question q WHERE q.question_set_id = s.id) \
                        <> CASE WHEN s.status = 'COMPLETE' THEN s.question_length ELSE 0 END";
    assert_eq!(
        number(&rows, wrong_number).await,
        0,
        "sets with questions too many or too few"
    );
    let (set, success) = match db {
        Database::Sqlite(_) => (
            "n.payload ->> 'questionSetId'",
            "n.payload ->> 'success' = 1",
        ),
        Database::Postgres(_) => (
            "(n.payload ->> 'questionSetId')::bigint",
            "(n.payload ->> 'success')::boolean",
        ),
    };
    let told = format!("(SELECT count(*) FROM notification n WHERE {set} = s.id AND {success})");
    let wrongly_told = format!(
        "SELECT count(*) FROM question_set s WHERE {told} <> CASE WHEN s.status = 'COMPLETE' THEN 1 ELSE 0 END"
    );
    assert_eq!(
        number(&rows, &wrongly_told).await,
        0,
        "sets that were told of not exactly once"
    );
    let (all, complete) = (
        number(&rows, "SELECT count(*) FROM question_set").await,
        number(
            &rows,
            "SELECT count(*) FROM question_set WHERE status = 'COMPLETE'",
        )
        .await,
    );
    assert!(
        complete * 2 > all,
        "{complete} of {all} sets are COMPLETE: the crashes cost more than they may"
    );
    assert_eq!(
        number(&rows, "SELECT count(*) FROM source WHERE status = 'FAILED'").await,
        0
    );
}

testkit::on_each_database! {
    #![tokio_test(flavor = "multi_thread", worker_threads = 2)]

    async fn whatever_moment_the_server_is_killed_at_everything_comes_to_its_end_once(db: testkit::Database) {
        let command = node(&db);
        let mut dice = StdRng::seed_from_u64(20_261_122);
        let mut promised = Promised::default();
        for _ in 0..ROUNDS {
            round(&command, dice.random_range(2..60), &mut promised).await;
        }
        assert!(promised.sets.len() >= ROUNDS, "{} sets were asked for", promised.sets.len());

        let mut node = command.start().await;
        settled(&db).await;
        testkit::wait::until("no document is read any more", TIMEOUT, async || readers(command.folder()).is_empty()).await;
        assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
        check(&db, &promised).await;
    }

    async fn a_server_that_is_asked_to_end_gives_its_work_back(db: testkit::Database) {
        let command = node(&db);
        let mut promised = Promised::default();
        let mut first = command.start().await;
        let answers = Arc::new(AtomicUsize::new(0));
        let member = Member { client: Client::new(first.base_url()), answers: Arc::clone(&answers) };
        let ending = async {
            testkit::wait::until("everything is asked for", TIMEOUT, async || answers.load(Ordering::Relaxed) >= ASKED).await;
            first.terminate().await
        };
        let (_, status) = tokio::join!(member.study(&mut promised), ending);
        assert_eq!(status.code(), Some(0), "{}", first.output());
        assert!(readers(command.folder()).is_empty());
        let rows = db.connect().await;
        let held = "SELECT (SELECT count(*) FROM source WHERE status = 'PROCESSING') \
                    + (SELECT count(*) FROM work_item WHERE leased_by IS NOT NULL)";
        assert_eq!(number(&rows, held).await, 0, "work that nobody does is held by nobody");

        let mut second = command.start().await;
        settled(&db).await;
        assert_eq!(second.terminate().await.code(), Some(0));
        check(&db, &promised).await;
    }
}

/// SIGSTOP in the middle of an SQLite write would hold the file's one lock for as long: a matter of that database, not of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_sleeps_or_dies_is_stood_in_for_and_what_it_does_when_it_wakes_changes_nothing()
{
    let db = Database::postgres().await;
    let command = node(&db);
    let mut promised = Promised::default();
    let mut sleeper = command.start().await;
    let mut other = command.start().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let member = Member {
        client: Client::new(other.base_url()),
        answers: Arc::clone(&answers),
    };
    let studying = tokio::spawn(async move {
        member.study(&mut promised).await;
        promised
    });
    testkit::wait::until("everything is asked for", TIMEOUT, async || {
        answers.load(Ordering::Relaxed) >= ASKED
    })
    .await;
    let rows = db.connect().await;
    let in_a_transaction = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                            AND state LIKE 'idle in transaction%'";
    testkit::wait::until("it sleeps outside a transaction", TIMEOUT, async || {
        sleeper.pause();
        let outside = number(&rows, in_a_transaction).await == 0;
        if !outside {
            sleeper.resume();
        }
        outside
    })
    .await;
    settled(&db).await;
    sleeper.resume();
    let ready = Client::new(sleeper.base_url()).get("/readyz").await;
    assert_eq!(ready.expect(200)["ready"], true);

    // Now the other one dies, with the rest of the work.
    let more = Member {
        client: Client::new(other.base_url()),
        answers: Arc::new(AtomicUsize::new(0)),
    };
    let mut later = Promised::default();
    let killing = async {
        testkit::wait::until("everything is asked for", TIMEOUT, async || {
            more.answers.load(Ordering::Relaxed) >= ASKED
        })
        .await;
        other.kill_9();
    };
    tokio::join!(more.study(&mut later), killing);
    settled(&db).await;
    assert_eq!(
        sleeper.terminate().await.code(),
        Some(0),
        "{}",
        sleeper.output()
    );
    let promised = studying.await.unwrap();
    check(&db, &promised).await;
    check(&db, &later).await;
}
