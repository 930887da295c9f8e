//! A log that cannot be written costs its lines, and nothing else.

use testkit::Database;
use testkit::http::Client;
use testkit::process::Pullit;
use testkit::wait;

use crate::support::{BOUND, Member, files};

/// What standard error is, how a shell makes it so, and whether lines are lost at once.
const LOGS: [(&str, &str, bool); 3] = [
    ("a full disk", "exec \"$0\" serve 2>/dev/full", true),
    (
        "a pipe whose reader has gone",
        "exec \"$0\" serve 2> >(:)",
        true,
    ),
    (
        "a full pipe that nobody reads",
        "mkfifo log; exec 3<>log; head -c 65536 /dev/zero >&3; exec \"$0\" serve 2>&3",
        false,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_stops_neither_requests_nor_the_relay() {
    for (log, script, lost) in LOGS {
        let db = Database::sqlite();
        let binary = env!("CARGO_BIN_EXE_pullit");
        let node = Pullit::command("/bin/bash")
            .args(["-c", script, binary])
            .env(
                "PULLIT_DATABASE__URL",
                db.url().trim_end_matches("?mode=rwc"),
            )
            .start()
            .await;
        let client = Client::new(node.base_url());
        client.dev_login("one@example.com").await;
        let me = client.get("/api/members/me").await.expect(200);
        let member = Member {
            id: me["id"].as_i64().unwrap(),
            client,
        };
        let source = member
            .upload("cells.txt", files::TEXT, files::ENGLISH.as_bytes())
            .await;
        member.read_source(source).await;
        let set = member.ask(&[source], "TRUE_FALSE", 3).await;
        member.made_set(set).await.expect(200);
        assert_eq!(
            member.client.get("/readyz").await.expect(200)["ready"],
            true,
            "{log}"
        );
        wait::until(
            &format!("it is counted what {log} did not take"),
            BOUND,
            async || {
                let metrics = member.client.get("/metrics").await.text;
                let counted = "log_lines_dropped_total ";
                let dropped = metrics.lines().find_map(|line| line.strip_prefix(counted));
                dropped.is_some_and(|lines| (lines != "0") == lost)
            },
        )
        .await;
    }
}
