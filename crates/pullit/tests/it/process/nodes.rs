//! Many nodes on one database.

use futures::future::join_all;
use testkit::Database;
use testkit::http::Client;

use super::{expect, on};

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_start_and_migrate_at_once_on_one_postgresql() {
    let database = Database::postgres().await;
    let migrating = join_all((0..4).map(async |_| on(&database).run(["migrate"]).await));
    let starting = join_all((0..2).map(async |_| on(&database).start().await));
    let (migrated, nodes) = tokio::join!(migrating, starting);
    for finished in &migrated {
        expect(finished, 0);
    }
    for node in &nodes {
        let client = Client::new(node.base_url());
        assert_eq!(client.get("/readyz").await.expect(200)["ready"], true);
        client.dev_login("one@example.com").await;
    }
    for mut node in nodes {
        assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    }
}

testkit::on_each_database! {
    async fn a_second_migration_finds_nothing_to_do(db: testkit::Database) {
        let command = on(&db);
        let first = command.run(["migrate"]).await;
        expect(&first, 0);
        assert!(first.stdout.contains("service"), "{first:#?}");
        let second = command.run(["migrate"]).await;
        expect(&second, 0);
        assert_eq!(second.stdout, "The tables are up to date.\n");
    }
}
