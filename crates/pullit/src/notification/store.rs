//! The statements on `notification` and its horizon.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, FromRow, Row, Statements, Value};

use super::settled::Look;

/// A notification as the database has it.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    pub(super) id: i64,
    pub(super) member_id: i64,
    pub(super) event_name: String,
    pub(super) payload: serde_json::Value,
    pub(super) created_at: DateTime<Utc>,
}
ground::from_row!(Notification {
    id,
    member_id,
    event_name,
    payload,
    created_at
});

/// Whose a notification is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) id: i64,
    pub(super) member_id: i64,
}
ground::from_row!(Owned { id, member_id });

/// What is kept around an id that a client says it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retained {
    /// The id is that of a kept notification of the member.
    pub(super) own: bool,
    /// Nothing of the member's with a larger id was ever pruned.
    pub(super) whole: bool,
}
ground::from_row!(Retained { own, whole });

const INSERT: Dialects = Dialects {
    sqlite: "INSERT INTO notification (member_id, event_name, payload, created_at) \
         SELECT value ->> 'memberId', value ->> 'eventName', value -> 'payload', $1 FROM json_each($2) \
         WHERE EXISTS (SELECT 1 FROM member m WHERE m.id = value ->> 'memberId') ORDER BY key",
    postgres: "INSERT INTO notification (member_id, event_name, payload, created_at) \
         SELECT m.id, value ->> 'eventName', value -> 'payload', $1 \
         FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS item (value, place) \
         JOIN member m ON m.id = (value ->> 'memberId')::bigint ORDER BY place",
};
// The statement's snapshot is taken before the locks are read: who wrote then and has no lock now has committed, and the next statement sees
// what. In SQLite the order of the commits is the order of the ids. What was pruned was committed: a table that was emptied takes no id back.
// An id that a script made up, above all that the database has given, counts once it has given them, too: else these would be below it.
const LOOK: Dialects = Dialects {
    sqlite: "SELECT max(coalesce((SELECT max(id) FROM notification), 0), coalesce((SELECT max(pruned_to) FROM notification_horizon), 0)) AS newest, \
             '[]' AS writers",
    postgres: "SELECT greatest((SELECT max(id) FROM notification WHERE id <= (SELECT last_value FROM notification_id_seq)), \
                 (SELECT max(pruned_to) FROM notification_horizon WHERE pruned_to <= (SELECT last_value FROM notification_id_seq)), 0) AS newest, \
             coalesce((SELECT jsonb_agg(DISTINCT virtualtransaction) FROM pg_locks \
                 WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND relation = 'notification'::regclass \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())), '[]')::text AS writers",
};
const OWNERS: &str =
    "SELECT id, member_id FROM notification WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
const BY_IDS: Dialects = Dialects {
    sqlite: "SELECT id, member_id, event_name, payload, created_at FROM notification \
         WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
    postgres: "SELECT id, member_id, event_name, payload, created_at FROM notification \
         WHERE id = ANY ($1) ORDER BY id",
};
const OF_MEMBER: &str = "SELECT id, member_id, event_name, payload, created_at FROM notification \
     WHERE member_id = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4";
const RETAINED: &str = "SELECT EXISTS (SELECT 1 FROM notification WHERE id = $2 AND member_id = $1) AS own, \
     NOT EXISTS (SELECT 1 FROM notification_horizon WHERE member_id = $1 AND pruned_to > $2) AS whole";
const OLD: &str =
    "SELECT id FROM notification WHERE created_at < $1 ORDER BY created_at, id LIMIT $2";
// Both windows follow the index on (member_id, id), so that a batch reads no further than it needs.
const EXCESS: &str = "SELECT id, member_id FROM \
         (SELECT id, member_id, count(*) OVER (PARTITION BY member_id) - row_number() OVER (PARTITION BY member_id ORDER BY id) AS newer \
          FROM notification WHERE member_id >= $1) ranked \
     WHERE newer >= $2 ORDER BY member_id, id LIMIT $3";
