//! The tool against a small hub.

use std::{path::Path, process::Command};

use serde_json::Value;

const STREAMS: usize = 60;

/// Built with all other examples when the tests of the workspace are.
fn event_server() -> std::path::PathBuf {
    let server = Path::new(env!("CARGO_BIN_EXE_sse-load")).with_file_name("examples/event_server");
    assert!(
        server.exists(),
        "the server is not built: run ./scripts/test, or cargo build -p sse-hub --example event_server"
    );
    server
}

fn sse_load() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sse-load"))
}

#[test]
fn a_small_hub_is_measured_from_end_to_end() {
    let output = sse_load()
        .arg("--server")
        .arg(event_server())
        .args(["--no-peer", "--json", "--rounds=5", "--minutes=0.07"])
        .args([
            "--stalled=5",
            "--stalled-backlog=0.1",
            "--stalled-seconds=0",
        ])
        .args(["--targeted-rate=200", "--targeted-seconds=1"])
        .arg(format!("--connections={STREAMS}"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["connections"], STREAMS);
    let figure = |name: &str| {
        let figure = &report["figures"][name]["ours"];
        figure
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {report:#}"))
    };
    for measured in ["publishedKib", "soakMostKib", "firstMs", "stalledDelay"] {
        assert!(figure(measured) > 0.0, "{measured} in {report:#}");
    }
    assert!(figure("firstMs") <= figure("lastMs"));
    assert!((2_000.0..4_000.0).contains(&figure("gapMedianMs")));
    assert!(figure("targetedMedianMs") <= figure("targetedP99Ms"));
    assert_eq!((figure("damaged"), figure("repeated")), (0.0, 0.0));
    assert!(report["figures"]["lastMs"]["nchan"].is_null());
}

#[test]
fn a_server_that_does_not_start_shows_what_it_wrote() {
    let output = sse_load()
        .args(["--no-peer", "--server", "/bin/ls"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--listen"), "{errors}");
}

#[test]
fn nothing_to_measure_is_a_mistake_of_the_caller() {
    let output = sse_load().arg("--no-peer").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
