//! `/api/notifications/subscribe`

mod endings;
mod history;
mod live;
mod nodes;
mod places;

use ground::{Dialects, Statements};
use pullit::platform::config::Span;
use serde_json::Value;
use testkit::sse::{SseEvent, SseReader};

use crate::support::{Member, Server, Setup, StubGenerator};

const DONE: &str = "questionSetCreationComplete";

async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

/// Has a set made, which gives one notification; the set's id.
async fn one_more(server: &Server, member: &Member, source: i64) -> i64 {
    let set = member.ask(&[source], "TRUE_FALSE", 1).await;
    server.settled().await;
    set
}

/// The set that an event tells of.
fn told(event: &SseEvent) -> i64 {
    let payload: Value = serde_json::from_str(&event.data).unwrap();
    payload["questionSetId"].as_i64().unwrap()
}

/// The next event but heartbeats.
async fn next(stream: &mut SseReader) -> SseEvent {
    loop {
        let event = stream.next().await;
        if event.event != "heartbeat" {
            return event;
        }
    }
}

/// Stores a notification as a script does, which wakes nobody.
const STORE: Dialects = Dialects {
    sqlite: "INSERT INTO notification (member_id, event_name, payload) \
        VALUES ($1, 'questionSetCreationComplete', json_object('questionSetId', $2))",
    postgres: "INSERT INTO notification (member_id, event_name, payload) \
        VALUES ($1, 'questionSetCreationComplete', jsonb_build_object('questionSetId', $2))",
};

async fn store(c: impl Statements<'_>, member: i64, set: i64) {
    let stored = c.run(STORE, vec![member.into(), set.into()]).await.unwrap();
    assert_eq!(stored, 1);
}

/// A node that is asleep unless it is woken.
fn only_woken() -> Setup {
    let setup = Setup::new().generator(StubGenerator::new());
    setup.config(|config| config.notification.poll = Span::hours(1))
}

async fn shake_hands(member: &Member) -> SseReader {
    let mut stream = member.stream().await;
    assert_eq!(stream.next().await.event, "handShakeComplete");
    stream
}
