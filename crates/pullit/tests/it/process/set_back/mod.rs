//! The real service under a wall clock that is set back: a shim shifts it for one process, and no other clock.

use std::path::PathBuf;
use std::time::Duration;

use ground::Statements;
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::Client;
use testkit::process::Command;

use super::{expect, on};

/// The relay ticks each second, the heartbeat every three; the longest look at the clock is a second.
const SOON: Duration = Duration::from_secs(20);

/// A wall clock to set, for one process.
struct WallClock {
    folder: TempDir,
    shim: PathBuf,
}

impl WallClock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("wall_clock.c");
        let shim = folder.path().join("wall_clock.so");
        std::fs::write(&source, include_str!("wall_clock.c")).unwrap();
        let compiled = std::process::Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&shim, &source])
            .status();
        assert!(compiled.unwrap().success(), "a C compiler is needed");
        let clock = Self { folder, shim };
        clock.shift(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("shift")
    }

    /// Shifts it by so many seconds from what is right. Whoever reads meanwhile reads the old shift or the new one.
    fn shift(&self, seconds: i64) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, seconds.to_string()).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn under(&self, command: Command) -> Command {
        command
            .env("LD_PRELOAD", self.shim.as_os_str())
            .env("WALL_CLOCK_SHIFT", self.file())
    }
}

/// How many runs of the job have succeeded in this process.
async fn runs(client: &Client, job: &str) -> u64 {
    let metrics = client.get("/metrics").await.text;
    let start = format!("scheduler_runs_total{{job=\"{job}\",status=\"SUCCEEDED\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&start));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Waits until relay and heartbeat have each run three times more.
async fn both_go_on(client: &Client, when: &str) {
    for job in ["relayOutboxEvents", "sendHeartbeat"] {
        let before = runs(client, job).await;
        testkit::wait::until(&format!("{job} {when}"), SOON, async || {
            runs(client, job).await >= before + 3
        })
        .await;
    }
}

async fn clock_set_by(client: &Client) -> Value {
    let overview = client.get("/admin/api/overview").await.expect(200);
    overview["clockSetBySeconds"].clone()
}

testkit::on_each_database! {
    async fn nothing_stands_still_when_the_clock_is_set_back(db: testkit::Database) {
        let clock = WallClock::new();
        let command = clock.under(on(&db));
        let created = ["members", "create", "--admin", "--email", "a@example.com", "--name", "A"];
        expect(&command.run(created).await, 0);
        let node = command.start().await;
        let client = Client::new(node.base_url());
        both_go_on(&client, "at first").await;
        let mut shift = 0;
        for step in [5, 600, 9 * 3_600] {
            shift -= step;
            clock.shift(shift);
            both_go_on(&client, &format!("after a step of {step} s")).await;
        }
        node.wait_for_output("the wall clock was set back", SOON).await;
        let link = ["members", "link", "--email", "a@example.com", "--json"];
        let link = node.restartable().run(link).await.json()["url"].clone();
        let (_, token) = link.as_str().unwrap().split_once("/auth/").unwrap();
        client.follow_link(&client.url(&format!("/auth/{token}"))).await;
        assert_eq!(clock_set_by(&client).await, shift);
    }

    async fn a_restart_after_the_step_takes_the_lock_of_the_killed_node(db: testkit::Database) {
        let clock = WallClock::new();
        let command = clock.under(on(&db));
        let mut node = command.start().await;
        both_go_on(&Client::new(node.base_url()), "at first").await;
        node.kill_9();
        clock.shift(-9 * 3_600);
        let node = command.start().await;
        both_go_on(&Client::new(node.base_url()), "after the restart").await;
    }
}

/// The lock's row as a node leaves it that is killed in the middle of a run: taken nine hours ahead, for its lease.
#[tokio::test]
async fn a_lock_that_a_killed_node_left_in_the_future_is_free_after_its_lease() {
    let db = testkit::Database::sqlite();
    let clock = WallClock::new();
    let command = clock.under(on(&db));
    expect(&command.run(["migrate"]).await, 0);
    let rows = db.connect().await;
    let insert = "INSERT INTO shedlock (name, locked_by, locked_at, lock_until) VALUES ('relayOutboxEvents', 'dead:1', \
         strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00', strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 seconds') || '000+00:00')";
    rows.script(insert).await.unwrap();
    clock.shift(-9 * 3_600);
    let node = command.start().await;
    both_go_on(&Client::new(node.base_url()), "once the lease is over").await;
    node.wait_for_output("freed a lock that was taken in the future", SOON)
        .await;
}
