use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ground::{Dialects, Statements};
use outbox::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answer::is_right;
use crate::learn_stats::{LearnStats, Solved};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::http::{ApiError, codes};
use crate::platform::idempotency::Once;
use crate::question_set::{MarkableQuestion, QuestionSets};

const INSERT_RESULTS: Dialects = Dialects {
    sqlite: "INSERT INTO marking_result (member_id, question_id, is_correct, created_at) \
         SELECT $1, value ->> 'questionId', value ->> 'isCorrect', $2 FROM json_each($3) WHERE true ORDER BY key",
    postgres: "INSERT INTO marking_result (member_id, question_id, is_correct, created_at) \
         SELECT $1, (value ->> 'questionId')::bigint, (value ->> 'isCorrect')::boolean, $2 \
         FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS item (value, place) ORDER BY place",
};

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
    ) -> Result<Marks, ApiError> {
        let now = (self.now)();
        let day = self.stats.day(now);
        let mut tx = self.db.begin().await?;
        if let Some(once) = &once
            && let Some(before) = once.claim(&mut tx, now).await?
        {
            return serde_json::from_value(before.body).map_err(|_| codes::INTERNAL.into());
        }
        let ids: Vec<i64> = answers.iter().map(|answer| answer.question_id).collect();
        let questions = self.sets.markable(&mut tx, member_id, &ids).await?;
        let marks = marks(&answers, &questions)?;
        let rows =
            serde_json::to_string(&marks.results).map_err(|_| ApiError::new(codes::INTERNAL))?;
        let inserted = tx
            .run(
                INSERT_RESULTS,
                vec![member_id.into(), now.into(), rows.into()],
            )
            .await?;
        if inserted != answers.len() as u64 {
            tracing::error!(
                member = member_id,
                inserted,
                "a marking stored too few results and was undone"
            );
            return Err(codes::INTERNAL.into());
        }
        let solved = solved_sets(&questions);
        self.stats
            .count_up(
                &mut tx,
                member_id,
                day,
                marks.total_questions,
                solved.len() as i64,
            )
            .await?;
        let event = Solved {
            version: 1,
            member_id,
            activity_date: day,
            question_count: marks.total_questions,
            correct_count: marks.correct_count,
            question_set_ids: solved,
        };
        let event = event.event().map_err(|_| ApiError::new(codes::INTERNAL))?;
        outbox::publish(&mut tx, event, now).await.map_err(|error| {
            tracing::error!(%error, member = member_id, "an event could not be published: the marking was undone");
            ApiError::new(codes::INTERNAL)
        })?;
        if let Some(once) = &once {
            once.remember(&mut tx, ::http::StatusCode::OK, &marks)
                .await?;
        }
        tx.commit().await?;
        self.signal.notify();
        Ok(marks)
    }
}

fn marks(answers: &[Answered], questions: &[MarkableQuestion]) -> Result<Marks, ApiError> {
    let by_id: HashMap<i64, &MarkableQuestion> = questions
        .iter()
        .map(|question| (question.id, question))
        .collect();
    let results = answers
        .iter()
        .map(|answer| {
            let question = by_id.get(&answer.question_id).ok_or_else(|| {
                let detail = format!("문제 {}을(를) 찾을 수 없습니다", answer.question_id);
                ApiError::with(codes::QUESTION_NOT_FOUND, detail)
            })?;
            Ok(Marked {
                question_id: question.id,
                is_correct: is_right(&question.question_type, &question.answer, &answer.answer),
            })
        })
        .collect::<Result<Vec<_>, ApiError>>()?;
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
