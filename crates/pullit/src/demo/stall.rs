//! The life of a question set when its generation hangs: guide 1.1 fails it, guide 1.2 brings it back.

use chrono::{SecondsFormat, TimeDelta};
use ground::Statements;
use scheduler::{Cause, Clock, Run, RunStatus};

use super::account::Lines;
use super::client::until;
use super::generator::Stall;
use super::life::{Member, Source, Wish, ask};
use super::metrics::dropped_results;
use super::problem::{Problem, check, equal};
use super::questions::{self, Question};
use super::server::PrivateServer;
use super::stream::EventStream;
use super::text::pad;

/// Guide 1.1.
pub(super) const CLEANUP: &str = "cleanupStalePendingQuestionSets";
/// Guide 1.2.
pub(super) const RETRY: &str = "retryFailedQuestionSetGeneration";

const FAILURE: &str = "SELECT failure_reason FROM question_set WHERE id = $1 AND status = 'FAILED'";
const RETRIES: &str = "SELECT retry_count FROM question_set WHERE id = $1";

fn path(set: i64) -> String {
    format!("/api/question-set/{set}")
}

/// Asks for a set whose generation hangs.
pub(super) async fn stall(
    server: &PrivateServer,
    member: &Member,
    source: &Source,
    wish: &Wish,
) -> Result<((i64, Stall), Lines), Problem> {
    let stall = server.generator.stall_next();
    let (set, mut lines) = ask(member, source, wish).await?;
    stall.reached().await;
    let words = member.client.get(&path(set)).await?.refused(409, "Q_002")?;
    lines
        .say("The worker has taken the request, and its generator hangs.")
        .request(&format!("GET  {}", path(set)), "409 Q_002", words);
    Ok(((set, stall), lines))
}

/// Moves the clock on; what a browser then does: it refreshes its token, and opens its stream anew from where it was.
pub(super) async fn move_on(
    server: &PrivateServer,
    member: &mut Member,
    last_event: &str,
    set: i64,
) -> Result<(EventStream, Lines), Problem> {
    let before = server.clock.now();
    server.clock.advance(TimeDelta::minutes(61));
    let zone = server.running.app.config.zone;
    let hour =
        |time: chrono::DateTime<chrono::Utc>| time.with_timezone(&zone).format("%H:%M").to_string();
    let mut lines = Lines::default();
    lines.say(format_args!(
        "{} → {} in Seoul",
        hour(before),
        hour(server.clock.now())
    ));
    let words = member
        .client
        .get("/api/members/me")
        .await?
        .refused(401, "A_002")?;
    lines.request(
        "GET  /api/members/me",
        "401 A_002",
        format_args!("{words} (after 15 min)"),
    );
    member.client.refresh().await?;
    lines.request("POST /auth/refresh", "200", "a new access token");
    let mut stream = member.client.events(Some(last_event)).await?;
    stream.expect("reconnection").await?;
    lines.request(
        "GET  /api/notifications/subscribe",
        "200",
        format_args!("reconnection, from event {last_event} on"),
    );
    let words = member.client.get(&path(set)).await?.refused(409, "Q_002")?;
    lines.request(
        &format!("GET  {}", path(set)),
        "409 Q_002",
        format_args!("{words} (still)"),
    );
    Ok((stream, lines))
}

/// Runs a job as `pullit jobs run` does; it must change exactly one question set.
async fn run(server: &PrivateServer, job: &str, lines: &mut Lines) -> Result<(), Problem> {
    let run = server
        .running
        .app
        .scheduler
        .run_now(job)
        .await
        .map_err(Problem::of)?;
    check(
        run.status == RunStatus::Succeeded,
        format_args!(
            "the run is {}: {}",
            run.status,
            run.error.as_deref().unwrap_or("-")
        ),
    )?;
    equal(
        "the number of question sets that the run changed",
        run.affected,
        1,
    )?;
    lines.request(&format!("run  {job}"), "SUCCEEDED", "affected 1");
    Ok(())
}

