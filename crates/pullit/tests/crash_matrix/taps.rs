//! Triggers that write down what was committed: rows of the database's own, in the transaction that they tell of. The
//! service knows nothing of them, and what it rolls back leaves no trace.

use ground::{Dialects, Statements};
use pullit::platform::db::Db;
use pullit::platform::migrations::migrate;

use crate::plan::MEMBERS;

const TABLES: Dialects = Dialects {
    sqlite: "CREATE TABLE tap_published (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, event_type TEXT NOT NULL, \
               aggregate_key TEXT NOT NULL, payload TEXT NOT NULL); \
             CREATE TABLE tap_settled (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL); \
             CREATE INDEX tap_settled_id ON tap_settled (id); \
             CREATE TABLE tap_work (seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL);",
    postgres: "CREATE TABLE tap_published (id BIGINT PRIMARY KEY, event_id TEXT NOT NULL, event_type TEXT NOT NULL, \
               aggregate_key TEXT NOT NULL, payload TEXT NOT NULL); \
             CREATE TABLE tap_settled (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id BIGINT NOT NULL); \
             CREATE INDEX tap_settled_id ON tap_settled (id); \
             CREATE TABLE tap_work (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id TEXT NOT NULL);",
};

const TRIGGERS: Dialects = Dialects {
    sqlite: "CREATE TRIGGER tap_published AFTER INSERT ON outbox_event BEGIN INSERT INTO tap_published \
               VALUES (NEW.id, NEW.event_id, NEW.event_type, NEW.aggregate_key, NEW.payload); END; \
             CREATE TRIGGER tap_settled AFTER DELETE ON outbox_event BEGIN INSERT INTO tap_settled (id) VALUES (OLD.id); END; \
             CREATE TRIGGER tap_work AFTER INSERT ON work_item BEGIN INSERT INTO tap_work (event_id) VALUES (NEW.event_id); END;",
    postgres: "CREATE FUNCTION tap_published() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tap_published \
               VALUES (NEW.id, NEW.event_id::text, NEW.event_type, NEW.aggregate_key, NEW.payload::text); RETURN NULL; END'; \
             CREATE TRIGGER tap_published AFTER INSERT ON outbox_event FOR EACH ROW EXECUTE FUNCTION tap_published(); \
             CREATE FUNCTION tap_settled() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tap_settled (id) \
               VALUES (OLD.id); RETURN NULL; END'; \
             CREATE TRIGGER tap_settled AFTER DELETE ON outbox_event FOR EACH ROW EXECUTE FUNCTION tap_settled(); \
             CREATE FUNCTION tap_work() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tap_work (event_id) \
               VALUES (NEW.event_id); RETURN NULL; END'; \
             CREATE TRIGGER tap_work AFTER INSERT ON work_item FOR EACH ROW EXECUTE FUNCTION tap_work();",
};

/// Lays the service's tables and the taps, and lets the members in, each with a source.
pub(crate) async fn lay(db: &Db) {
    migrate(db).await.unwrap();
    let c = db.write();
    for script in [TABLES, TRIGGERS] {
        c.script(script.of(db.dialect())).await.unwrap();
    }
    for id in 1..=MEMBERS {
        let insert = "INSERT INTO member (id, name, email) VALUES ($1, $2, $2)";
        let values = vec![id.into(), format!("m{id}@example.com").into()];
        c.run(insert, values).await.unwrap();
        let insert = "INSERT INTO source (id, member_id, original_name, content_type, file_path, file_size_bytes, status) \
                      VALUES ($1, $1, '자료.txt', 'text/plain', $2, 4, 'READY')";
        let values = vec![id.into(), format!("sources/{id}").into()];
        c.run(insert, values).await.unwrap();
        let insert = "INSERT INTO source_text (source_id, content) VALUES ($1, 'text')";
        c.run(insert, vec![id.into()]).await.unwrap();
    }
}
