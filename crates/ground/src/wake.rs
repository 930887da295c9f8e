//! Waking other processes through PostgreSQL's NOTIFY, after the commit and never within it: inside the business
//! transaction, NOTIFY takes a lock on the whole server at the commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::{Database, Statements, postgres::Target};

/// From one notification to the next; what is asked for in between is one.
const PAUSE: Duration = Duration::from_millis(20);
/// One notification may take this long.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is tried, and the pause before it is tried again.
const TRIES: u32 = 4;
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// What was asked for has this long to be sent before the pool is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// After so long a silence the connection is asked whether it still lives: a broken network says nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// It has this long to be made, and to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before the first new connection, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Tells the other processes that listen on the same channel of the same database that there is something to do, and hears
/// it from them. It says that, not what: whoever is woken looks for itself, and looks now and then unasked, because
/// nothing is kept for who is not connected.
///
/// Notifications go out over the pool, one at a time; listening takes a connection of its own, which must be a session:
/// through a pooler in transaction mode a LISTEN would stay with whoever uses its server next ([`over`](Self::over)).
#[derive(Debug, Clone)]
pub struct PostgresWake(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    listen: Listen,
    channel: String,
    /// Sent along, so that it is not woken by itself.
    own: String,
    sender: AtomicU8,
    idle: Notify,
}

/// Where it listens.
#[derive(Debug)]
enum Listen {
    /// Where the pool's connections lead now.
    LikeThePool,
    At(Target),
    /// Only a pooler in transaction mode is known.
    Nowhere,
}

const IDLE: u8 = 0;
const SENDING: u8 = 1;
const SENDING_AND_ASKED_AGAIN: u8 = 2;

impl PostgresWake {
    /// Wakes on this channel (a name of at most 63 bytes, the same in every process).
    #[must_use]
    pub fn new(pool: PgPool, channel: impl Into<String>) -> Self {
        Self::of(pool.into(), Listen::LikeThePool, channel.into())
    }

    /// Wakes over this database. Unless `listen` leads to a connection of its own past any pooler, it listens where the pool leads;
    /// behind a pooler in transaction mode it then only wakes others, and who is not woken looks for work at each tick.
    #[must_use]
    pub fn over(database: Database, listen: Option<Target>, channel: impl Into<String>) -> Self {
        let listen = match listen {
            Some(target) => Listen::At(target),
            None if database.is_behind_transaction_pooler() => Listen::Nowhere,
            None => Listen::LikeThePool,
        };
        Self::of(database, listen, channel.into())
    }

    fn of(database: Database, listen: Listen, channel: String) -> Self {
        Self(Arc::new(Shared {
            database,
            listen,
            channel,
            own: Uuid::new_v4().to_string(),
            sender: AtomicU8::new(IDLE),
            idle: Notify::new(),
        }))
    }

    /// Wakes the others, soon and once for many calls. Call it after the commit, in a tokio runtime. One that cannot
    /// be sent is tried a few times more, then logged.
    pub fn notify(&self) {
        let before = self
            .0
            .sender
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
                IDLE => Some(SENDING),
                SENDING => Some(SENDING_AND_ASKED_AGAIN),
                _ => None,
            });
        if before == Ok(IDLE) {
            tokio::spawn(Arc::clone(&self.0).send_while_asked());
        }
    }

    /// Waits until what was asked for is sent, for a second at most: before the pool is closed.
    pub async fn flush(&self) {
        let flushed = async {
            loop {
                // Made before the look: it also hears of what ends in between.
                let idle = self.0.idle.notified();
                if self.0.sender.load(Ordering::Acquire) == IDLE {
                    return;
                }
                idle.await;
            }
        };
        if timeout(FLUSH_TIMEOUT, flushed).await.is_err() {
            debug!(
                channel = self.0.channel,
                "the last wake-up was not sent; others find the work at their next tick"
            );
        }
    }

    /// Calls `on_wake` for each notification of another process, and each time that the connection is made: something
    /// may have been missed. Makes it anew whenever it is lost, until cancelled.
    pub async fn run(&self, cancel: CancellationToken, on_wake: impl Fn()) {
        if matches!(self.0.listen, Listen::Nowhere) {
            cancel.cancelled().await;
            return;
        }
        let mut backoff = BACKOFF.0;
        let mut connected = true;
        loop {
            let listening = self.0.listen(|first| {
                if first && !connected {
                    info!(channel = self.0.channel, "wake-ups are heard again");
                }
                if first {
                    connected = true;
                    backoff = BACKOFF.0;
                }
                on_wake();
            });
            let Some(Err(error)) = cancel.run_until_cancelled(listening).await else {
                return;
            };
            if connected {
                warn!(
                    channel = self.0.channel,
                    %error,
                    "wake-ups of other processes are not heard, and their work waits for the next tick, until the database answers again"
                );
            }
            connected = false;
            let pause = backoff.mul_f64(rand::random_range(0.5..1.0));
            backoff = (backoff * 2).min(BACKOFF.1);
            if cancel
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
            {
                return;
            }
        }
    }
}

