//! Background tasks that run as long as the node does: one that dies is started again, and one that keeps dying ends the node.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The pause before the first restart of a task. It doubles with each death within [`WINDOW`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// So many deaths within [`WINDOW`] are no accident: the node ends, and whoever watches over it sees that.
const DEATHS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// Watches over the background tasks of a node. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor {
    stop: CancellationToken,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// Tasks that died and were not started again yet, and the pause of each.
    down: Mutex<HashMap<&'static str, Duration>>,
    gave_up: watch::Sender<Option<String>>,
}

impl Supervisor {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            state: Arc::new(State {
                down: Mutex::default(),
                gave_up: watch::Sender::new(None),
            }),
        }
    }

    /// Whether this task runs: it has not died, or was started again since.
    pub(crate) fn is_up(&self, task: &str) -> bool {
        !self.down().contains_key(task)
    }

    /// Completes with the reason when a task cannot be kept alive.
    pub(super) fn gave_up(&self) -> impl Future<Output = String> + use<> {
        let mut changes = self.state.gave_up.subscribe();
        async move {
            match changes.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                // The sender lives as long as the node.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Keeps a task alive that can be started again. It ends when the node stops; to end before that is to die.
    pub(super) fn keep<F>(
        &self,
        task: &'static str,
        mut start: impl FnMut(CancellationToken) -> F + Send + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let this = self.clone();
        tokio::spawn(async move {
            let mut deaths = VecDeque::new();
            while let Some(cause) = this.died(tokio::spawn(start(this.stop.clone()))).await {
                let now = Instant::now();
                deaths.retain(|at| now.duration_since(*at) < WINDOW);
                deaths.push_back(now);
                if deaths.len() >= DEATHS {
                    this.give_up(task, &cause);
                    return;
                }
                let pause = FIRST_PAUSE * (1 << (deaths.len() - 1));
                tracing::error!(task, cause, again_in = ?pause, "a background task died; it is started again");
                metrics::counter!("background_task_deaths_total", "task" => task).increment(1);
                this.down().insert(task, pause);
                let pause = tokio::time::sleep(pause);
                if this.stop.run_until_cancelled(pause).await.is_none() {
                    return;
                }
                this.down().remove(task);
            }
        })
    }

    /// Waits for a task that cannot be started again. The node ends when it dies.
    pub(super) fn watch(&self, task: &'static str, running: JoinHandle<()>) -> JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move {
            if let Some(cause) = this.died(running).await {
                this.give_up(task, &cause);
            }
        })
    }

    /// Why a task ended; nothing when the node is stopping.
    async fn died(&self, running: JoinHandle<()>) -> Option<String> {
        let ended = running.await;
        match ended {
            Err(error) if error.is_panic() => Some(error.to_string()),
            _ if self.stop.is_cancelled() => None,
            _ => Some("it ended by itself".to_owned()),
        }
    }

    fn give_up(&self, task: &'static str, cause: &str) {
        self.down().insert(task, Duration::MAX);
        let reason = format!("the background task `{task}` cannot be kept alive: {cause}");
        tracing::error!(
            task,
            cause,
            "the node ends, because a background task cannot be kept alive"
        );
        self.state.gave_up.send_replace(Some(reason));
    }

    fn down(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Duration>> {
        let down = self.state.down.lock();
        down.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A task that dies so often before it lives.
    fn dying(
        times: u32,
        starts: &Arc<AtomicU32>,
    ) -> impl FnMut(CancellationToken) -> BoxedTask + use<> {
        let starts = Arc::clone(starts);
        move |stop| {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                assert!(start >= times, "start {start} dies");
                stop.cancelled().await;
            })
        }
    }

    type BoxedTask = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_is_started_again_after_growing_pauses() {
        let (stop, starts) = (CancellationToken::new(), Arc::default());
        let supervisor = Supervisor::new(stop.clone());
        let task = supervisor.keep("test", dying(4, &starts));
        let begun = Instant::now();
        for (deaths, pause) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
            while starts.load(Ordering::Relaxed) < deaths || supervisor.is_up("test") {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        while starts.load(Ordering::Relaxed) < 5 || !supervisor.is_up("test") {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.elapsed().as_secs(), 15);
        stop.cancel();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_five_times_in_a_minute_ends_the_node() {
        let supervisor = Supervisor::new(CancellationToken::new());
        let gave_up = supervisor.gave_up();
        let starts = Arc::default();
        supervisor.keep("test", dying(u32::MAX, &starts));
        let reason = gave_up.await;
        assert!(
            reason.contains("`test`") && reason.contains("start 4 dies"),
            "{reason}"
        );
        assert_eq!(starts.load(Ordering::Relaxed), 5);
        assert!(!supervisor.is_up("test"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_now_and_then_is_kept_alive_for_ever() {
        let supervisor = Supervisor::new(CancellationToken::new());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervisor.keep("test", move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            // Ends without a panic: that is no better.
            tokio::time::sleep(Duration::from_secs(15))
        });
        let hour = tokio::time::sleep(Duration::from_secs(3600));
        tokio::select! {
            reason = supervisor.gave_up() => panic!("{reason}"),
            () = hour => {}
        }
        assert!(starts.load(Ordering::Relaxed) > 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_cannot_be_started_again_ends_the_node_by_its_death() {
        let stop = CancellationToken::new();
        let supervisor = Supervisor::new(stop.clone());
        let gave_up = supervisor.gave_up();
        supervisor.watch("test", tokio::spawn(async { panic!("once") }));
        assert!(gave_up.await.contains("once"));

        let supervisor = Supervisor::new(stop.clone());
        stop.cancel();
        supervisor
            .watch("test", tokio::spawn(async {}))
            .await
            .unwrap();
        assert!(
            supervisor.is_up("test"),
            "the node stops, and the task with it"
        );
    }
}
