//! The process that is killed: a whole node with its own relay and worker, and members at work on it.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use pullit::app::{App, Outside};
use pullit::platform::config::{Config, Span};
use pullit::server::{Roles, Running};
use question_maker::{
    Answer, GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use scheduler::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::plan::{BATCH, Part, Plan, VARIABLE};
use crate::{deadly, hands};

/// What the parent looks for at the start of a line: the test harness writes lines too.
pub(crate) const MARK: &str = "@ ";

/// Tells the parent.
pub(crate) fn say(what: &str) {
    let line = format!("\n{MARK}{}\n", what.replace('\n', " "));
    let mut out = std::io::stdout().lock();
    // The parent may be gone; then nobody needs to know.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

pub(crate) async fn run() {
    let Ok(plan) = std::env::var(VARIABLE) else {
        return;
    };
    let plan: Plan = serde_json::from_str(&plan).unwrap();
    deadly::install(plan.death.clone());
    let running = start(&plan).await;
    match plan.part {
        Part::Work => hands::work(&running.app, running.address, &plan).await,
        Part::Drain => {}
        Part::Reset => hands::reset_week(&running.app).await,
    }
    say("done");
    std::future::pending().await
}

/// A node that does not find what it needs is started again, as by any supervisor.
async fn start(plan: &Plan) -> Running {
    loop {
        match try_to_start(plan).await {
            Ok(running) => return running,
            Err(error) => say(&format!("odd: it cannot start: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn try_to_start(plan: &Plan) -> Result<Running, Box<dyn Error>> {
    let dice = StdRng::seed_from_u64(plan.seed);
    let outside = Outside {
        clock: Arc::new(Ahead(TimeDelta::seconds(plan.ahead))),
        generator: Some(Arc::new(Instant(Mutex::new(dice)))),
        program: PathBuf::from(env!("CARGO_BIN_EXE_pullit")),
    };
    let app = App::build(config(plan), outside).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let roles = Roles {
        scheduler: false,
        ..Roles::ALL
    };
    Ok(Running::start(app, roles, listener).await?)
}

fn config(plan: &Plan) -> Config {
    let mut config = Config::default();
    config.auth.jwt_secret = "a secret of the tests that is long enough".to_owned();
    config.node_id.clone_from(&plan.node);
    config.data_dir.clone_from(&plan.folder);
    config.database.url.clone_from(&plan.database);
    config.broker.url.clone_from(&plan.broker);
    config.outbox.batch = BATCH;
    // More at a time than any member is let.
    config.quotas.question_sets_pending = 0;
    config.quotas.question_sets_per_day = 0;
    config.worker.concurrency = 3;
    config.worker.lease = Span::seconds(3);
    config
}

/// A clock that is ahead of the computer's.
#[derive(Debug)]
struct Ahead(TimeDelta);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.0
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let left = (t - self.now()).to_std().unwrap_or_default();
        tokio::time::sleep(left).boxed()
    }
}

/// Makes questions at once, to which the right answer is `true`; or fails, now and then.
struct Instant(Mutex<StdRng>);

#[async_trait]
impl QuestionGenerator for Instant {
    async fn generate(
        &self,
        request: &GenerationRequest,
        _: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        match self.0.lock().unwrap().random_range(0..10) {
            0 => Err(GenerationError::Permanent {
                code: "REFUSED",
                message: "만들 수 없습니다.".to_owned(),
            }),
            1 | 2 => Err(GenerationError::Transient {
                code: "GENERATOR_DOWN",
                message: "잠시 후 다시 시도합니다.".to_owned(),
                retry_after: None,
            }),
            _ => Ok((1..=request.count).map(question).collect()),
        }
    }
}

fn question(n: usize) -> GeneratedQuestion {
    GeneratedQuestion {
        text: format!("{n}번 문제"),
        options: None,
        answer: Answer::Boolean(true),
        explanation: format!("{n}번 해설"),
    }
}
