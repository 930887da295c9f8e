//! Ends the streams of members who may not use the service any more.

use std::time::Duration;

use sse_hub::Hub;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::member::Members;

/// Who was banned on another node, or by a script, loses the open streams of this one within this.
const LOOK: Duration = Duration::from_secs(5);

/// Ends the streams of members who may not use the service any more, until cancelled. Requests ask each time; a stream asked once, when it
/// was opened.
pub async fn evict_banned(hub: Hub<i64>, members: Members, cancel: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(looks.tick()).await.is_some() {
        match timeout(LOOK, look(&hub, &members)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "banned members may keep their streams until the database answers");
            }
            Err(_) => {
                tracing::warn!(
                    "banned members may keep their streams: the database does not answer"
                );
            }
        }
    }
}

async fn look(hub: &Hub<i64>, members: &Members) -> Result<(), sqlx::Error> {
    let connected = hub.connected_keys();
    if connected.is_empty() {
        return Ok(());
    }
    let active = members.active(&connected).await?;
    for member in connected.iter().filter(|member| !active.contains(member)) {
        let streams = hub.disconnect(member, None);
        tracing::info!(
            member,
            streams,
            "a member may not use the service any more: the streams were ended"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;
    use ground::Statements;
    use sse_hub::HubOptions;

    use super::*;
    use crate::member::CreateMember;
    use crate::platform::db::Db;
    use crate::platform::migrations::migrate;

    testkit::on_each_database! {
        async fn who_is_banned_by_a_script_loses_the_streams_and_nobody_else_does(database: testkit::Database) {
            let db = Db::connect(database.url(), 2).await.unwrap();
            migrate(&db).await.unwrap();
            let members = Members::new(db.clone(), Arc::new(Utc::now));
            let mut ids = Vec::new();
            for name in ["stays", "goes"] {
                let email = format!("{name}@pullit.test");
                let create = CreateMember { email, name: None, admin: false };
                ids.push(members.create(create).await.unwrap().id);
            }
            let hub = Hub::new(HubOptions::default());
            let stays = hub.subscribe(ids[0]).unwrap();
            let goes = hub.subscribe(ids[1]).unwrap();
            db.write().run("UPDATE member SET status = 'BANNED' WHERE id = $1", vec![ids[1].into()]).await.unwrap();
            look(&hub, &members).await.unwrap();
            assert!(stays.ended().is_none());
            assert!(goes.ended().is_some());
        }
    }
}
