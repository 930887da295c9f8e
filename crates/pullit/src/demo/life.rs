//! The life of a question set when nothing goes wrong: from signing in to the learning stats.

use serde_json::{Value, json};

use super::account::Lines;
use super::client::{Client, number, text, until};
use super::documents::Document;
use super::problem::{Problem, check, equal};
use super::stream::EventStream;

/// A source that was uploaded.
pub(super) struct Source {
    pub(super) id: i64,
    name: &'static str,
}

/// The member who plays.
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) id: i64,
}

/// What is asked for.
pub(super) struct Wish {
    pub(super) kind: &'static str,
    pub(super) difficulty: &'static str,
    pub(super) count: usize,
    pub(super) title: &'static str,
}

pub(super) async fn sign_in(url: String) -> Result<(Member, Lines), Problem> {
    let mut client = Client::new(url)?;
    client.get("/readyz").await?.ok(200)?;
    client.get("/api/members/me").await?.refused(401, "A_001")?;
    client.sign_in("demo@pullit.example", "데모").await?;
    let me = client.get("/api/members/me").await?.ok(200)?;
    equal(
        "the member's e-mail address",
        text(&me, "/email")?.as_str(),
        "demo@pullit.example",
    )?;
    let id = number(&me, "/id")?;
    let mut lines = Lines::default();
    lines
        .request("GET  /api/members/me", "401 A_001", "not without a token")
        .request(
            "POST /auth/dev-login",
            "200",
            "an access token, and a refresh cookie",
        )
        .request(
            "GET  /api/members/me",
            "200",
            format_args!(
                "member {id}, {}, {}",
                text(&me, "/name")?,
                text(&me, "/email")?
            ),
        );
    Ok((Member { client, id }, lines))
}

pub(super) async fn open_stream(member: &Member) -> Result<(EventStream, Lines), Problem> {
    let mut stream = member.client.events(None).await?;
    let hello = stream.expect("handShakeComplete").await?;
    let created = format!("EventStream Created. userId: {}", member.id);
    equal("the greeting", hello.data.as_str(), created.as_str())?;
    let mut lines = Lines::default();
    lines
        .request("GET  /api/notifications/subscribe", "200", "stays open")
        .request("SSE  handShakeComplete", "", hello.data);
    Ok((stream, lines))
}

