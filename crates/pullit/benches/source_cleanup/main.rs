//! How long `runSourceCleanup` takes for many deleted sources on S3, beside deleting their objects one at a time.
//!
//!     cargo bench -p pullit --bench source_cleanup
//!
//! The job runs whole: lock, fence, pages, objects, rows. What it is compared with takes one source after the other over the same connection
//! settings, its object and then its row; beside them stand the requests alone, without any row. `BENCH_OBJECTS` (10,000) each. The S3 server runs in a process of its own, on files in a temporary folder.
//! Rows are in SQLite, or in PostgreSQL when `PULLIT_TEST_POSTGRES_URL` names a server.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and is told of its size and servers by the environment"
)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measured"
)]

#[path = "../../examples/s3-server.rs"]
mod s3_server;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use ground::Statements;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStoreExt, PutPayload};
use pullit::app::{App, Outside};
use pullit::platform::config::Config;
use pullit::platform::storage::ObjectKey;
use scheduler::SystemClock;
use tempfile::TempDir;

const BUCKET: &str = "bench";
const KEYS: [&str; 2] = ["key", "a secret of the benchmark"];

struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start(root: &Path) -> Self {
        std::fs::create_dir(root.join(BUCKET)).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("s3-server")
            .arg(root)
            .arg(&address)
            .args(KEYS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "listening");
        Self {
            process,
            endpoint: format!("http://{address}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn path(group: &str, n: usize) -> String {
    format!(
        "learning-sources/2026/11/{:02}/member-1/{group}-{n}.txt",
        n % 28 + 1
    )
}

async fn put_objects(server: &Server, group: &str, count: usize) {
    let store = AmazonS3Builder::new()
        .with_endpoint(&server.endpoint)
        .with_bucket_name(BUCKET)
        .with_region("us-east-1")
        .with_access_key_id(KEYS[0])
        .with_secret_access_key(KEYS[1])
        .with_allow_http(true)
        .build()
        .unwrap();
    let puts = (0..count).map(|n| {
        let (store, path) = (&store, path(group, n).into());
        async move {
            store
                .put(&path, PutPayload::from_static(b"notes"))
                .await
                .unwrap()
        }
    });
    stream::iter(puts)
        .buffer_unordered(16)
        .for_each(async |_| {})
        .await;
}

async fn app(server: &Server, folder: &Path, database: &testkit::Database) -> App {
    let mut config = Config {
        data_dir: folder.to_owned(),
        ..Config::default()
    };
    config.database.url = database.url().split('?').next().unwrap().to_owned();
    config.storage.url = format!("s3://{BUCKET}");
    config.storage.endpoint = server.endpoint.clone();
    [config.storage.access_key, config.storage.secret_key] = KEYS.map(str::to_owned);
    let outside = Outside {
        clock: Arc::new(SystemClock),
        generator: None,
        program: "pullit".into(),
    };
    App::build(config, outside).await.unwrap()
}

async fn member(app: &App) {
    let member = "INSERT INTO member (id, name, email) VALUES (1, 'bench', 'bench@pullit.test')";
    app.db.write().run(member, vec![]).await.unwrap();
}

async fn deleted_sources(app: &App, group: &str, count: usize) {
    let source = "INSERT INTO source (member_id, original_name, content_type, file_path, file_size_bytes, status) \
                  VALUES (1, 'notes.txt', 'text/plain', $1, 5, 'DELETED')";
    let mut tx = app.db.begin().await.unwrap();
    for n in 0..count {
        tx.run(source, vec![path(group, n).into()]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn measure(count: usize) {
    let (root, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let database = match std::env::var_os("PULLIT_TEST_POSTGRES_URL") {
        Some(_) => testkit::Database::postgres().await,
        None => testkit::Database::sqlite(),
    };
    let server = Server::start(root.path());
    let app = app(&server, folder.path(), &database).await;
    member(&app).await;
    for group in ["one", "bulk", "each", "job"] {
        put_objects(&server, group, count).await;
    }

    let started = Instant::now();
    for n in 0..count {
        let key: ObjectKey = path("one", n).parse().unwrap();
        app.storage.delete(&key).await.unwrap();
    }
    let one = started.elapsed();

    let keys = (0..count).map(|n| path("bulk", n).parse().unwrap());
    let keys = keys.collect::<Vec<ObjectKey>>();
    let started = Instant::now();
    for page in keys.chunks(1_000) {
        for answer in app.storage.delete_many(page).await {
            answer.unwrap();
        }
    }
    let bulk = started.elapsed();

    deleted_sources(&app, "each", count).await;
    let ids = app
        .db
        .read()
        .scalars::<i64, _>("SELECT id FROM source ORDER BY id", vec![]);
    let ids = ids.await.unwrap();
    let started = Instant::now();
    for (n, id) in ids.into_iter().enumerate() {
        let key: ObjectKey = path("each", n).parse().unwrap();
        app.storage.delete(&key).await.unwrap();
        let row = "DELETE FROM source WHERE id = $1 AND status = 'DELETED'";
        let gone = app.db.write().run(row, vec![id.into()]).await;
        assert_eq!(gone.unwrap(), 1);
    }
    let each = started.elapsed();

    deleted_sources(&app, "job", count).await;
    let started = Instant::now();
    let run = app.scheduler.run_now("runSourceCleanup").await.unwrap();
    let job = started.elapsed();
    assert_eq!((run.affected, run.error), (count as u64, None));
    let left: i64 = app
        .db
        .read()
        .scalar("SELECT COUNT(*) FROM source", vec![])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left, 0);

    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    println!("{count} objects on an S3 server of this machine:");
    println!(
        "  one DELETE after the other   {:8.2} s   {:8.0} objects/s",
        one.as_secs_f64(),
        rate(one)
    );
    println!(
        "  DeleteObjects, 1,000 a time  {:8.2} s   {:8.0} objects/s",
        bulk.as_secs_f64(),
        rate(bulk)
    );
    println!(
        "  one after the other, with rows {:6.2} s   {:8.0} objects/s",
        each.as_secs_f64(),
        rate(each)
    );
    println!(
        "  runSourceCleanup, with rows  {:8.2} s   {:8.0} objects/s",
        job.as_secs_f64(),
        rate(job)
    );
    println!(
        "  {:.1} times as fast as one after the other (target: 10); the requests alone: {:.1} times",
        each.as_secs_f64() / job.as_secs_f64(),
        one.as_secs_f64() / bulk.as_secs_f64()
    );
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("s3-server") {
        return s3_server::main();
    }
    let count = std::env::var("BENCH_OBJECTS").map_or(10_000, |text| text.parse().unwrap());
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(measure(count));
}