/// The listener's connection is of no more use.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("the server takes no writes any more, and so hears of none")]
    Standby,
    #[error("no answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
}

/// A server that became a standby hears of nothing any more.
async fn is_primary(listener: &mut PgListener) -> Result<(), Lost> {
    let asked = sqlx::raw_sql("SHOW transaction_read_only");
    let row = sqlx::Executor::fetch_one(listener, asked).await?;
    let read_only: String = sqlx::Row::try_get(&row, 0)?;
    if read_only == "on" {
        return Err(Lost::Standby);
    }
    Ok(())
}

/// A loop that only an error ends.
enum Never {}

impl Shared {
    async fn send_while_asked(self: Arc<Self>) {
        let mut failed = 0;
        loop {
            let next = Instant::now() + PAUSE;
            match self.send().await {
                Ok(()) => failed = 0,
                Err(error) => {
                    failed += 1;
                    if failed < TRIES {
                        debug!(channel = self.channel, %error, "a wake-up was not sent; it is sent again soon");
                        sleep_until(next + TRY_AGAIN).await;
                        continue;
                    }
                    failed = 0;
                    debug!(channel = self.channel, %error, "a wake-up was not sent; others find the work at their next tick");
                }
            }
            sleep_until(next).await;
            let ended =
                self.sender
                    .compare_exchange(SENDING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if ended.is_ok() {
                self.idle.notify_waiters();
                return;
            }
            self.sender.store(SENDING, Ordering::Release);
        }
    }

    async fn send(&self) -> Result<(), Lost> {
        let values = vec![self.channel.as_str().into(), self.own.as_str().into()];
        let sending = self.database.run("SELECT pg_notify($1, $2)", values);
        timeout(SEND_TIMEOUT, sending).await??;
        Ok(())
    }

    /// Listens until the connection is lost. `on_wake` is told whether it is the first call.
    async fn listen(&self, mut on_wake: impl FnMut(bool)) -> Result<Never, Lost> {
        // Whoever looks at the server's connections sees what this one is for.
        let name = format!("wake-ups of {}", self.channel);
        let options = match (&self.listen, self.database.postgres()) {
            (Listen::At(target), _) => target.primary().await,
            (_, Some(pool)) => pool.connect_options().as_ref().clone(),
            (_, None) => return Err(Lost::Closed),
        };
        // A pool for this one connection: the other one may be full, and must not be short of it.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options.application_name(&name));
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        timeout(ANSWER_TIMEOUT, listener.listen(&self.channel)).await??;
        on_wake(true);
        loop {
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(notification))) if notification.payload() == self.own => {}
                Ok(Ok(Some(_))) => on_wake(false),
                Ok(Ok(None)) => return Err(Lost::Closed),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    timeout(ANSWER_TIMEOUT, is_primary(&mut listener)).await??;
                }
            }
        }
    }
}