pub(super) async fn upload(
    member: &Member,
    documents: &[&'static Document],
) -> Result<(Vec<Source>, Lines), Problem> {
    let mut sources = Vec::new();
    let mut lines = Lines::default();
    for document in documents {
        let size = document.bytes.len();
        let wish = json!({"fileName": document.name, "contentType": document.content_type, "fileSize": size});
        let place = member
            .client
            .post("/api/learning/source/upload", &wish)
            .await?
            .ok(200)?;
        lines.request(
            "POST /api/learning/source/upload",
            "200",
            format_args!("a URL for {}", document.name),
        );
        let url = text(&place, "/uploadUrl")?;
        let put = member
            .client
            .put(&url, document.content_type, document.bytes)
            .await?;
        let status = put.status;
        check(
            (200..300).contains(&status),
            format_args!("PUT of {} answered {status}", document.name),
        )?;
        lines.request(
            "PUT  <uploadUrl>",
            &status.to_string(),
            format_args!("{size} bytes"),
        );
        let done = json!({
            "uploadId": place["uploadId"], "filePath": place["filePath"], "originalName": place["originalName"],
            "contentType": place["contentType"], "fileSizeBytes": place["fileSizeBytes"],
        });
        let source = member
            .client
            .post("/api/learning/source/upload-complete", &done)
            .await?
            .ok(200)?;
        let id = number(&source, "/id")?;
        lines.request(
            "POST /api/learning/source/upload-complete",
            "200",
            format_args!("source {id}"),
        );
        sources.push(Source {
            id,
            name: document.name,
        });
    }
    Ok((sources, lines))
}

pub(super) async fn read(member: &Member, sources: &[Source]) -> Result<((), Lines), Problem> {
    let listed = until(async || {
        let listed: Vec<Value> = member.client.get("/api/learning/source").await?.read()?;
        let ready = listed.iter().all(|source| source["status"] == "READY");
        if let Some(failed) = listed.iter().find(|source| source["status"] == "FAILED") {
            return Err(Problem(format!("a document could not be read: {failed}")));
        }
        Ok(if ready && listed.len() == sources.len() {
            Ok(listed)
        } else {
            Err(Value::Array(listed).to_string())
        })
    })
    .await?;
    let mut lines = Lines::default();
    for source in sources {
        let found = listed
            .iter()
            .find(|listed| listed["id"] == source.id && listed["originalName"] == source.name);
        let found = found.ok_or_else(|| Problem(format!("{} is not listed", source.name)))?;
        let pages = match found["pageCount"].as_i64() {
            Some(pages) => format!("{pages} pages"),
            None => "plain text".to_owned(),
        };
        lines.request(
            "GET  /api/learning/source",
            "200",
            format_args!("READY: {}, {pages}", source.name),
        );
    }
    lines.say("Each was read by a child process with bounded time and memory.");
    Ok(((), lines))
}

/// Asks for a set; its id.
pub(super) async fn ask(
    member: &Member,
    source: &Source,
    wish: &Wish,
) -> Result<(i64, Lines), Problem> {
    let body = json!({
        "difficulty": wish.difficulty, "questionCount": wish.count, "type": wish.kind, "sourceIds": [source.id], "title": wish.title,
    });
    let asked = member
        .client
        .post("/api/question-set", &body)
        .await?
        .ok(201)?;
    equal(
        "the new set's status",
        text(&asked, "/status")?.as_str(),
        "PENDING",
    )?;
    let id = number(&asked, "/id")?;
    let mut lines = Lines::default();
    lines.say(format_args!(
        "{} questions from {}, {}, {}: \u{201c}{}\u{201d}",
        wish.count, source.name, wish.kind, wish.difficulty, wish.title
    ));
    lines.request(
        "POST /api/question-set",
        "201",
        format_args!("question set {id} is PENDING"),
    );
    Ok((id, lines))
}

/// Waits for the good news; the id of the event that brings it.
pub(super) async fn completed(
    stream: &mut EventStream,
    set: i64,
) -> Result<(String, Lines), Problem> {
    let verdict = stream.verdict(set).await?;
    check(
        verdict.success,
        format_args!("the generation failed: {}", verdict.message),
    )?;
    let mut lines = Lines::default();
    lines.request(
        "SSE  questionSetCreationComplete",
        "success",
        verdict.message,
    );
    Ok((verdict.id, lines))
}

/// The stats that a member's solving must lead to.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) sets: i64,
    pub(super) questions: i64,
}

pub(super) async fn stats(member: &Member, expected: Expected) -> Result<((), Lines), Problem> {
    let path = format!("/api/members/{}/learn-stats", member.id);
    let whole = json!({
        "totalQuestionSetCount": expected.sets, "totalSolvedQuestionSetCount": expected.sets,
        "totalSolvedQuestionCount": expected.questions, "weeklySolvedQuestionCount": expected.questions,
        "consecutiveLearningDays": 1,
    });
    until(async || {
        let seen = member.client.get(&path).await?.ok(200)?;
        Ok(if seen == whole {
            Ok(())
        } else {
            Err(format!("{seen}, and it should be {whole}"))
        })
    })
    .await?;
    let days: Vec<Value> = member
        .client
        .get(&format!("/api/members/{}/daily-stats", member.id))
        .await?
        .read()?;
    equal("the number of days with something solved", days.len(), 1)?;
    equal(
        "what was solved today",
        number(&days[0], "/count")?,
        expected.questions,
    )?;
    let today = text(&days[0], "/date")?;
    let overview = member.client.get("/api/question-set").await?.ok(200)?;
    equal(
        "learningProgress",
        number(&overview, "/learningProgress")?,
        100,
    )?;
    let mut lines = Lines::default();
    lines
        .request(
            "GET  /api/members/{id}/daily-stats",
            "200",
            format_args!("{today}: {} questions", expected.questions),
        )
        .request(
            "GET  /api/members/{id}/learn-stats",
            "200",
            format_args!(
                "{} of {} sets solved, {} questions, {} this week, a streak of 1 day",
                expected.sets, expected.sets, expected.questions, expected.questions
            ),
        )
        .request("GET  /api/question-set", "200", "learning progress 100 %");
    Ok(((), lines))
}
