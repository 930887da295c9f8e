//! What signals do to a node.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use testkit::http::Client;

use super::pullit;
use crate::support::BOUND;

#[tokio::test]
async fn a_terminal_that_is_closed_changes_nothing() {
    let mut node = pullit().start().await;
    node.hang_up();
    node.wait_for_output("SIGHUP changes nothing", BOUND).await;
    Client::new(node.base_url())
        .get("/readyz")
        .await
        .expect(200);
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once() {
    let mut node = pullit().start().await;
    let address = node.base_url().trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /auth/dev-login HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // Answered after it: by now the other request is being read, too.
    Client::new(node.base_url())
        .get("/readyz")
        .await
        .expect(200);
    node.interrupt();
    node.wait_for_output("a second signal ends the node at once", BOUND)
        .await;
    let status = node.terminate().await;
    assert_eq!(status.code(), Some(1), "{}", node.output());
    assert!(
        !node
            .output()
            .contains("still answered at the shutdown's deadline")
    );
}
