//! Ends the streams of members who may not use the service any more, and of sessions that have ended.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use sse_hub::{Frame, Hub};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::member::Members;

/// Who was banned or signed out on another node, or was banned by a script, loses the open streams of this one within this.
const LOOK: Duration = Duration::from_secs(5);

/// A look sees the ends of this long, so that neither the other nodes' clocks nor a silent database hide one.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// A page whose session lives refreshes its token and comes back. The others cannot.
static EXPIRED: LazyLock<Frame> =
    LazyLock::new(|| Frame::event("tokenExpired", None, "session ended"));

/// Ends the streams of members who may not use the service any more, and of sessions that have ended, until cancelled. Requests ask each
/// time; a stream asked once, when it was opened.
pub async fn evict_ended(hub: Hub<i64>, members: Members, auth: Auth, cancel: CancellationToken) {
    let mut eviction = Eviction::new(hub, members, auth);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(looks.tick()).await.is_some() {
        match timeout(LOOK, eviction.look()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "members who are out may keep their streams until the database answers");
            }
            Err(_) => {
                tracing::warn!(
                    "members who are out may keep their streams: the database does not answer"
                );
            }
        }
    }
}

struct Eviction {
    hub: Hub<i64>,
    members: Members,
    auth: Auth,
    /// Ended sessions that the last look saw. Nothing: there was none yet, and so no stream that is older than an end.
    seen: Option<HashSet<String>>,
}

impl Eviction {
    fn new(hub: Hub<i64>, members: Members, auth: Auth) -> Self {
        Self {
            hub,
            members,
            auth,
            seen: None,
        }
    }

    async fn look(&mut self) -> Result<(), sqlx::Error> {
        self.sessions().await?;
        self.banned().await
    }

    /// A hub knows members, not sessions: all streams of the member end, and those of living sessions come back.
    async fn sessions(&mut self) -> Result<(), sqlx::Error> {
        let ended = self.auth.ended_within(LOOK_BACK).await?;
        if let Some(seen) = &self.seen {
            let fresh = ended.iter().filter(|session| !seen.contains(&session.id));
            for session in fresh {
                let streams = self
                    .hub
                    .disconnect(&session.member_id, Some(EXPIRED.clone()));
                if streams > 0 {
                    let (member, session) = (session.member_id, &session.id);
                    tracing::info!(
                        member,
                        session,
                        streams,
                        "a session ended: the member's streams were ended, and those of other sessions come back"
                    );
                }
            }
        }
        self.seen = Some(ended.into_iter().map(|session| session.id).collect());
        Ok(())
    }

    async fn banned(&self) -> Result<(), sqlx::Error> {
        let connected = self.hub.connected_keys();
        if connected.is_empty() {
            return Ok(());
        }
        let active = self.members.active(&connected).await?;
        for member in connected.iter().filter(|member| !active.contains(member)) {
            let streams = self.hub.disconnect(member, None);
            tracing::info!(
                member,
                streams,
                "a member may not use the service any more: the streams were ended"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;
    use ground::Statements;
    use sse_hub::HubOptions;

    use super::*;
    use crate::auth::{AuthOptions, Secrets};
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
            let options = AuthOptions::of_tests();
            let auth = Auth::new(db.clone(), Arc::new(Utc::now), members.clone(), &Secrets::from_text("secret"), options);
            Eviction::new(hub, members, auth).look().await.unwrap();
            assert!(stays.ended().is_none());
            assert!(goes.ended().is_some());
        }
    }
}
