//! What members can do with question sets: ask for one, look, rename, delete.

use std::sync::Arc;

use chrono::TimeDelta;
use ground::{Connection, Statements};
use outbox::Signal;
use question_maker::{Difficulty, QuestionKind};
use serde::{Deserialize, Serialize};

use super::error::QuestionSetError;
use super::events::GenerationRequested;
use super::model::{MarkableQuestion, Question, QuestionSet, SetStatus};
use super::quota::Quota;
use super::store::{self, NewSet};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::idempotency::Once;
use crate::source::Sources;

/// How a remembered request was answered.
const CREATED: u16 = 201;

/// Bounds of the jobs that keep question sets healthy.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// A set that has been PENDING for this long has failed.
    pub pending_timeout: TimeDelta,
    /// Most automatic retries.
    pub max_retries: i32,
    /// Sets retried by one run.
    pub retries_per_run: u32,
    /// Sets failed in one transaction.
    pub cleanup_batch: u32,
    /// How many sets one member may ask for.
    pub quota: Quota,
}

/// A set that a member asks for.
#[derive(Debug, Serialize)]
pub(super) struct Ask {
    pub(super) difficulty: Difficulty,
    pub(super) kind: QuestionKind,
    pub(super) count: i32,
    pub(super) source_ids: Vec<i64>,
    pub(super) title: Option<String>,
}

/// A set that was asked for.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct Asked {
    /// Set id.
    pub(super) id: i64,
    /// `PENDING`.
    pub(super) status: String,
}

/// A set with everything that its page shows.
pub(super) struct Detail {
    pub(super) set: QuestionSet,
    pub(super) source_ids: Vec<i64>,
    pub(super) questions: Vec<Question>,
}

/// The question-set room.
#[derive(Clone)]
pub struct QuestionSets {
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) signal: Signal,
    pub(super) sources: Arc<Sources>,
    pub(super) limits: SetLimits,
}

impl QuestionSets {
    /// The room. `signal` wakes the relay after a commit that published.
    pub fn new(db: Db, now: Now, signal: Signal, sources: Arc<Sources>, limits: SetLimits) -> Self {
        Self {
            db,
            now,
            signal,
            sources,
            limits,
        }
    }

    /// Makes a PENDING set and asks the workers for its questions, in one transaction.
    pub(super) async fn ask(
        &self,
        member_id: i64,
        ask: Ask,
        once: Option<Once>,
    ) -> Result<Asked, QuestionSetError> {
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        if let Some(once) = &once
            && let Some(before) = once.claim(&mut tx, now).await?
        {
            return Ok(before.answer()?);
        }
        let title = self.title(&mut tx, member_id, &ask).await?;
        let set = NewSet {
            owner_id: member_id,
            title: &title,
            difficulty: ask.difficulty,
            kind: ask.kind,
            count: ask.count,
            source_ids: &ask.source_ids,
            now,
        };
        let id = self.limits.quota.insert(&mut tx, set).await?;
        outbox::publish(&mut tx, GenerationRequested::event(id, 0)?, now).await?;
        let asked = Asked {
            id,
            status: SetStatus::Pending.name().to_owned(),
        };
        if let Some(once) = &once {
            once.remember(&mut tx, CREATED, &asked).await?;
        }
        tx.commit().await?;
        self.signal.notify();
        tracing::info!(
            question_set = id,
            member = member_id,
            "a question set was asked for"
        );
        Ok(asked)
    }

    /// Checks that the sources can be used, and holds them until the commit; the title, by default the first source's name.
    async fn title(
        &self,
        tx: &mut Connection<'_>,
        member_id: i64,
        ask: &Ask,
    ) -> Result<String, QuestionSetError> {
        let usable = self.sources.usable(tx, member_id, &ask.source_ids).await?;
        for id in &ask.source_ids {
            let Some(source) = usable.iter().find(|source| source.id == *id) else {
                return Err(QuestionSetError::SourceNotFound(*id));
            };
            if let Some(reason) = &source.failure_reason {
                return Err(QuestionSetError::SourceFailed(reason.clone()));
            }
        }
        if let Some(title) = &ask.title {
            return Ok(title.clone());
        }
        let first = usable
            .iter()
            .find(|source| Some(&source.id) == ask.source_ids.first());
        let name = first.map_or("", |source| source.original_name.as_str());
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let stem = if stem.is_empty() { name } else { stem };
        Ok(stem.chars().take(200).collect())
    }

    pub(super) async fn page(
        &self,
        member_id: i64,
        before: i64,
        limit: i64,
    ) -> Result<Vec<QuestionSet>, sqlx::Error> {
        store::page(self.db.read(), member_id, before, limit).await
    }

    /// A COMPLETE set as its owner sees it, whole.
    pub(super) async fn detail(&self, member_id: i64, id: i64) -> Result<Detail, QuestionSetError> {
        let db = self.db.read();
        let set = store::owned(db, id, member_id).await?;
        let set = set.ok_or(QuestionSetError::NotFound)?;
        match set.status {
            SetStatus::Complete => {}
            SetStatus::Pending => return Err(QuestionSetError::Pending),
            SetStatus::Failed => return Err(QuestionSetError::Failed(set.failure_text())),
        }
        Ok(Detail {
            set,
            source_ids: store::source_ids(db, id).await?,
            questions: store::questions(db, id).await?,
        })
    }

    pub(super) async fn rename(
        &self,
        member_id: i64,
        id: i64,
        title: &str,
    ) -> Result<(), QuestionSetError> {
        found(store::rename(self.db.write(), id, member_id, title, (self.now)()).await?)
    }

    pub(super) async fn delete(&self, member_id: i64, id: i64) -> Result<(), QuestionSetError> {
        found(store::delete(self.db.write(), id, member_id, (self.now)()).await?)
    }

    /// Those of the questions that this member can answer now: of own, living, COMPLETE sets.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn markable(
        &self,
        c: impl Statements<'_>,
        member_id: i64,
        ids: &[i64],
    ) -> Result<Vec<MarkableQuestion>, sqlx::Error> {
        store::markable(c, member_id, ids).await
    }
}

fn found(found: bool) -> Result<(), QuestionSetError> {
    found.then_some(()).ok_or(QuestionSetError::NotFound)
}
