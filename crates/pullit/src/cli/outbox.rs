//! `pullit outbox`: pending and dead events, replay, discard, audit.

use ::outbox::audit::{self, AuditEntry};
use ::outbox::{StoredEvent, dead};
use clap::{Args, Subcommand};

use super::operator::operator;
use super::{Failure, Start, print};
use crate::app::App;

/// `pullit outbox …`
#[derive(Debug, Subcommand)]
pub(super) enum OutboxCommand {
    /// Events that wait for their delivery, oldest first.
    List {
        /// Only dead letters.
        #[arg(long)]
        dead: bool,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Deliver dead letters again.
    Replay(Replay),
    /// Delete a dead letter for good.
    Discard {
        /// The event's id.
        id: i64,
    },
    /// Who replayed or discarded which dead letter, newest first.
    Audit {
        /// Only entries with a smaller id.
        #[arg(long)]
        before: Option<i64>,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Replay {
    /// The event's id.
    id: Option<i64>,
    /// Every dead letter.
    #[arg(long)]
    all: bool,
}

impl OutboxCommand {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let app = start.app().await?;
        let ended = self.on(&app).await;
        app.close().await;
        ended
    }

    async fn on(self, app: &App) -> Result<(), Failure> {
        let db = app.db.write();
        match self {
            Self::List { dead, limit, json } => {
                let events = ::outbox::list(db, dead, 0, limit)
                    .await
                    .map_err(Failure::of)?;
                if json {
                    print::json(&events)
                } else {
                    list(&events)
                }
            }
            Self::Replay(Replay { id: Some(id), .. }) => {
                let found = dead::replay(db, id, &operator(), (app.now)())
                    .await
                    .map_err(Failure::of)?;
                told(found, id, "will be delivered again")
            }
            Self::Replay(Replay { id: None, .. }) => {
                let count = dead::replay_all(db, &operator(), (app.now)())
                    .await
                    .map_err(Failure::of)?;
                print::line(&format!("{count} dead letters will be delivered again."));
                Ok(())
            }
            Self::Discard { id } => {
                let found = dead::discard(db, id, &operator(), (app.now)())
                    .await
                    .map_err(Failure::of)?;
                told(found, id, "is deleted")
            }
            Self::Audit {
                before,
                limit,
                json,
            } => {
                let entries = audit::list(db, before, limit).await.map_err(Failure::of)?;
                if json {
                    print::json(&entries)
                } else {
                    list_audit(&entries)
                }
            }
        }
    }
}

fn told(found: bool, id: i64, what: &str) -> Result<(), Failure> {
    if found {
        print::line(&format!("Event {id} {what}."));
        Ok(())
    } else {
        Err(Failure::Failed(format!(
            "there is no dead event {id}; `pullit outbox list --dead` shows them"
        )))
    }
}

fn list(events: &[StoredEvent]) -> Result<(), Failure> {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            vec![
                event.id.to_string(),
                event.event_type.clone(),
                event.aggregate_key.clone(),
                event.status.as_str().to_owned(),
                event.attempts.to_string(),
                event.next_attempt_at.to_rfc3339(),
                event.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    print::table(
        &[
            "EVENT",
            "TYPE",
            "KEY",
            "STATUS",
            "ATTEMPTS",
            "NEXT ATTEMPT",
            "LAST ERROR",
        ],
        &rows,
    );
    Ok(())
}

fn list_audit(entries: &[AuditEntry]) -> Result<(), Failure> {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.id.to_string(),
                entry.at.to_rfc3339(),
                entry.actor.clone(),
                entry.action.as_str().to_owned(),
                entry.event.to_string(),
                entry.event_type.clone(),
                entry.aggregate_key.clone(),
                entry.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    print::table(
        &[
            "ENTRY",
            "AT",
            "WHO",
            "ACTION",
            "EVENT",
            "TYPE",
            "KEY",
            "LAST ERROR",
        ],
        &rows,
    );
    Ok(())
}
