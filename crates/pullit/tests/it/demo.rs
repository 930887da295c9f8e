//! `pullit demo`, as a newcomer runs it, without a terminal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// With this folder for its temporary files.
fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullit"));
    command
        .arg("demo")
        .env("TMPDIR", folder)
        // The server is on the loopback address: no proxy has a part in this.
        .env("http_proxy", "http://127.0.0.1:9")
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    command
}

#[test]
fn the_demo_tells_of_each_step_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path()).output().unwrap();
    let account = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{account}\n{errors}");
    assert_eq!(errors, "", "nothing but the account is written");

    let steps = [
        "A private server starts",
        "A member signs in",
        "The member opens the event stream",
        "Two documents are uploaded",
        "Their text is read",
        "The member asks for a question set",
        "The questions are made, and the event stream says so",
        "The questions",
        "The member solves the set, one question wrong on purpose",
        "The learning stats follow",
        "The member asks for another set, and its generation stalls",
        "The clock moves 61 minutes on",
        "The cleanup fails the set",
        "The retry brings it back",
        "The stalled attempt ends after all, too late: its result is dropped",
        "The member solves this set too",
        "Both jobs are on record",
        "The stats in the end",
    ];
    let told: Vec<&str> = account.lines().filter(|line| line.contains('✓')).collect();
    assert_eq!(told.len(), steps.len(), "{account}");
    for (index, (line, step)) in told.iter().zip(steps).enumerate() {
        let head = format!("{:>3} ✓ {step} ", index + 1);
        assert!(line.starts_with(&head), "{line} is not step {head}");
    }
    for told in [
        "409 Q_002",
        "409 Q_003",
        "failure_reason TIMEOUT",
        "retry_count 1",
        "2 of 2 sets solved, 7 questions",
        "All 18 steps happened",
    ] {
        assert!(account.contains(told), "no {told} in\n{account}");
    }
    assert!(
        !account.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_demo_that_finds_no_place_for_its_files_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder.path().join("missing")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("the demonstration cannot be played here"),
        "{errors}"
    );
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // On a busy machine it may come to its end before the signal does.
    let stopped = (0..5).find_map(|_| interrupted(folder.path()));
    let errors = stopped.expect("one of five was interrupted before its end");
    assert!(errors.contains("stopped before its end"), "{errors}");
}

/// Interrupts a demo after its first step. What it says of that, if it was in time.
fn interrupted(folder: &Path) -> Option<String> {
    let mut child = demo(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut account = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = account.find(|line| line.as_ref().is_ok_and(|line| line.contains('✓')));
    assert!(started.is_some());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<_> = account.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{rest:#?}");
    (output.status.code() == Some(1)).then(|| String::from_utf8(output.stderr).unwrap())
}
