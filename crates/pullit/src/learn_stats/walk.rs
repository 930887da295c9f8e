//! All members, a page at a time, each page in a short transaction.
//!
//! The page's transaction also writes down how far it came, for the slot that the run works for. Another attempt at that slot, on whatever
//! node, goes on from the last page that was committed: none is skipped, none is done twice.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Dialects, Fence, Statements};
use tokio_util::sync::CancellationToken;

use super::service::LearnStats;
use crate::platform::run::RunError;

// The last member of a full page: steps over the index, and counts nothing.
const END: &str = "SELECT id FROM member WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2";
const REST: &str = "SELECT max(id) AS to_id, count(*) AS members FROM member WHERE id > $1";
// PostgreSQL would read a million entries to say so exactly. What its planner goes by, for the table's size of now, will do for an estimate.
const ABOUT: Dialects = Dialects {
    sqlite: "SELECT count(*) FROM member",
    postgres: "SELECT CASE WHEN relpages > 0 AND reltuples >= 0 \
           THEN (reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::bigint))::bigint \
           ELSE (SELECT count(*) FROM member) END FROM pg_class WHERE oid = 'member'::regclass",
};
const POSITION: &str =
    "SELECT after_id, checked, affected FROM learn_stats_walk WHERE task = $1 AND slot = $2";
const SAVE: &str = "INSERT INTO learn_stats_walk (task, slot, after_id, checked, affected) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (task, slot) DO UPDATE SET \
     after_id = excluded.after_id, checked = excluded.checked, affected = excluded.affected";
const FORGET: &str = "DELETE FROM learn_stats_walk WHERE task = $1 AND slot < $2";

/// A slot is tried again within minutes; how far its runs came is of no use after this.
const KEPT: TimeDelta = TimeDelta::days(30);

/// How far a run has come: done, of all.
pub(super) type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// The slot of a scheduled job that a run works for.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// When it was due. Its day is the job's today, however late the run is.
    pub at: DateTime<Utc>,
    /// Whether it may have been begun: by an attempt that came to nothing, or before a conflict that is retried now.
    pub again: bool,
}

/// Members with an id above `after`, up to and with `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) after: i64,
    pub(super) to: i64,
}

/// How far a walk has come, earlier attempts included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    after_id: i64,
    checked: i64,
    affected: i64,
}
ground::from_row!(Position {
    after_id,
    checked,
    affected
});

impl Position {
    const START: Self = Self {
        after_id: i64::MIN,
        checked: 0,
        affected: 0,
    };

    /// Members seen.
    pub(super) fn checked(self) -> u64 {
        self.checked.unsigned_abs()
    }

    /// What the steps counted.
    pub(super) fn affected(self) -> u64 {
        self.affected.unsigned_abs()
    }
}

/// Where a page ends, and how many members it has.
#[derive(Clone, Copy)]
struct End {
    to: i64,
    members: i64,
}

struct Rest {
    to_id: Option<i64>,
    members: i64,
}
ground::from_row!(Rest { to_id, members });

/// What is done with each page.
#[async_trait]
pub(super) trait Step: Sync {
    /// Names the walk beside its slot.
    fn task(&self) -> &'static str;

    /// Members of a page.
    fn width(&self) -> u32;

    /// What can be found out before the transaction, so that the transaction is shorter.
    async fn look(&self, _: Page) -> Result<Vec<i64>, RunError> {
        Ok(Vec::new())
    }

    /// The page's writes; how many members it changed.
    async fn write(
        &self,
        tx: &mut Connection<'_>,
        page: Page,
        found: Vec<i64>,
    ) -> Result<u64, RunError>;

    /// After the commit.
    fn committed(&self) {}
}

/// What a walk may do, and whom it tells.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) slot: Slot,
    pub(super) fence: &'a dyn Fence,
    pub(super) cancel: &'a CancellationToken,
    pub(super) progress: Progress<'a>,
}

impl LearnStats {
    /// Takes every member through a step. None is skipped, whoever joins or leaves.
    ///
    /// The end of the next page is looked for while a page is worked on.
    pub(super) async fn walk(&self, step: &dyn Step, run: Run<'_>) -> Result<Position, RunError> {
        let mut position = self.position(step.task(), run.slot).await?;
        let mut next = None;
        loop {
            RunError::unless_stopped(run.cancel)?;
            if next.is_none() {
                next = self.end_of_page(step, position.after_id).await?;
            }
            let Some(end) = next else {
                return Ok(position);
            };
            let (work, look) = tokio::join!(
                self.work(step, run, position, end),
                self.end_of_page(step, end.to)
            );
            position = work?;
            next = look?;
            (run.progress)(position.checked(), 0);
        }
    }

    /// A page and its commit; how far that is.
    async fn work(
        &self,
        step: &dyn Step,
        run: Run<'_>,
        position: Position,
        end: End,
    ) -> Result<Position, RunError> {
        let page = Page {
            after: position.after_id,
            to: end.to,
        };
        let found = step.look(page).await?;
        let mut tx = self.db.begin().await?;
        let affected = step.write(&mut tx, page, found).await?;
        if position.checked == 0 {
            let old = vec![step.task().into(), (run.slot.at - KEPT).into()];
            tx.run(FORGET, old).await?;
        }
        let position = Position {
            after_id: end.to,
            checked: position.checked + end.members,
            affected: position.affected.saturating_add_unsigned(affected),
        };
        save(&mut tx, step.task(), run.slot, position).await?;
        run.fence.check(&mut tx).await?;
        tx.commit().await?;
        step.committed();
        Ok(position)
    }

    /// Nothing when there is no member after this one.
    async fn end_of_page(&self, step: &dyn Step, after: i64) -> Result<Option<End>, sqlx::Error> {
        let width = i64::from(step.width());
        let values = vec![after.into(), (width - 1).into()];
        if let Some(to) = self.db.read().scalar(END, values).await? {
            return Ok(Some(End { to, members: width }));
        }
        let rest = self.db.read().row(REST, vec![after.into()]).await?;
        Ok(rest.and_then(|Rest { to_id, members }| {
            Some(End {
                to: to_id?,
                members,
            })
        }))
    }

    async fn position(&self, task: &str, slot: Slot) -> Result<Position, sqlx::Error> {
        if !slot.again {
            return Ok(Position::START);
        }
        let values = vec![task.into(), slot.at.into()];
        let kept = self.db.read().row(POSITION, values).await?;
        Ok(kept.unwrap_or(Position::START))
    }

    /// How many members there are, more or less: what progress is measured by.
    pub(super) async fn about_all(&self) -> Result<u64, sqlx::Error> {
        let count = self.db.read().scalar::<i64, _>(ABOUT, Vec::new()).await?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }
}

async fn save(
    tx: &mut Connection<'_>,
    task: &str,
    slot: Slot,
    position: Position,
) -> Result<(), sqlx::Error> {
    let values = vec![
        task.into(),
        slot.at.into(),
        position.after_id.into(),
        position.checked.into(),
        position.affected.into(),
    ];
    tx.run(SAVE, values).await?;
    Ok(())
}
