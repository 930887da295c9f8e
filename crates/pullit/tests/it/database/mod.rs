//! The real binary on a database that fails it: a full disk, a standby, a pooler between, a writer in the way of a start.

mod connecting;
mod full_disk;
mod pooler;
mod script_ids;
mod standby;
mod starting;

use testkit::http::{Answer, Client};
use testkit::process::Pullit;

use crate::process::pullit;
use crate::support::Member;

/// Signs in as a member of the node's own database.
async fn member_of(node: &Pullit, email: &str) -> Member {
    let client = Client::new(node.base_url());
    client.dev_login(email).await;
    let me = client.get("/api/members/me").await.expect(200);
    let id = me["id"].as_i64().unwrap();
    Member { id, client }
}

/// What the readiness says, with its status.
async fn readiness(node: &Pullit) -> Answer {
    Client::new(node.base_url()).get("/readyz").await
}
