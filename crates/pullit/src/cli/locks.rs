//! `pullit locks`: who holds which lock, and releasing that of a dead holder.

use std::io::{BufRead, IsTerminal, Write};

use clap::Subcommand;
use serde::Serialize;
use shedlock::LockInfo;

use super::operator::operator;
use super::{Failure, Start, print};
use crate::admin::lock_release;
use crate::app::App;

/// `pullit locks …`
#[derive(Debug, Subcommand)]
pub(super) enum Locks {
    /// Every row of the lock table, Java's too.
    List {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Release a lock whose holder is known to be dead, so that nobody waits for the end of its lease. Names the holder
    /// and asks; writes down who did it.
    ///
    /// Make sure that the holder is dead. One that lives goes on until its next write or extension fails, and until then
    /// two may work at once. A lock that its holder extends while the question stands is not released.
    Release {
        /// The lock's name; that of its job.
        name: String,
        /// Do not ask. Needed where there is no terminal to ask on.
        #[arg(long)]
        yes: bool,
    },
    /// Who released which lock by hand, newest first.
    Audit {
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u64,
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

impl From<LockInfo> for Row {
    fn from(lock: LockInfo) -> Self {
        Self {
            name: lock.name,
            held: lock.held,
            lock_until: lock.lock_until,
            locked_at: lock.locked_at,
            locked_by: lock.locked_by,
        }
    }
}

impl Locks {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let app = start.app().await?;
        let ended = self.on(&app).await;
        app.close().await;
        ended
    }

    async fn on(self, app: &App) -> Result<(), Failure> {
        match self {
            Self::List { json } => {
                let locks = app.locks.locks().await.map_err(Failure::of)?;
                list(locks.into_iter().map(Row::from).collect(), json)
            }
            Self::Release { name, yes } => release(app, &name, yes).await,
            Self::Audit { limit, json } => {
                let entries = lock_release::list(app.db.write(), limit).await?;
                if json {
                    return print::json(&entries);
                }
                list_audit(&entries);
                Ok(())
            }
        }
    }
}

fn list(rows: Vec<Row>, json: bool) -> Result<(), Failure> {
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

async fn release(app: &App, name: &str, yes: bool) -> Result<(), Failure> {
    let held = app.locks.lock_info(name).await.map_err(Failure::of)?;
    let held = held.filter(|lock| lock.held).ok_or_else(|| {
        Failure::Failed(format!(
            "nobody holds the lock {name}; `pullit locks list` shows all"
        ))
    })?;
    let holder = format!(
        "{name} is held by {}, since {}, until {}.",
        held.locked_by,
        held.locked_at.to_rfc3339(),
        held.lock_until.to_rfc3339()
    );
    if !yes && !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "{holder} There is no terminal to ask on; --yes releases it without a question"
        )));
    }
    print::line(&holder);
    if !yes && !agreed().await? {
        return Err(Failure::Failed(format!("{name} was not released")));
    }
    let (actor, now) = (operator(), (app.now)());
    let released = lock_release::release(&app.db, &*app.locks, &held, &actor, now);
    if released.await.map_err(Failure::of)? {
        print::line(&format!("{name} is free."));
        Ok(())
    } else {
        Err(Failure::Failed(format!(
            "{name} was not released: its holder has extended it or given it back, so it is alive"
        )))
    }
}

/// Asks on the terminal.
async fn agreed() -> Result<bool, Failure> {
    let answer = tokio::task::spawn_blocking(|| {
        let mut out = std::io::stderr().lock();
        write!(
            out,
            "Is this holder dead for certain? Release the lock? [y/N] "
        )?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    });
    let answer = answer.await.map_err(Failure::of)?.map_err(Failure::of)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn list_audit(entries: &[lock_release::LockRelease]) {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let released = match entry.released {
                Some(true) => "released",
                Some(false) => "refused",
                None => "unknown",
            };
            vec![
                entry.at.to_rfc3339(),
                entry.actor.clone(),
                entry.name.clone(),
                released.to_owned(),
                entry.locked_by.clone(),
            ]
        })
        .collect();
    print::table(&["AT", "WHO", "LOCK", "ENDED", "LOCKED BY"], &rows);
}
