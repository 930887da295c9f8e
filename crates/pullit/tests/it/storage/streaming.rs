//! The largest file, and how little of it is ever in memory.

use std::time::Duration;

use futures::stream;
use serde_json::json;
use testkit::http::Client;
use testkit::process::Pullit;

use super::{World, key, text};
use crate::support::files::TEXT;
use crate::support::s3::S3Server;

const LARGEST: usize = 50 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;
/// Far less than the file, far more than what one upload needs.
const GROWTH_KIB: u64 = 24 * 1024;

/// The most memory that a process has ever had, in KiB.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn put_largest(url: &str) -> u16 {
    let chunks =
        (0..LARGEST / CHUNK).map(|n| Ok::<_, std::io::Error>(vec![b'a' + (n % 26) as u8; CHUNK]));
    let answer = testkit::http::direct()
        .put(url)
        .header("content-type", TEXT)
        .header("content-length", LARGEST)
        .body(reqwest::Body::wrap_stream(stream::iter(chunks)))
        .timeout(Duration::from_secs(120))
        .send()
        .await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_folder_takes_the_largest_file_without_holding_it_in_memory() {
    let command = Pullit::command(env!("CARGO_BIN_EXE_pullit")).args(["serve"]);
    let node = command.env("PULLIT_LISTEN", "127.0.0.1:0").start().await;
    let client = Client::new(node.base_url());
    client.dev_login("a@pullit.test").await;
    let ask = json!({"fileName": "a.txt", "contentType": TEXT, "fileSize": LARGEST});
    let ticket = client
        .post("/api/learning/source/upload", &ask)
        .await
        .expect(200);
    let before = peak_memory(node.id());
    assert_eq!(put_largest(text(&ticket, "uploadUrl")).await, 200);
    let grown = peak_memory(node.id()) - before;
    assert!(grown < GROWTH_KIB, "{grown} KiB more for one upload");
}

#[tokio::test]
async fn the_largest_object_on_s3_comes_whole_into_a_file_that_goes_when_it_was_read() {
    let world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let ticket = member.ticket("a.txt", TEXT, LARGEST).await;
    assert_eq!(put_largest(text(&ticket, "uploadUrl")).await, 200);
    let storage = &world.server.app.storage;
    let key = key(text(&ticket, "filePath"));
    let meta = storage.head(&key).await.unwrap().unwrap();
    let object = storage.open(&key, Some(&meta.etag)).await.unwrap();
    let file = object.path().to_owned();
    assert!(file.starts_with(world.server.folder()));
    assert_eq!(
        std::fs::read(&file).unwrap(),
        std::fs::read(world.object(key.as_str())).unwrap()
    );
    drop(object);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_node_takes_its_keys_from_the_usual_chain_and_shows_no_secret() {
    let s3 = S3Server::start();
    let mut command = Pullit::command(env!("CARGO_BIN_EXE_pullit"));
    for (name, value) in s3.environment() {
        command = command.env(name, &value);
    }
    let node = command
        .env("PULLIT_LISTEN", "127.0.0.1:0")
        .args(["serve"])
        .start()
        .await;
    let client = Client::new(node.base_url());
    assert_eq!(client.get("/readyz").await.expect(200)["storage"], "up");
    assert!(!node.output().contains(crate::support::s3::SECRET_KEY));
}
