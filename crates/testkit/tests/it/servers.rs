//! Servers of a test's own: what was confirmed survives their crash, and nothing survives their end.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use ground::Statements;
use reqwest::Url;
use testkit::{postgres, server};

const BOUND: Duration = Duration::from_secs(10);

fn port(url: &str) -> u16 {
    Url::parse(url).unwrap().port().unwrap()
}

/// The processes that have this among their words or in their environment.
fn processes_with(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let text = |name| {
            let bytes = fs::read(process.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        if text("cmdline").contains(mark) || text("environ").contains(mark) {
            found.push(text("cmdline"));
        }
    }
    found
}

/// What a broker says first to whom speaks its protocol.
fn greets(url: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port(url))) else {
        return false;
    };
    stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).is_ok() && frame[0] == 1
}

#[tokio::test]
async fn a_postgres_of_ones_own_keeps_what_was_committed_through_a_crash() {
    let mut server = server::Postgres::start().await;
    let database = postgres::Database::create_on(&server.url()).await;
    let connection = database.connect().await;
    for statement in ["CREATE TABLE t (id BIGINT)", "INSERT INTO t VALUES (1)"] {
        connection.script(statement).await.unwrap();
    }

    server.restart().await;

    let select = "SELECT COUNT(*) FROM t";
    let again = database.connect().await;
    let count = again.scalar::<i64, _>(select, vec![]).await.unwrap();
    assert_eq!(count, Some(1));

    let mark = format!("postgres -D data -p {} ", port(&server.url()));
    assert_eq!(processes_with(&mark).len(), 1);
    drop(server);
    assert_eq!(processes_with(&mark), [""; 0]);
}

#[tokio::test]
async fn a_rabbitmq_of_ones_own_comes_back_after_a_crash_and_leaves_nothing_behind() {
    let mut server = server::RabbitMq::start(&["one", "two"]).await;
    let url = server.url("two");
    assert!(url.ends_with("/two"));
    assert!(greets(&url));

    server.crash().await;
    assert!(!greets(&url));
    server.restart().await;
    assert!(greets(&url));

    let mark = format!("pullit-{}@localhost", port(&url));
    // Node, name server, and what the node starts for itself.
    assert!(processes_with(&mark).len() >= 2);
    drop(server);
    testkit::wait::until("nothing of it runs", BOUND, async || {
        processes_with(&mark).is_empty()
    })
    .await;
    assert!(!greets(&url));
}
