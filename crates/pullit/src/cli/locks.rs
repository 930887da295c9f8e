//! `pullit locks`: who holds which lock.

use clap::Subcommand;
use serde::Serialize;

use super::{Failure, Start, print};

/// `pullit locks …`
#[derive(Debug, Subcommand)]
pub(super) enum Locks {
    /// Every row of the lock table, Java's too.
    List {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    held: bool,
    lock_until: chrono::DateTime<chrono::Utc>,
    locked_at: chrono::DateTime<chrono::Utc>,
    locked_by: String,
}

impl Locks {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let Self::List { json } = self;
        let app = start.app().await?;
        let rows: Vec<Row> = app
            .locks
            .locks()
            .await
            .map_err(Failure::of)?
            .into_iter()
            .map(|lock| Row {
                name: lock.name,
                held: lock.held,
                lock_until: lock.lock_until,
                locked_at: lock.locked_at,
                locked_by: lock.locked_by,
            })
            .collect();
        app.close().await;
        if json {
            return print::json(&rows);
        }
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| {
                vec![
                    row.name,
                    if row.held { "held" } else { "free" }.to_owned(),
                    row.lock_until.to_rfc3339(),
                    row.locked_by,
                ]
            })
            .collect();
        print::table(&["LOCK", "STATE", "UNTIL", "LOCKED BY"], &rows);
        Ok(())
    }
}
