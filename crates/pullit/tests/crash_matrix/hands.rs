//! What members, jobs and careless publishers do in a round.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ground::{Statements, from_row};
use outbox::NewEvent;
use pullit::app::App;
use pullit::question_set::events::{
    GenerationRequested, QUESTION_GENERATION_REQUESTED, QUESTION_SET_COMPLETED,
    QUESTION_SET_FAILED, SetCompleted, SetFailed,
};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use scheduler::{RunNowError, RunStatus};
use serde_json::{Value, json};
use testkit::http::{Client, Method};

use crate::child::say;
use crate::plan::{MEMBERS, Plan};

/// What a rolled-back publish speaks of: nothing may ever be heard of it.
pub(crate) const GHOST: i64 = 999_999;
/// How the titles of announcements begin that no worker made.
pub(crate) const BURST: &str = "burst-";
/// The attempts of requests that no set waits for begin here.
pub(crate) const STALE: i32 = 1_000;

const RETRY: &str = "retryFailedQuestionSetGeneration";
const RESET: &str = "triggerWeeklyResetAndRecalibration";

/// Members at work at the same time.
const HANDS: usize = 3;
/// What each of them does in a round.
const DEEDS: u32 = 14;

/// The file of a lane in which its children write what was answered: the keys of the requests.
pub(crate) fn promises(plan_folder: &std::path::Path) -> PathBuf {
    plan_folder.join("promises")
}

pub(crate) async fn work(app: &App, address: SocketAddr, plan: &Plan) {
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let promises = OpenOptions::new()
        .create(true)
        .append(true)
        .open(promises(&plan.folder))
        .unwrap();
    let promises = Arc::new(promises);
    let mut members: Vec<i64> = (1..=MEMBERS).collect();
    members.shuffle(&mut dice);
    let hands = members.into_iter().take(HANDS).map(|member| Hand {
        app: app.clone(),
        client: Client::new(&format!("http://{address}")),
        member,
        name: format!("{}-{member}", plan.node),
        dice: StdRng::seed_from_u64(dice.random()),
        promises: Arc::clone(&promises),
    });
    let hands: Vec<_> = hands.map(|hand| tokio::spawn(hand.work())).collect();
    for hand in hands {
        hand.await.unwrap();
    }
}

pub(crate) async fn reset_week(app: &App) {
    let run = app.scheduler.run_now(RESET).await.unwrap();
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
}

struct Hand {
    app: App,
    client: Client,
    member: i64,
    name: String,
    dice: StdRng,
    promises: Arc<File>,
}

struct Open {
    id: i64,
    question_set_id: i64,
}
from_row!(Open {
    id,
    question_set_id
});

impl Hand {
    async fn work(mut self) {
        self.sign_in().await;
        for deed in 0..DEEDS {
            let done = match self.dice.random_range(0..100) {
                0..30 => self.ask(deed).await,
                30..65 => self.mark(deed).await,
                65..77 => self.take_back().await,
                77..87 => self.burst(deed).await,
                87..96 => self.run_by_hand(RETRY).await,
                _ => self.run_by_hand(RESET).await,
            };
            if let Err(why) = done {
                say(&format!("odd: {why}"));
            }
            say("deed");
        }
    }

    async fn sign_in(&self) {
        let body = json!({"email": format!("m{}@example.com", self.member)});
        let token = self.send("/auth/dev-login", &body, None).await;
        match token {
            Ok(token) => self.client.set_bearer(token["accessToken"].as_str()),
            Err(why) => say(&format!("odd: {why}")),
        }
    }

