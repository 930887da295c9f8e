//! Who uses SeaORM publishes in a transaction of theirs.

use ::sea_orm::{ConnectOptions, TransactionTrait};
use outbox::{NewEvent, sea_orm};
use serde_json::json;

use crate::support::{Ledger, Outbox, report, run};

testkit::on_each_database! {
    async fn an_event_published_with_sea_orm_is_there_if_and_only_if_its_transaction_commits(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let mut options = ConnectOptions::new(outbox.database.url());
        options.max_connections(1).sqlx_logging(false);
        let theirs = ::sea_orm::Database::connect(options).await.unwrap();
        let event = |key: &str| NewEvent::new("A", key, json!({ "이름": "값" }));

        let tx = theirs.begin().await.unwrap();
        sea_orm::publish(&tx, event("undone"), outbox.now()).await.unwrap();
        tx.rollback().await.unwrap();
        let tx = theirs.begin().await.unwrap();
        let event_id = sea_orm::publish(&tx, event("k"), outbox.now()).await.unwrap();
        let more = vec![event("k"), event("l")];
        assert_eq!(sea_orm::publish_all(&tx, more, outbox.now()).await.unwrap(), 2);
        tx.commit().await.unwrap();

        let stored = outbox.stored().await;
        let keys: Vec<_> = stored.iter().map(|event| event.aggregate_key.as_str()).collect();
        assert_eq!(keys, ["k", "k", "l"]);
        assert_eq!(stored[0].event_id, event_id.to_string());
        assert!((stored[0].created_at - outbox.now()).abs() < chrono::TimeDelta::milliseconds(1));
        let ledger = Ledger::new();
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        assert_eq!(run(&relay).await, report(3, 0, 0));
    }
}
