//! What those see who watch over the service, and the manners of the HTTP edge.

use crate::support::Server;

testkit::on_each_database! {
    async fn a_node_that_can_work_is_alive_and_ready(db: testkit::Database) {
        let server = Server::start(db).await;
        assert_eq!(server.client.get("/healthz").await.text, "ok");
        let ready = server.client.get("/readyz").await.expect(200);
        assert_eq!(ready, serde_json::json!({"ready": true, "database": "up", "storage": "up", "broker": "up"}));
        server.stop().await;
    }
}
