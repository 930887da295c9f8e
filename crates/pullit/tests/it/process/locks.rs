//! Releasing the lock of a dead holder from the command line.

use ground::{Database, Statements};
use serde_json::{Value, json};

use super::{expect, on, refused};

const JOB: &str = "pruneHistory";

async fn dead_holder(db: &Database) {
    let insert = format!(
        "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) \
         VALUES ('{JOB}', '2099-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00', 'node-7:tail')"
    );
    db.script(&insert).await.unwrap();
}

async fn audit(command: &testkit::process::Command) -> Vec<Value> {
    let audit = command.run(["locks", "audit", "--json"]).await;
    expect(&audit, 0);
    audit.json().as_array().unwrap().clone()
}

testkit::on_each_database! {
    async fn a_released_lock_is_free_and_the_audit_says_who_did_it(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        dead_holder(&rows).await;
        refused(&command.run(["jobs", "run", JOB]).await, 3, "node-7:tail");
        let released = command.run(["locks", "release", JOB, "--yes"]).await;
        expect(&released, 0);
        for said in ["node-7:tail", "2026-01-01", "2099-01-01", "is free"] {
            assert!(released.stdout.contains(said), "{said}: {released:#?}");
        }
        let entries = audit(&command).await;
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!((&entry["name"], &entry["lockedBy"]), (&json!(JOB), &json!("node-7:tail")));
        assert_eq!(entry["released"], true);
        assert!(entry["actor"].as_str().unwrap().contains('@'), "{entry}");
        // The dead holder's token is behind for good, and the job runs.
        let token: Option<i64> = rows.scalar("SELECT token FROM shedlock_fence WHERE name = 'pruneHistory'", vec![]).await.unwrap();
        assert_eq!(token, Some(1));
        expect(&command.run(["jobs", "run", JOB]).await, 0);
        let table = command.run(["locks", "audit"]).await;
        assert!(table.stdout.contains("node-7:tail"), "{table:#?}");
    }

    async fn without_a_terminal_or_a_yes_no_lock_is_released(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        dead_holder(&db.connect().await).await;
        refused(&command.run(["locks", "release", JOB]).await, 2, "--yes");
        refused(&command.run(["jobs", "run", JOB]).await, 3, "node-7:tail");
        assert!(audit(&command).await.is_empty());
    }

    async fn a_lock_that_nobody_holds_is_not_released(db: testkit::Database) {
        let command = on(&db);
        for name in [JOB, "makeCoffee"] {
            refused(&command.run(["locks", "release", name, "--yes"]).await, 1, name);
        }
        assert!(audit(&command).await.is_empty());
    }
}
