//! Marks answers, and stores what follows from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements};
use outbox::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answer::is_right;
use super::error::MarkingError;
use crate::learn_stats::{LearnStats, Solved};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::idempotency::Once;
use crate::question_set::{MarkableQuestion, QuestionSets};

const INSERT_RESULTS: Dialects = Dialects {
    sqlite: "INSERT INTO marking_result (member_id, question_id, is_correct, created_at) \
         SELECT $1, value ->> 'questionId', value ->> 'isCorrect', $2 FROM json_each($3) WHERE true ORDER BY key",
    postgres: "INSERT INTO marking_result (member_id, question_id, is_correct, created_at) \
         SELECT $1, (value ->> 'questionId')::bigint, (value ->> 'isCorrect')::boolean, $2 \
         FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS item (value, place) ORDER BY place",
};

/// How a remembered request was answered.
const OK: u16 = 200;

/// One answer to mark.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answered {
    pub(super) question_id: i64,
    pub(super) answer: Value,
}

/// One answer, marked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marked {
    question_id: i64,
    is_correct: bool,
}

/// All answers of a request, marked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marks {
    results: Vec<Marked>,
    total_questions: i64,
    correct_count: i64,
}

/// The marking room.
#[derive(Clone)]
pub struct Marking {
    db: Db,
    now: Now,
    signal: Signal,
    sets: QuestionSets,
    stats: Arc<LearnStats>,
}

impl Marking {
    /// The room. `signal` wakes the relay after a commit that published.
    pub fn new(
        db: Db,
        now: Now,
        signal: Signal,
        sets: QuestionSets,
        stats: Arc<LearnStats>,
    ) -> Self {
        Self {
            db,
            now,
            signal,
            sets,
            stats,
        }
    }

    /// Marks answers. The results, the day's ledger and the event commit together or not at all.
    pub(super) async fn mark(
        &self,
        member_id: i64,
        answers: Vec<Answered>,
        once: Option<Once>,
    ) -> Result<Marks, MarkingError> {
        let now = (self.now)();
        let day = self.stats.day(now);
        let mut tx = self.db.begin().await?;
        if let Some(once) = &once
            && let Some(before) = once.claim(&mut tx, now).await?
        {
            return Ok(before.answer()?);
        }
        let ids: Vec<i64> = answers.iter().map(|answer| answer.question_id).collect();
        let questions = self.sets.markable(&mut tx, member_id, &ids).await?;
        let marks = marks(&answers, &questions)?;
        store_results(&mut tx, member_id, &marks.results, now).await?;
        let solved = solved_sets(&questions);
        let (asked, sets) = (marks.total_questions, solved.len() as i64);
        self.stats
            .count_up(&mut tx, member_id, day, asked, sets)
            .await?;
        let event = Solved {
            version: 1,
            member_id,
            activity_date: day,
            question_count: marks.total_questions,
            correct_count: marks.correct_count,
            question_set_ids: solved,
        };
        outbox::publish(&mut tx, event.event()?, now).await?;
        if let Some(once) = &once {
            once.remember(&mut tx, OK, &marks).await?;
        }
        tx.commit().await?;
        self.signal.notify();
        Ok(marks)
    }
}

async fn store_results(
    tx: &mut Connection<'_>,
    member_id: i64,
    results: &[Marked],
    now: DateTime<Utc>,
) -> Result<(), MarkingError> {
    let rows = serde_json::to_string(results)?;
    let values = vec![member_id.into(), now.into(), rows.into()];
    let stored = tx.run(INSERT_RESULTS, values).await?;
    if stored == results.len() as u64 {
        Ok(())
    } else {
        Err(MarkingError::Incomplete {
            stored,
            answers: results.len(),
        })
    }
}

fn marks(answers: &[Answered], questions: &[MarkableQuestion]) -> Result<Marks, MarkingError> {
    let by_id: HashMap<i64, &MarkableQuestion> = questions
        .iter()
        .map(|question| (question.id, question))
        .collect();
    let results = answers
        .iter()
        .map(|answer| {
            let question = by_id
                .get(&answer.question_id)
                .ok_or(MarkingError::QuestionNotFound(answer.question_id))?;
            Ok(Marked {
                question_id: question.id,
                is_correct: is_right(question.kind, &question.answer, &answer.answer),
            })
        })
        .collect::<Result<Vec<_>, MarkingError>>()?;
    Ok(Marks {
        total_questions: results.len() as i64,
        correct_count: results.iter().filter(|result| result.is_correct).count() as i64,
        results,
    })
}

/// The sets of which every question is among those marked.
fn solved_sets(questions: &[MarkableQuestion]) -> Vec<i64> {
    let mut marked: BTreeMap<i64, (BTreeSet<i64>, i64)> = BTreeMap::new();
    for question in questions {
        let (ids, all) = marked.entry(question.question_set_id).or_default();
        ids.insert(question.id);
        *all = question.questions_in_set;
    }
    marked
        .into_iter()
        .filter(|(_, (ids, all))| ids.len() as i64 == *all)
        .map(|(set, _)| set)
        .collect()
}
