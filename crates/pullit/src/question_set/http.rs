//! `/api/question-set…`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::QuestionSetError;
use super::service::{Ask, Asked, QuestionSets};
use super::view::{Summary, Whole};
use crate::learn_stats::LearnStats;
use crate::platform::http::{ApiError, Caller, Fields, IdempotencyKey, Json, PathId, Query, codes};
use crate::platform::idempotency::Once;

const DEFAULT_PAGE: i64 = 20;
/// Older pages ask for 9,999 at once.
const LARGEST_PAGE: i64 = 1_000;
/// A set is made within about this time.
const PENDING_RETRY: Duration = Duration::from_secs(30);
const LONGEST_TITLE: usize = 200;
const MOST_SOURCES: usize = 20;

#[derive(Clone)]
struct Room {
    sets: QuestionSets,
    stats: Arc<LearnStats>,
}

/// The routes of the room.
pub fn routes(sets: QuestionSets, stats: Arc<LearnStats>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(ask, page))
        .routes(routes!(all))
        .routes(routes!(detail, rename, delete))
        .with_state(Room { sets, stats })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AskBody {
    /// `EASY`, `MEDIUM` or `HARD`.
    #[schema(required)]
    difficulty: Option<String>,
    /// 1 to 100.
    #[schema(required)]
    question_count: Option<i64>,
    /// `MULTIPLE_CHOICE`, `TRUE_FALSE` or `SHORT_ANSWER`.
    #[serde(rename = "type")]
    #[schema(required)]
    kind: Option<String>,
    /// 1 to 20 own sources.
    #[schema(required)]
    source_ids: Option<Vec<i64>>,
    /// By default the name of the first source.
    title: Option<String>,
}

impl AskBody {
    fn check(self) -> Result<Ask, ApiError> {
        let mut fields = Fields::new();
        let difficulty = fields.choice("difficulty", self.difficulty, "EASY, MEDIUM, HARD");
        let kind = fields.choice(
            "type",
            self.kind,
            "MULTIPLE_CHOICE, TRUE_FALSE, SHORT_ANSWER",
        );
        let count = fields.required("questionCount", self.question_count);
        if count.is_some_and(|count| !(1..=100).contains(&count)) {
            fields.wrong("questionCount", "1 이상 100 이하여야 합니다");
        }
        let mut source_ids = fields
            .required("sourceIds", self.source_ids)
            .unwrap_or_default();
        let mut seen = std::collections::HashSet::new();
        source_ids.retain(|id| seen.insert(*id));
        if (source_ids.is_empty() && fields.ok_so_far("sourceIds"))
            || source_ids.len() > MOST_SOURCES
        {
            fields.wrong(
                "sourceIds",
                format!("1개 이상 {MOST_SOURCES}개 이하여야 합니다"),
            );
        }
        let title = match self.title {
            Some(title) if title.trim().is_empty() => None,
            Some(title) => fields.text("title", Some(title), LONGEST_TITLE),
            None => None,
        };
        fields.check()?;
        // Both were checked above.
        let (Some(difficulty), Some(kind)) = (difficulty, kind) else {
            return Err(codes::INTERNAL.into());
        };
        Ok(Ask {
            difficulty,
            kind,
            count: count
                .and_then(|count| i32::try_from(count).ok())
                .unwrap_or(1),
            source_ids,
            title,
        })
    }
}

/// Asks for a question set. It is PENDING until a worker has made its questions.
#[utoipa::path(post, path = "/api/question-set", tag = "question sets", security(("bearer" = [])), request_body = AskBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers the same and acts once (24 h)")),
    responses((status = 201, body = Asked), (status = 400, description = "C_002, C_003"), (status = 404, description = "S_001"),
        (status = 409, description = "S_010"), (status = 422, description = "C_009"), (status = 429, description = "Q_004, Q_005")))]
async fn ask(
    State(room): State<Room>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<AskBody>,
) -> Result<Response, ApiError> {
    let ask = body.check()?;
    let once = Once::of(caller.id(), "question-set", key, &ask)?;
    let asked = room.sets.ask(caller.id(), ask, once).await?;
    let location = format!("/api/question-set/{}", asked.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(asked)).into_response())
}

#[derive(Debug, Deserialize)]
struct PageQuery {
    cursor: Option<i64>,
    size: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Page {
    content: Vec<Summary>,
    /// For `cursor` of the next request.
    next_cursor: Option<i64>,
    has_next: bool,
    size: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Overview {
    question_sets: Page,
    /// Solved sets / living COMPLETE sets, in whole percent.
    learning_progress: i64,
}

/// A page of the caller's sets, newest first.
#[utoipa::path(get, path = "/api/question-set", tag = "question sets", security(("bearer" = [])),
    params(("cursor" = Option<i64>, Query), ("size" = Option<i64>, Query, description = "1 or more, by default 20; above 1,000 the answer is a page of 1,000")),
    responses((status = 200, body = Overview)))]
