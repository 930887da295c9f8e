use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use crate::platform::sql::{Dialects, SqlExt};

/// A notification as the database has it.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Notification {
    pub(super) id: i64,
    pub(super) member_id: i64,
    pub(super) event_name: String,
    pub(super) payload: serde_json::Value,
}

const INSERT: Dialects = Dialects {
    sqlite: "INSERT INTO notification (member_id, event_name, payload, created_at) \
         SELECT value ->> 'memberId', value ->> 'eventName', value -> 'payload', $1 FROM json_each($2) \
         WHERE EXISTS (SELECT 1 FROM member m WHERE m.id = value ->> 'memberId') ORDER BY key",
    postgres: "INSERT INTO notification (member_id, event_name, payload, created_at) \
         SELECT m.id, value ->> 'eventName', value -> 'payload', $1 \
         FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS item (value, place) \
         JOIN member m ON m.id = (value ->> 'memberId')::bigint ORDER BY place",
};
const AFTER: &str = "SELECT id, member_id, event_name, payload FROM notification WHERE id > $1 ORDER BY id LIMIT $2";
const OF_MEMBER_AFTER: &str = "SELECT id, member_id, event_name, payload FROM notification \
     WHERE member_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const IS_MEMBERS: &str = "SELECT 1 FROM notification WHERE id = $1 AND member_id = $2";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM notification";
const PRUNE: &str = "DELETE FROM notification WHERE id IN \
     (SELECT id FROM notification WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

/// Stores what members are told, in this order. Members who are gone are passed over.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    rows: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    tx.run(INSERT, vec![now.into(), rows.to_string().into()])
        .await
}

pub(super) async fn after(
    c: &impl ConnectionTrait,
    id: i64,
    limit: i64,
) -> Result<Vec<Notification>, DbErr> {
    c.rows(AFTER, vec![id.into(), limit.into()]).await
}

pub(super) async fn of_member_after(
    c: &impl ConnectionTrait,
    member_id: i64,
    id: i64,
    limit: i64,
) -> Result<Vec<Notification>, DbErr> {
    c.rows(
        OF_MEMBER_AFTER,
        vec![member_id.into(), id.into(), limit.into()],
    )
    .await
}

/// Whether this id is a kept notification of this member.
pub(super) async fn is_members(
    c: &impl ConnectionTrait,
    id: i64,
    member_id: i64,
) -> Result<bool, DbErr> {
    let found = c
        .scalar::<i32, _>(IS_MEMBERS, vec![id.into(), member_id.into()])
        .await?;
    Ok(found.is_some())
}

pub(super) async fn newest(c: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Ok(c.scalar(NEWEST, Vec::new()).await?.unwrap_or_default())
}

pub(super) async fn prune(
    tx: &DatabaseTransaction,
    before: DateTime<Utc>,
    batch: u32,
) -> Result<u64, DbErr> {
    tx.run(PRUNE, vec![before.into(), i64::from(batch).into()])
        .await
}
