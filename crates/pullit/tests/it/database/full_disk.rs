//! A disk without room: what was acknowledged is there, what was not is refused with a code, and afterwards everything goes on by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ground::Statements;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{Answer, Client};
use testkit::wait;

use super::{member_of, pullit, readiness};
use crate::support::{BOUND, Member};

/// How soon everything goes on when there is room again.
const SOON: Duration = Duration::from_secs(8);
const ROUNDS: usize = 3;
/// Room for some members more.
const LEFT: usize = 256 * 1024;

/// A small disk of its own, unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    fn of(size: &str) -> Self {
        let folder = TempDir::with_prefix("pullit-disk-").unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount.arg(folder.path()).status().unwrap();
        assert!(
            mounted.success(),
            "a test with a small disk must be allowed to mount one: run it as root"
        );
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes the room that is left, but for a little.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut size = 1 << 20;
        let mut all = Vec::new();
        while size >= 512 {
            let mut longer = all.clone();
            longer.resize(all.len() + size, 0_u8);
            if fs::write(&ballast, &longer).is_ok() {
                all = longer;
            } else {
                size /= 2;
            }
        }
        all.truncate(all.len().saturating_sub(LEFT));
        fs::write(&ballast, &all).unwrap();
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// What the node said yes to.
#[derive(Default)]
struct Acknowledged {
    members: Vec<String>,
    sources: Vec<i64>,
}

/// The answer's body, or nothing when the node says with a code that it cannot now.
fn accepted(answer: Answer) -> Option<Value> {
    if answer.status.is_success() {
        return Some(answer.json);
    }
    assert_eq!(answer.status, 503, "{}", answer.text);
    let code = answer.json["code"].as_str().unwrap();
    assert!(matches!(code, "C_008" | "C_011"), "{}", answer.text);
    assert!(!answer.header("retry-after").is_empty());
    None
}

/// Signs new members in, and uploads, until both are refused over and over.
async fn until_refused(
    stranger: &Client,
    member: &Member,
    round: usize,
    acknowledged: &mut Acknowledged,
) {
    let begun = Instant::now();
    let (mut refused, mut number) = ([0; 2], 0);
    while refused.iter().any(|times| *times < 10) {
        assert!(begun.elapsed() < BOUND * 2, "the disk is never full");
        number += 1;
        let email = format!("member-{round}-{number}@example.com");
        // A long name, so that a page is full soon.
        let body = json!({"email": email, "name": "이름".repeat(20)});
        match accepted(stranger.post("/auth/dev-login", &body).await) {
            Some(_) => acknowledged.members.push(email),
            None => refused[0] += 1,
        }
        match upload(member).await {
            Some(source) => acknowledged.sources.push(source),
            None => refused[1] += 1,
        }
    }
}

async fn upload(member: &Member) -> Option<i64> {
    let request = json!({"fileName": "자료.txt", "contentType": "text/plain", "fileSize": 5});
    let asked = member.client.post("/api/learning/source/upload", &request);
    let ticket = accepted(asked.await)?;
    accepted(member.put(&ticket, b"hello").await)?;
    accepted(member.complete(&ticket).await)?["id"].as_i64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_that_a_full_disk_lost_and_all_goes_on_when_there_is_room() {
    let disk = Disk::of("24m");
    let database = disk.path().join("pullit.db");
    let elsewhere = TempDir::new().unwrap();
    let command = pullit().data_dir(elsewhere.path()).env(
        "PULLIT_DATABASE__URL",
        format!("sqlite://{}", database.display()),
    );
    let mut node = command.start().await;
    let member = member_of(&node, "one@example.com").await;
    let client = Client::new(node.base_url());
    let mut acknowledged = Acknowledged::default();
    for round in 0..ROUNDS {
        let ballast = disk.fill();
        until_refused(&client, &member, round, &mut acknowledged).await;
        wait::until("the node is not ready", BOUND, async || {
            readiness(&node).await.status == 503
        })
        .await;

        fs::remove_file(ballast).unwrap();
        let email = format!("again-{round}@example.com");
        let body = json!({"email": email});
        wait::until("members can sign in again", SOON, async || {
            client.post("/auth/dev-login", &body).await.status == 200
        })
        .await;
        acknowledged.members.push(email);
        wait::until("the node is ready again", SOON, async || {
            readiness(&node).await.status == 200
        })
        .await;
        relay_goes_on(&database).await;
    }
    assert!(
        acknowledged.members.len() > ROUNDS && acknowledged.sources.len() > ROUNDS,
        "the disk was full from the beginning"
    );
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());

    let db = ground::sqlite::connect(&database, 1).await.unwrap();
    let check: Option<String> = db.scalar("PRAGMA integrity_check", vec![]).await.unwrap();
    assert_eq!(check.as_deref(), Some("ok"));
    let rows: Vec<String> = db
        .scalars("SELECT email FROM member", vec![])
        .await
        .unwrap();
    let lost: Vec<_> = acknowledged
        .members
        .iter()
        .filter(|email| !rows.contains(email))
        .collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    let rows: Vec<i64> = db.scalars("SELECT id FROM source", vec![]).await.unwrap();
    let lost: Vec<_> = acknowledged
        .sources
        .iter()
        .filter(|id| !rows.contains(id))
        .collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    // A member without a session, or stats without a member, would be half a sign-in. The first start makes the operator.
    let halves = "SELECT COUNT(*) FROM member m
        WHERE m.email <> 'operator@localhost' AND NOT EXISTS (SELECT 1 FROM refresh_token t WHERE t.member_id = m.id)";
    let halves: Option<i64> = db.scalar(halves, vec![]).await.unwrap();
    assert_eq!(
        halves,
        Some(0),
        "members who were made by a sign-in that was refused"
    );
}

/// An event that a script publishes now is taken up by the relay, and put off: nobody knows its type.
async fn relay_goes_on(database: &Path) {
    let db = ground::sqlite::connect(database, 1).await.unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    let publish = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload) VALUES ($1, 'UNKNOWN', $1, '{}')";
    wait::until("a script can publish", SOON, async || {
        db.run(publish, vec![id.as_str().into()]).await.is_ok()
    })
    .await;
    let tried = "SELECT COUNT(*) FROM outbox_event WHERE event_id = $1 AND attempts > 0";
    wait::until("the relay runs again", SOON, async || {
        let found: Option<i64> = db.scalar(tried, vec![id.as_str().into()]).await.unwrap();
        found == Some(1)
    })
    .await;
    db.close().await;
}