async fn page(
    State(room): State<Room>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Overview>, ApiError> {
    let size = query.size.unwrap_or(DEFAULT_PAGE);
    if size < 1 {
        return Err(ApiError::field("size", "1 이상이어야 합니다"));
    }
    let size = size.min(LARGEST_PAGE);
    let before = query.cursor.unwrap_or(i64::MAX);
    // One more than asked for tells whether there is a next page.
    let mut sets = room.sets.page(caller.id(), before, size + 1).await?;
    let has_next = sets.len() as i64 > size;
    sets.truncate(usize::try_from(size).unwrap_or_default());
    let next_cursor = sets.last().filter(|_| has_next).map(|set| set.id);
    Ok(Json(Overview {
        question_sets: Page {
            content: sets.into_iter().map(Summary::from).collect(),
            next_cursor,
            has_next,
            size,
        },
        learning_progress: room.stats.progress(caller.id()).await?,
    }))
}

/// The newest 1,000 of the caller's sets, newest first.
#[utoipa::path(get, path = "/api/question-set/all", tag = "question sets", security(("bearer" = [])),
    responses((status = 200, body = Vec<Summary>)))]
async fn all(State(room): State<Room>, caller: Caller) -> Result<Json<Vec<Summary>>, ApiError> {
    let sets = room.sets.page(caller.id(), i64::MAX, LARGEST_PAGE).await?;
    Ok(Json(sets.into_iter().map(Summary::from).collect()))
}

/// A set with its questions.
#[utoipa::path(get, path = "/api/question-set/{id}", tag = "question sets", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Whole), (status = 404, description = "Q_001"), (status = 409, description = "Q_002 while it is PENDING, Q_003 with the reason when it is FAILED")))]
async fn detail(
    State(room): State<Room>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Whole>, ApiError> {
    let detail = room.sets.detail(caller.id(), id).await?;
    Ok(Json(Whole::from(detail)))
}

#[derive(Debug, Deserialize, ToSchema)]
struct RenameBody {
    #[schema(required)]
    title: Option<String>,
}

/// Renames a set.
#[utoipa::path(patch, path = "/api/question-set/{id}", tag = "question sets", security(("bearer" = [])), params(("id" = i64, Path)),
    request_body = RenameBody, responses((status = 200), (status = 400, description = "C_002, C_003"), (status = 404, description = "Q_001")))]
async fn rename(
    State(room): State<Room>,
    caller: Caller,
    PathId(id): PathId,
    Json(body): Json<RenameBody>,
) -> Result<StatusCode, ApiError> {
    let mut fields = Fields::new();
    let title = fields.text("title", body.title, LONGEST_TITLE);
    fields.check()?;
    let title = title.unwrap_or_default();
    room.sets.rename(caller.id(), id, &title).await?;
    Ok(StatusCode::OK)
}

/// Deletes a set (softly: what was solved stays solved).
#[utoipa::path(delete, path = "/api/question-set/{id}", tag = "question sets", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 200), (status = 404, description = "Q_001")))]
async fn delete(
    State(room): State<Room>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    room.sets.delete(caller.id(), id).await?;
    Ok(StatusCode::OK)
}

impl From<QuestionSetError> for ApiError {
    fn from(error: QuestionSetError) -> Self {
        match error {
            QuestionSetError::NotFound => codes::QUESTION_SET_NOT_FOUND.into(),
            QuestionSetError::SourceNotFound(id) => Self::with(
                codes::SOURCE_NOT_FOUND,
                format!("학습 소스 {id}을(를) 찾을 수 없습니다"),
            ),
            QuestionSetError::SourceFailed(reason) => Self::with(codes::SOURCE_FAILED, reason),
            QuestionSetError::Pending => codes::QUESTION_SET_PENDING.into(),
            QuestionSetError::Failed(reason) => Self::with(codes::QUESTION_SET_FAILED, reason),
            QuestionSetError::TooManyToday(wait) => {
                Self::new(codes::QUESTION_SETS_TODAY).retry_after(wait)
            }
            QuestionSetError::TooManyPending => {
                Self::new(codes::QUESTION_SETS_PENDING).retry_after(PENDING_RETRY)
            }
            QuestionSetError::Once(error) => error.into(),
            QuestionSetError::Database(error) => error.into(),
            QuestionSetError::Payload(_) | QuestionSetError::Outbox(_) => {
                tracing::error!(%error, "a request for a question set was undone");
                codes::INTERNAL.into()
            }
        }
    }
}