/// Guide 1.1: the set becomes FAILED, and its owner is told.
pub(super) async fn clean_up(
    server: &PrivateServer,
    member: &Member,
    stream: &mut EventStream,
    set: i64,
) -> Result<((), Lines), Problem> {
    let mut lines = Lines::default();
    run(server, CLEANUP, &mut lines).await?;
    let db = server.running.app.db.read();
    let reason = db
        .scalar::<String, _>(FAILURE, vec![set.into()])
        .await
        .map_err(Problem::of)?;
    equal(
        "the reason of the failure",
        reason.as_deref(),
        Some("TIMEOUT"),
    )?;
    lines.request("row  question_set", "FAILED", "failure_reason TIMEOUT");
    let words = member.client.get(&path(set)).await?.refused(409, "Q_003")?;
    lines.request(&format!("GET  {}", path(set)), "409 Q_003", words);
    let verdict = stream.verdict(set).await?;
    check(!verdict.success, "the stream says that the set is complete")?;
    lines.request(
        "SSE  questionSetCreationComplete",
        "failure",
        verdict.message,
    );
    Ok(((), lines))
}

/// Guide 1.2: the set is PENDING again, is asked for again, and this attempt makes its questions.
pub(super) async fn bring_back(
    server: &PrivateServer,
    member: &Member,
    stream: &mut EventStream,
    set: i64,
    count: usize,
) -> Result<(Vec<Question>, Lines), Problem> {
    let mut lines = Lines::default();
    run(server, RETRY, &mut lines).await?;
    let verdict = stream.verdict(set).await?;
    check(
        verdict.success,
        format_args!("the second attempt failed: {}", verdict.message),
    )?;
    lines.request(
        "SSE  questionSetCreationComplete",
        "success",
        verdict.message,
    );
    let questions = questions::of_set(&member.client, set, count).await?;
    let db = server.running.app.db.read();
    let retries = db
        .scalar::<i32, _>(RETRIES, vec![set.into()])
        .await
        .map_err(Problem::of)?;
    equal("retry_count", retries, Some(1))?;
    lines.request(
        &format!("GET  {}", path(set)),
        "200",
        format_args!("COMPLETE, {count} questions, retry_count 1"),
    );
    Ok((questions, lines))
}

/// The stalled attempt comes to its end after all: nobody waits for it, and nothing changes.
pub(super) async fn come_late(
    member: &Member,
    stall: Stall,
    set: i64,
    questions: &[Question],
) -> Result<((), Lines), Problem> {
    let before = dropped_results(&member.client).await?;
    equal("the number of results dropped so far", before, 0)?;
    stall.release().await;
    until(async || {
        let dropped = dropped_results(&member.client).await?;
        Ok(if dropped == 1 {
            Ok(())
        } else {
            Err(format!("{dropped} results dropped"))
        })
    })
    .await?;
    let now = questions::of_set(&member.client, set, questions.len()).await?;
    check(
        now == questions,
        "the late result has changed the questions",
    )?;
    let mut lines = Lines::default();
    lines
        .request(
            "GET  /metrics",
            "200",
            "question_generations_total{outcome=\"dropped\"} 1",
        )
        .request(
            &format!("GET  {}", path(set)),
            "200",
            "the very questions of the second attempt",
        );
    Ok(((), lines))
}

/// What the scheduler has on record of the two jobs.
pub(super) async fn history(server: &PrivateServer) -> Result<((), Lines), Problem> {
    let app = &server.running.app;
    let mut lines = Lines::default();
    lines.say(row(["job", "cause", "status", "affected", "ended (Seoul)"]));
    for job in [CLEANUP, RETRY] {
        let runs = app
            .scheduler
            .history(job, 10, None)
            .await
            .map_err(Problem::of)?;
        let [run] = runs.as_slice() else {
            return Err(Problem(format!(
                "{job} has {} runs on record and not 1",
                runs.len()
            )));
        };
        let as_told =
            run.status == RunStatus::Succeeded && run.cause == Cause::Manual && run.affected == 1;
        check(
            as_told,
            format_args!("the record tells another story: {run:?}"),
        )?;
        lines.say(told(run, app.config.zone));
    }
    Ok(((), lines))
}

fn told(run: &Run, zone: chrono_tz::Tz) -> String {
    let ended = run.finished_at.map_or_else(String::new, |ended| {
        ended
            .with_timezone(&zone)
            .to_rfc3339_opts(SecondsFormat::Secs, false)
    });
    row([
        &run.job_name,
        run.cause.as_str(),
        run.status.as_str(),
        &run.affected.to_string(),
        &ended,
    ])
}

fn row(cells: [&str; 5]) -> String {
    let [job, cause, status, affected, ended] = cells;
    format!(
        "{}{}{}{}{ended}",
        pad(job, 36),
        pad(cause, 10),
        pad(status, 12),
        pad(affected, 10)
    )
}
