//! Calls that end by themselves, too late, or never.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use futures::FutureExt;

use super::*;
use crate::fence::LeaseFence;
use crate::job::ProgressCell;
use crate::testkit::ManualClock;

fn context() -> JobContext {
    JobContext {
        cancellation: CancellationToken::new(),
        attempt: 1,
        retry: 0,
        slot: DateTime::UNIX_EPOCH,
        clock: Arc::new(ManualClock::at(DateTime::UNIX_EPOCH)),
        fencing_token: 0,
        run_id: None,
        progress: Arc::new(ProgressCell::default()),
        fence: LeaseFence {
            lost: CancellationToken::new(),
            lock: None,
            run_id: None,
        },
        trust: None,
    }
}

/// A job that holds its thread until the test lets it go, whatever cancels it.
fn blocking(over: Arc<AtomicBool>, go: std::sync::mpsc::Receiver<()>) -> Work {
    let go = Arc::new(Mutex::new(go));
    Arc::new(move |_| {
        let (over, go) = (over.clone(), go.clone());
        async move {
            // An error is as good: then it is let go by the end of the test.
            let _ = go.lock().unwrap().recv();
            over.store(true, Ordering::SeqCst);
            std::future::pending().await
        }
        .boxed()
    })
}

struct Blocked {
    over: Arc<AtomicBool>,
    let_go: std::sync::mpsc::Sender<()>,
    work: Work,
}

impl Blocked {
    fn new() -> Self {
        let (let_go, go) = std::sync::mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let work = blocking(over.clone(), go);
        Self { over, let_go, work }
    }

    async fn ends(
        &self,
        lost: &CancellationToken,
        deadline: &CancellationToken,
        expires: bool,
    ) -> Ended {
        let mut expired = if expires {
            std::future::ready(()).boxed()
        } else {
            std::future::pending().boxed()
        };
        let leash = Limits {
            lost,
            deadline,
            expired: &mut expired,
            grace: Duration::from_millis(1),
        };
        attempt(self.work.clone(), context(), leash).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_blocks_its_thread_is_waited_for_beyond_every_time_limit() {
    let (never, now) = (CancellationToken::new(), CancellationToken::new());
    now.cancel();
    for (deadline, expires) in [(&never, true), (&now, false)] {
        let blocked = Blocked::new();
        let let_go = blocked.let_go.clone();
        std::thread::spawn(move || {
            // Long after the grace: what comes back before has not waited.
            std::thread::sleep(Duration::from_millis(200));
            let_go.send(())
        });
        let ended = blocked.ends(&never, deadline, expires).await;
        assert!(
            matches!(ended, Ended::TimedOut | Ended::CutOff),
            "{ended:?}"
        );
        assert!(blocked.over.load(Ordering::SeqCst), "it has not ended yet");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_call_that_blocks_its_thread_is_not_waited_for_when_its_lease_is_lost() {
    let (never, lost) = (CancellationToken::new(), CancellationToken::new());
    let later = lost.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        later.cancel();
    });
    let while_waiting = Blocked::new();
    assert!(matches!(
        while_waiting.ends(&lost, &never, true).await,
        Ended::LeaseLost
    ));
    assert!(!while_waiting.over.load(Ordering::SeqCst));
    let at_once = Blocked::new();
    assert!(matches!(
        at_once.ends(&lost, &never, false).await,
        Ended::LeaseLost
    ));
    assert!(!at_once.over.load(Ordering::SeqCst));
}
