//! A shell script stands in for the service, and a server in the test for its HTTP side.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, time::Duration};

use testkit::process::{Command, Pullit};

use crate::stand_in::{StandIn, answer};

const BOUND: Duration = Duration::from_secs(10);

fn shell(script: impl Into<String>) -> Command {
    Pullit::command("/bin/sh").args(["-c".to_owned(), script.into()])
}

/// Announces the address in two writes, like a buffer that is flushed in the middle of a line.
fn announcing(base: &str, rest: &str) -> String {
    let (start, end) = base.split_at(12);
    format!(
        "echo starting; printf 'Pullit is listening on {start}'; printf '{end} (a note)\\n'; {rest}"
    )
}

/// Sleeps in small steps, because a shell handles a signal only between two commands.
const SERVE: &str = "while :; do sleep 0.02; done";

async fn healthy() -> StandIn {
    StandIn::start(|request| {
        assert!(request.starts_with("GET /healthz "));
        answer("200 OK", "", "ok")
    })
    .await
}

fn is_alive(pid: &str) -> bool {
    // A zombie has no command line.
    fs::read(Path::new("/proc").join(pid).join("cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn a_started_process_is_ready_at_the_address_it_announced() {
    let server = healthy().await;
    let pullit = shell(announcing(server.base(), SERVE)).start().await;
    assert_eq!(pullit.base_url(), server.base());
    assert!(pullit.output().starts_with("starting\n"));
}

#[tokio::test]
async fn a_process_is_ready_only_when_healthz_answers_200() {
    let refused = std::sync::atomic::AtomicUsize::new(0);
    let server = StandIn::start(move |_| {
        if refused.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            answer("503 Service Unavailable", "", "")
        } else {
            answer("200 OK", "", "")
        }
    })
    .await;
    shell(announcing(server.base(), SERVE)).start().await;
    assert_eq!(server.count(), 3);
}

#[tokio::test]
#[should_panic(expected = "ended before it was ready: exit status: 2")]
async fn a_process_that_ends_instead_is_told_at_once() {
    shell("echo wrong configuration >&2; exit 2").start().await;
}

#[tokio::test]
#[should_panic(expected = "is not ready after 100ms")]
async fn a_process_that_never_gets_ready_is_told_and_killed() {
    shell(SERVE).bound(Duration::from_millis(100)).start().await;
}

#[tokio::test]
async fn a_dropped_process_is_dead() {
    let server = healthy().await;
    let script = announcing(
        server.base(),
        &format!("echo pid $$ pid; trap '' TERM; {SERVE}"),
    );
    let pullit = shell(script).start().await;
    pullit.wait_for_output(" pid\n", BOUND).await;
    let pid = pullit.output().split(' ').rev().nth(1).unwrap().to_owned();
    assert!(is_alive(&pid));

    drop(pullit);

    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn termination_gives_the_exit_status_of_an_orderly_end() {
    let server = healthy().await;
    let script = format!(
        "trap 'echo bye; exit 7' TERM; {}",
        announcing(server.base(), SERVE)
    );
    let mut pullit = shell(script).start().await;

    assert_eq!(pullit.terminate().await.code(), Some(7));

    pullit.wait_for_output("bye", BOUND).await;
    assert_eq!(
        pullit.terminate().await.code(),
        Some(7),
        "once more does no harm"
    );
}

#[tokio::test]
async fn a_kill_is_a_sigkill_and_a_restart_finds_the_same_folder() {
    let server = healthy().await;
    let script = announcing(server.base(), &format!("echo started >> starts; {SERVE}"));
    let command = shell(script);
    let starts = command.folder().join("starts");
    let mut pullit = command.start().await;
    testkit::wait::until("it has written", BOUND, async || {
        fs::read_to_string(&starts).is_ok_and(|text| text == "started\n")
    })
    .await;

    pullit.kill_9();

    let status = pullit.exited(BOUND).await;
    assert_eq!(status.signal(), Some(9));
    let _again = pullit.restartable().start().await;
    testkit::wait::until("it has written again", BOUND, async || {
        fs::read_to_string(&starts).unwrap() == "started\nstarted\n"
    })
    .await;
}

#[tokio::test]
async fn a_paused_process_stands_still_until_it_is_resumed() {
    let server = healthy().await;
    let script = format!("trap 'exit 3' TERM; {}", announcing(server.base(), SERVE));
    let mut pullit = shell(script).start().await;

    pullit.pause();
    assert!(
        tokio::time::timeout(Duration::from_millis(200), pullit.terminate())
            .await
            .is_err()
    );
    pullit.resume();

    assert_eq!(pullit.exited(BOUND).await.code(), Some(3));
}

#[tokio::test]
async fn a_command_that_runs_to_its_end_leaves_its_output_and_code() {
    let finished = Pullit::command("/bin/sh")
        .run(["-c", "echo '{\"a\": 1}'; echo log >&2; exit 3"])
        .await;
    assert_eq!(finished.status.code(), Some(3));
    assert_eq!(finished.json()["a"], 1);
    assert_eq!(finished.stderr, "log\n");
}

#[tokio::test]
#[should_panic(expected = "has not ended after 100ms")]
async fn a_command_that_does_not_end_is_told() {
    Pullit::command("/bin/sh")
        .bound(Duration::from_millis(100))
        .run(["-c", SERVE])
        .await;
}

#[tokio::test]
async fn a_process_sees_its_own_settings_and_none_of_the_tests() {
    let finished = Pullit::command("/bin/sh")
        .env("PULLIT_ZONE", "UTC")
        .config("zone = \"Asia/Seoul\"\n")
        .run(["-c", "env | grep ^PULLIT_ | sort; cat pullit.toml; pwd"])
        .await;
    let lines: Vec<&str> = finished.stdout.lines().collect();
    let [
        data_dir,
        "PULLIT_LISTEN=127.0.0.1:0",
        "PULLIT_ZONE=UTC",
        "zone = \"Asia/Seoul\"",
        folder,
    ] = lines[..]
    else {
        panic!("{lines:?}");
    };
    assert_eq!(data_dir, format!("PULLIT_DATA_DIR={folder}/data"));
}
