//! `/api/members/{memberId}/…-stats`

use std::sync::Arc;

use axum::extract::State;
use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::LearnStats;
use crate::member::Role;
use crate::platform::http::{ApiError, Caller, Fields, Json, PathId, Query, codes};

/// The longest span of days in one answer.
const MOST_DAYS: u64 = 366;
/// Without `from`: this many days up to `to`.
const DEFAULT_DAYS: u64 = 30;

/// The routes of the room.
pub fn routes(stats: Arc<LearnStats>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(learn_stats))
        .routes(routes!(daily_stats))
        .with_state(stats)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Totals {
    /// Living COMPLETE sets.
    total_question_set_count: i64,
    total_solved_question_set_count: i64,
    total_solved_question_count: i64,
    /// Since Monday 00:00.
    weekly_solved_question_count: i64,
    consecutive_learning_days: i64,
}

/// A member's stats; one's own, or anybody's for operators.
#[utoipa::path(get, path = "/api/members/{memberId}/learn-stats", tag = "learn stats", security(("bearer" = [])),
    params(("memberId" = i64, Path)), responses((status = 200, body = Totals), (status = 404, description = "L_001")))]
async fn learn_stats(
    State(stats): State<Arc<LearnStats>>,
    caller: Caller,
    PathId(member): PathId,
) -> Result<Json<Totals>, ApiError> {
    own(&caller, member)?;
    let stats = stats.stats(member).await?.ok_or(codes::STATS_NOT_FOUND)?;
    Ok(Json(Totals {
        total_question_set_count: stats.living_sets,
        total_solved_question_set_count: stats.solved_sets,
        total_solved_question_count: stats.solved_questions,
        weekly_solved_question_count: stats.week,
        consecutive_learning_days: stats.streak,
    }))
}

#[derive(Debug, Deserialize)]
struct Range {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DayCount {
    date: NaiveDate,
    /// Solved questions.
    count: i64,
}

/// What a member solved on each day from `from` to `to`, both included; days without anything are left out.
#[utoipa::path(get, path = "/api/members/{memberId}/daily-stats", tag = "learn stats", security(("bearer" = [])),
    params(("memberId" = i64, Path), ("from" = Option<NaiveDate>, Query, description = "yyyy-MM-dd; by default 29 days before `to`"),
        ("to" = Option<NaiveDate>, Query, description = "yyyy-MM-dd; by default today")),
    responses((status = 200, body = Vec<DayCount>), (status = 400, description = "C_003"), (status = 404, description = "L_001")))]
async fn daily_stats(
    State(stats): State<Arc<LearnStats>>,
    caller: Caller,
    PathId(member): PathId,
    Query(range): Query<Range>,
) -> Result<Json<Vec<DayCount>>, ApiError> {
    own(&caller, member)?;
    let mut fields = Fields::new();
    let to = date(&mut fields, "to", range.to).unwrap_or_else(|| stats.today());
    let from = date(&mut fields, "from", range.from)
        .or_else(|| to.checked_sub_days(Days::new(DEFAULT_DAYS - 1)))
        .unwrap_or(to);
    if from > to {
        fields.wrong("from", "to보다 늦을 수 없습니다");
    } else if (to - from).num_days().unsigned_abs() >= MOST_DAYS {
        fields.wrong("from", format!("{MOST_DAYS}일을 넘을 수 없습니다"));
    }
    fields.check()?;
    if stats.stats(member).await?.is_none() {
        return Err(codes::STATS_NOT_FOUND.into());
    }
    let days = stats.days(member, from, to).await?;
    Ok(Json(
        days.into_iter()
            .map(|day| DayCount {
                date: day.activity_date,
                count: day.solved_question_count,
            })
            .collect(),
    ))
}

fn own(caller: &Caller, member: i64) -> Result<(), ApiError> {
    if caller.id() == member || caller.0.role == Role::Admin {
        Ok(())
    } else {
        Err(codes::STATS_NOT_FOUND.into())
    }
}

fn date(fields: &mut Fields, name: &str, text: Option<String>) -> Option<NaiveDate> {
    let text = text?;
    // `%Y` alone takes years that no database keeps.
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d")
        .ok()
        .filter(|date| (1..=9999).contains(&date.year()));
    if date.is_none() {
        fields.wrong(name, "yyyy-MM-dd 형식의 날짜여야 합니다");
    }
    date
}