    async fn send(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value, String> {
        let mut request = self.client.request(Method::POST, path).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request
            .try_send()
            .await
            .map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("{path}: {} {}", answer.status, answer.text));
        }
        if let Some(key) = key {
            (&*self.promises)
                .write_all(format!("{key}\n").as_bytes())
                .unwrap();
        }
        Ok(answer.json)
    }

    async fn ask(&mut self, deed: u32) -> Result<(), String> {
        let key = format!("{}-{deed}", self.name);
        let body = json!({
            "difficulty": "EASY", "type": "TRUE_FALSE", "title": key,
            "questionCount": self.dice.random_range(1..=3), "sourceIds": [self.member],
        });
        self.send("/api/question-set", &body, Some(&key)).await?;
        Ok(())
    }

    /// Marks a set of the member's, or one question of it.
    async fn mark(&mut self, deed: u32) -> Result<(), String> {
        let open = self.open().await.map_err(|error| error.to_string())?;
        let Some(chosen) = open.choose(&mut self.dice) else {
            return self.ask(deed).await;
        };
        let whole = self.dice.random_bool(0.6);
        let marked = open.iter().filter(|question| {
            question.id == chosen.id
                || (whole && question.question_set_id == chosen.question_set_id)
        });
        let answers: Vec<Value> = marked
            .map(|question| {
                let answer = self.dice.random_bool(0.7);
                json!({"questionId": question.id, "memberAnswer": answer, "memberAnswerType": "boolean"})
            })
            .collect();
        let key = format!("{}-{deed}", self.name);
        self.send("/api/marking", &Value::Array(answers), Some(&key))
            .await?;
        Ok(())
    }

    async fn open(&self) -> Result<Vec<Open>, sqlx::Error> {
        let sql = "SELECT q.id, q.question_set_id FROM question q JOIN question_set s ON s.id = q.question_set_id \
                   WHERE s.owner_id = $1 AND s.status = 'COMPLETE' ORDER BY s.id DESC, q.id LIMIT 40";
        self.app.db.read().rows(sql, vec![self.member.into()]).await
    }

    /// Publishes, and thinks better of it.
    async fn take_back(&mut self) -> Result<(), String> {
        let publish = async {
            let now = (self.app.now)();
            let mut tx = self.app.db.begin().await?;
            for event in [completed(GHOST, self.member), requested(GHOST, 0)] {
                outbox::publish(&mut tx, event, now).await?;
            }
            if self.dice.random() {
                tx.rollback().await;
            }
            Ok::<_, outbox::OutboxError>(())
        };
        let published = publish.await.map_err(|error| error.to_string());
        self.app.signal.notify();
        published
    }

    /// Several events of one set, for different destinations, in one transaction or two.
    async fn burst(&mut self, deed: u32) -> Result<(), String> {
        let sql = "SELECT id FROM question_set WHERE owner_id = $1 ORDER BY id DESC LIMIT 5";
        let values = vec![self.member.into()];
        let sets = self.app.db.read().scalars::<i64, _>(sql, values).await;
        let sets = sets.map_err(|error| error.to_string())?;
        let Some(set) = sets.choose(&mut self.dice).copied() else {
            return Ok(());
        };
        for part in 0..self.dice.random_range(1..=2) {
            let events = (0..self.dice.random_range(2..=4)).map(|n| {
                if self.dice.random() {
                    requested(set, STALE + n)
                } else {
                    failed(
                        set,
                        self.member,
                        format!("{BURST}{}-{deed}-{part}-{n}", self.name),
                    )
                }
            });
            let events: Vec<NewEvent> = events.collect();
            let publish = async {
                let now = (self.app.now)();
                let mut tx = self.app.db.begin().await?;
                // Publishers of one key that want their order kept lock what they speak of.
                let lock = "UPDATE question_set SET updated_at = updated_at WHERE id = $1";
                tx.run(lock, vec![set.into()]).await?;
                outbox::publish_all(&mut tx, events, now).await?;
                tx.commit().await?;
                Ok::<_, outbox::OutboxError>(())
            };
            let published = publish.await.map_err(|error| error.to_string());
            self.app.signal.notify();
            published?;
        }
        Ok(())
    }

    async fn run_by_hand(&self, job: &str) -> Result<(), String> {
        match self.app.scheduler.run_now(job).await {
            Ok(run) if run.status == RunStatus::Succeeded => Ok(()),
            Ok(run) => Err(format!("{job} is {:?}: {:?}", run.status, run.error)),
            // Somebody else is at it.
            Err(RunNowError::Locked { .. } | RunNowError::LostLock(_)) => Ok(()),
            Err(error) => Err(format!("{job}: {error}")),
        }
    }
}

fn event(event_type: &str, set: i64, payload: impl serde::Serialize) -> NewEvent {
    let payload = serde_json::to_value(payload).unwrap();
    NewEvent::new(event_type, format!("question-set:{set}"), payload)
}

fn requested(set: i64, attempt: i32) -> NewEvent {
    let payload = GenerationRequested {
        version: 1,
        question_set_id: set,
        attempt,
    };
    event(QUESTION_GENERATION_REQUESTED, set, payload)
}

fn completed(set: i64, member: i64) -> NewEvent {
    let payload = SetCompleted {
        version: 1,
        question_set_id: set,
        member_id: member,
        title: "taken back".to_owned(),
    };
    event(QUESTION_SET_COMPLETED, set, payload)
}

fn failed(set: i64, member: i64, title: String) -> NewEvent {
    let payload = SetFailed {
        version: 1,
        question_set_id: set,
        member_id: member,
        title,
        reason: "BURST".to_owned(),
        message: "알립니다.".to_owned(),
        will_retry: false,
    };
    event(QUESTION_SET_FAILED, set, payload)
}
