//! An upgrade replaces and deletes the binary of a running server, which goes on reading documents.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::http::Client;
use testkit::process::Pullit;

use crate::support::Member;
use crate::support::files::EXAMPLES;

/// By a process of its own: a file cannot be run while a child of another test has it open for writing.
fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Something else gets the name of the binary, in one step, as package managers do it.
fn replace(binary: &Path) {
    let other = binary.with_extension("new");
    std::fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&other, Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&other, binary).unwrap();
}

#[tokio::test]
async fn documents_are_read_after_the_binary_was_replaced_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("pullit");
    copy(Path::new(env!("CARGO_BIN_EXE_pullit")), &binary);
    let mut node = Pullit::command(&binary).start().await;
    let client = Client::new(node.base_url());
    client.dev_login("one@example.com").await;
    let id = client.get("/api/members/me").await.expect(200)["id"].as_i64();
    let id = id.unwrap();
    let member = Member { id, client };

    replace(&binary);
    for (what, example) in ["replaced", "deleted"].into_iter().zip(EXAMPLES) {
        if what == "deleted" {
            std::fs::remove_file(&binary).unwrap();
        }
        let source = member
            .upload(example.name, example.content_type, example.bytes)
            .await;
        let source = member.read_source(source).await;
        assert_eq!(source["status"], "READY", "the binary is {what}: {source}");
    }
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
}
