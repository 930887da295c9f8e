//! The order of the steps.

use std::path::Path;

use super::DemoError;
use super::account::{Account, Lines};
use super::documents::{ENGLISH_TEXT, KOREAN_PDF};
use super::life::{self, Expected, Wish};
use super::problem::Problem;
use super::server::{self, PrivateServer};
use super::{questions, stall};

/// How many steps there are.
pub(super) const STEPS: u64 = 18;

const FIRST: Wish = Wish {
    kind: "MULTIPLE_CHOICE",
    difficulty: "MEDIUM",
    count: 4,
    title: "세종의 과학과 한글",
};
const SECOND: Wish = Wish {
    kind: "TRUE_FALSE",
    difficulty: "EASY",
    count: 3,
    title: "Cells and heredity",
};
const AFTER_FIRST: Expected = Expected {
    sets: 1,
    questions: 4,
};
const AFTER_BOTH: Expected = Expected {
    sets: 2,
    questions: 7,
};

/// Plays all steps. The server is handed out as soon as it runs, so that whoever stops this play can stop the server.
///
/// # Errors
/// The first step that did not happen.
pub(super) async fn play(
    account: &mut Account,
    folder: &Path,
    server: &mut Option<PrivateServer>,
) -> Result<(), DemoError> {
    account.part("The life of a question set");
    let started = account
        .step("A private server starts", server::start(folder))
        .await?;
    let server: &PrivateServer = server.insert(started);
    let mut member = account
        .step("A member signs in", life::sign_in(server.url()))
        .await?;
    let mut stream = account
        .step(
            "The member opens the event stream",
            life::open_stream(&member),
        )
        .await?;
    let documents = [&KOREAN_PDF, &ENGLISH_TEXT];
    let sources = account
        .step(
            "Two documents are uploaded",
            life::upload(&member, &documents),
        )
        .await?;
    account
        .step("Their text is read", life::read(&member, &sources))
        .await?;
    let set = account
        .step(
            "The member asks for a question set",
            life::ask(&member, &sources[0], &FIRST),
        )
        .await?;
    let last_event = account
        .step(
            "The questions are made, and the event stream says so",
            life::completed(&mut stream, set),
        )
        .await?;
    let made = account
        .step("The questions", async {
            let made = questions::of_set(&member.client, set, FIRST.count).await?;
            let lines = questions::show(&made);
            Ok((made, lines))
        })
        .await?;
    let last = FIRST.count - 1;
    account
        .step(
            "The member solves the set, one question wrong on purpose",
            questions::solve(&member.client, &made, Some(last)),
        )
        .await?;
    account
        .step(
            "The learning stats follow",
            life::stats(&member, AFTER_FIRST),
        )
        .await?;

    account.part("A generation hangs, and the scheduled jobs put it right");
    let (set, stalled) = account
        .step(
            "The member asks for another set, and its generation stalls",
            stall::stall(server, &member, &sources[1], &SECOND),
        )
        .await?;
    drop(stream);
    let mut stream = account
        .step(
            "The clock moves 61 minutes on",
            stall::move_on(server, &mut member, &last_event, set),
        )
        .await?;
    account
        .step(
            "The cleanup fails the set",
            stall::clean_up(server, &member, &mut stream, set),
        )
        .await?;
    let made = account
        .step(
            "The retry brings it back",
            stall::bring_back(server, &member, &mut stream, set, SECOND.count),
        )
        .await?;
    account
        .step(
            "The stalled attempt ends after all, too late: its result is dropped",
            stall::come_late(&member, stalled, set, &made),
        )
        .await?;
    account
        .step("The member solves this set too", async {
            let mut lines: Lines = questions::show(&made);
            let (done, marks) = questions::solve(&member.client, &made, None).await?;
            lines.append(marks);
            Ok::<_, Problem>((done, lines))
        })
        .await?;
    account
        .step("Both jobs are on record", stall::history(server))
        .await?;
    account
        .step("The stats in the end", life::stats(&member, AFTER_BOTH))
        .await
}
