//! `pullit dev seed`: a database full of members who have learned for some time, for measurements and for trying things out.
//!
//! Every row is a function of the seed and of the member's id, computed in the database by the same whole numbers on both, so that the same
//! arguments give the same rows, in whatever order and size the chunks are written. How much: each member has one COMPLETE set of three
//! questions; per day about one in thirteen learns (4.6 days in 60), and marks one to three answers. A million members over 60 days are
//! 4.6 million days and 9.1 million marking results.

mod sql;

use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use futures::{StreamExt, TryStreamExt};
use ground::{Dialect, Statements};
use thiserror::Error;

use crate::learn_stats::LearnStats;
use crate::platform::db::Db;

/// Members of one transaction: about a second.
const CHUNK: i64 = 5_000;
/// Chunks that PostgreSQL is given at once.
const AT_ONCE: usize = 2;

/// What to fill a database with.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// How many members.
    pub members: u32,
    /// How many days they have learned for.
    pub days: u32,
    /// Decides who learned when, and how well.
    pub seed: u64,
    /// The last of the days.
    pub until: NaiveDate,
    /// The zone of the days.
    pub zone: Tz,
    /// Also where there are members already.
    pub beside_others: bool,
}

/// Why nothing, or not all, was planted.
#[derive(Debug, Error)]
pub enum SeedError {
    /// A database in use.
    #[error(
        "this database has {0} members already: take an empty one, or say --force to add to them"
    )]
    Others(i64),
    /// There are no such days.
    #[error("the days must lie between the years 1 and 9999")]
    Days,
    /// The database failed. Chunks that were committed stay.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Plants the members; their ids. `progress` hears how many of them stand.
///
/// # Errors
/// See [`SeedError`].
pub async fn plant(
    db: &Db,
    stats: &LearnStats,
    seed: &Seed,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<RangeInclusive<i64>, SeedError> {
    // A large seed has statements that take their time.
    let db = &db.patient();
    let first_day = seed
        .until
        .checked_sub_days(Days::new(u64::from(seed.days)))
        .ok_or(SeedError::Days)?;
    let others = db
        .read()
        .scalar::<i64, _>(sql::OTHERS, Vec::new())
        .await?
        .unwrap_or_default();
    if others > 0 && !seed.beside_others {
        return Err(SeedError::Others(others));
    }
    let ids = reserve(db, seed).await?;
    let last = *ids.end();
    let chunks = ids.clone().step_by(CHUNK as usize).map(|from| Chunk {
        from,
        to: (from + CHUNK - 1).min(last),
        first_day,
    });
    // SQLite has one writer.
    let at_once = match db.dialect() {
        Dialect::Postgres => AT_ONCE,
        _ => 1,
    };
    let mut planted = futures::stream::iter(chunks)
        .map(|chunk| chunk.plant(db, stats, seed))
        .buffer_unordered(at_once);
    let (mut done, total) = (0, u64::from(seed.members));
    progress(done, total);
    while let Some(members) = planted.try_next().await? {
        done += members;
        progress(done, total);
    }
    if db.dialect() == Dialect::Postgres {
        db.write().run(sql::ANALYZE, Vec::new()).await?;
    }
    Ok(ids)
}

/// Ids that nobody has, and that nobody is given while the seed is planted: all ids of a member follow from the member's number.
async fn reserve(db: &Db, seed: &Seed) -> Result<RangeInclusive<i64>, sqlx::Error> {
    let days = i64::from(seed.days);
    let mut tx = db.begin().await?;
    let last = tx
        .scalar::<i64, _>(sql::LAST_IN_USE, vec![days.into()])
        .await?;
    let first = last.unwrap_or_default() + 1;
    let last = first + i64::from(seed.members) - 1;
    for (table, per_member) in [
        ("member", 1),
        ("question_set", 1),
        ("question", sql::QUESTIONS),
        ("learn_stats_daily", days),
        ("marking_result", days * sql::QUESTIONS),
    ] {
        let values = vec![table.into(), (last * per_member).into()];
        tx.run(sql::RESERVE, values).await?;
        if db.dialect() == Dialect::Sqlite {
            tx.run(sql::TIDY_SQLITE, vec![table.into()]).await?;
        }
    }
    tx.commit().await?;
    Ok(first..=last)
}

/// The members of one transaction.
struct Chunk {
    from: i64,
    to: i64,
    first_day: NaiveDate,
}

impl Chunk {
    async fn plant(self, db: &Db, stats: &LearnStats, seed: &Seed) -> Result<u64, sqlx::Error> {
        // Noon of the zone, so that a change of its clocks leaves the day what it is.
        let noon = seed.until.and_hms_opt(12, 0, 0).unwrap_or_default();
        let offset = seed.zone.offset_from_utc_datetime(&noon).fix();
        let values = vec![
            self.from.into(),
            self.to.into(),
            // Small enough that no product below leaves 64 bits.
            i64::try_from(seed.seed % sql::PRIME)
                .unwrap_or_default()
                .into(),
            i64::from(seed.days).into(),
            seed.until.into(),
            i64::from(12 * 3600 - offset.local_minus_utc()).into(),
            self.first_day.into(),
        ];
        let mut tx = db.begin().await?;
        for statement in sql::ROWS {
            tx.run(statement, values.clone()).await?;
        }
        stats
            .recompute_range(&mut tx, self.from - 1, self.to, seed.until)
            .await?;
        tx.commit().await?;
        Ok((self.to - self.from + 1).unsigned_abs())
    }
}