const RAISE_HORIZON: Dialects = Dialects {
    sqlite: "INSERT INTO notification_horizon (member_id, pruned_to) \
         SELECT member_id, max(id) FROM notification WHERE id IN (SELECT value FROM json_each($1)) GROUP BY member_id ORDER BY member_id \
         ON CONFLICT (member_id) DO UPDATE SET pruned_to = max(pruned_to, excluded.pruned_to)",
    postgres: "INSERT INTO notification_horizon (member_id, pruned_to) \
         SELECT member_id, max(id) FROM notification \
         WHERE id = ANY ($1) GROUP BY member_id ORDER BY member_id \
         ON CONFLICT (member_id) DO UPDATE SET pruned_to = greatest(notification_horizon.pruned_to, excluded.pruned_to)",
};
const DELETE: Dialects = Dialects {
    sqlite: "DELETE FROM notification WHERE id IN (SELECT value FROM json_each($1))",
    postgres: "DELETE FROM notification WHERE id = ANY ($1)",
};

/// Stores what members are told, in this order. Members who are gone are passed over.
pub(super) async fn insert(
    tx: &mut Connection<'_>,
    rows: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    tx.run(INSERT, vec![now.into(), rows.to_string().into()])
        .await
}

/// The newest id that is committed, and who may still commit a smaller one.
pub(super) async fn look(c: impl Statements<'_>) -> Result<Look, sqlx::Error> {
    struct Seen {
        newest: i64,
        writers: String,
    }
    ground::from_row!(Seen { newest, writers });
    let row = c.row::<Seen, _>(LOOK, Vec::new()).await?;
    let row = row.ok_or_else(|| ground::unexpected("a look at the notifications gave no row"))?;
    let writers: HashSet<String> = serde_json::from_str(&row.writers)
        .map_err(|error| ground::unexpected(format!("pg_locks: {error}")))?;
    Ok(Look {
        newest: row.newest,
        writers,
    })
}

/// Whose the notifications after one id and up to another are, in order.
pub(super) async fn owners(
    c: impl Statements<'_>,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<Owned>, sqlx::Error> {
    c.rows(OWNERS, vec![after.into(), to.into(), limit.into()])
        .await
}

/// These notifications, in order.
pub(super) async fn by_ids(
    c: impl Statements<'_>,
    ids: &[i64],
) -> Result<Vec<Notification>, sqlx::Error> {
    let rows = c.raw_rows(BY_IDS, vec![Value::ids(ids)]).await?;
    Ok(readable(&rows))
}

/// The first of a member's after one id and up to another.
pub(super) async fn of_member(
    c: impl Statements<'_>,
    member_id: i64,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<Notification>, sqlx::Error> {
    let values = vec![member_id.into(), after.into(), to.into(), limit.into()];
    let rows = c.raw_rows(OF_MEMBER, values).await?;
    Ok(readable(&rows))
}

/// A row that a script stored and nobody can read stops no other.
fn readable(rows: &[Row]) -> Vec<Notification> {
    let read = |row: &Row| {
        let read = Notification::from_row(row);
        read.inspect_err(|error| {
            let id: Option<i64> = row.get("id").ok();
            tracing::error!(notification = id, %error, "a stored notification cannot be read, and nobody is told of it; mend or delete its row");
        })
        .ok()
    };
    rows.iter().filter_map(read).collect()
}

/// What is kept around this id.
pub(super) async fn retained(
    c: impl Statements<'_>,
    member_id: i64,
    id: i64,
) -> Result<Retained, sqlx::Error> {
    let row = c.row(RETAINED, vec![member_id.into(), id.into()]).await?;
    row.ok_or_else(|| ground::unexpected("no answer about a notification"))
}

/// The oldest of those stored before a time.
pub(super) async fn old(
    tx: &mut Connection<'_>,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<i64>, sqlx::Error> {
    tx.scalars(OLD, vec![before.into(), i64::from(limit).into()])
        .await
}

/// Those of members from `member` on that have `newest` newer ones of the same member, by member.
pub(super) async fn excess(
    tx: &mut Connection<'_>,
    member: i64,
    newest: u32,
    limit: u32,
) -> Result<Vec<Owned>, sqlx::Error> {
    let values = vec![
        member.into(),
        i64::from(newest).into(),
        i64::from(limit).into(),
    ];
    tx.rows(EXCESS, values).await
}

/// Deletes these notifications and remembers, for each member, up to where; the number deleted.
pub(super) async fn prune(tx: &mut Connection<'_>, ids: &[i64]) -> Result<u64, sqlx::Error> {
    tx.run(RAISE_HORIZON, vec![Value::ids(ids)]).await?;
    tx.run(DELETE, vec![Value::ids(ids)]).await
}
