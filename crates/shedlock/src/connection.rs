//! Statements on connections of a pool.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sqlx::{Connection as _, Database, Pool, pool::PoolConnection};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    LockError,
    database::{is_read_only, lock_error},
};

/// How long a connection waits for the next statement before the pool gets it back.
const LINGER: Duration = Duration::from_millis(20);

/// What becomes of a connection whose statement is given up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GivenUp {
    /// It is closed. A pool would wait for the end of that statement to use the connection again: behind a
    /// locked row as long as the row is locked, on a dead network for minutes. A few of those and the pool
    /// is empty, just when a lease should be extended.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    Close,
    /// The pool gets it back: its statement ends by itself, and a database in memory ends with its connection.
    #[cfg(feature = "sqlite")]
    Return,
}

/// The connections of a pool, with a shortcut past it: giving one back costs the pool a round trip.
///
/// A connection lingers after its statement only while the pool has others to give.
#[derive(Debug)]
pub(crate) struct Connections<D: Database> {
    pool: Pool<D>,
    given_up: GivenUp,
    lingering: Arc<Mutex<Lingering<D>>>,
}

#[derive(Debug)]
struct Lingering<D: Database> {
    /// Each with the time at which the pool gets it back; the soonest first.
    connections: Vec<(Instant, PoolConnection<D>)>,
    watched: bool,
}

impl<D: Database> Connections<D> {
    pub(crate) fn new(pool: Pool<D>, given_up: GivenUp) -> Self {
        Self {
            pool,
            given_up,
            lingering: Arc::new(Mutex::new(Lingering {
                connections: Vec::new(),
                watched: false,
            })),
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    pub(crate) async fn one(&self) -> Result<Connection<'_, D>, LockError> {
        let lingering = locked(&self.lingering).connections.pop();
        let pooled = match lingering {
            Some((_, pooled)) => pooled,
            None => self.clean().await.map_err(lock_error)?,
        };
        Ok(Connection {
            connections: self,
            pooled: Some(pooled),
            state: State::Untouched,
        })
    }

    /// One that is in no transaction.
    async fn clean(&self) -> Result<PoolConnection<D>, sqlx::Error> {
        loop {
            let mut pooled = self.pool.acquire().await?;
            if !is_left_in_transaction::<D>(&mut pooled).await {
                return Ok(pooled);
            }
            pooled.close_on_drop();
        }
    }

    /// Whether the pool can do without this connection for a while.
    fn has_others(&self) -> bool {
        if self.pool.is_closed() {
            return false;
        }
        let in_use = (self.pool.size() as usize).saturating_sub(self.pool.num_idle());
        in_use < self.pool.options().get_max_connections() as usize
    }

    fn linger(&self, pooled: PoolConnection<D>, runtime: &Handle) {
        let until = Instant::now() + LINGER;
        let watched = {
            let mut lingering = locked(&self.lingering);
            lingering.connections.push((until, pooled));
            std::mem::replace(&mut lingering.watched, true)
        };
        // Without the lock: a runtime that is ending drops the watch at once.
        if !watched {
            runtime.spawn(watch(Watch {
                lingering: Arc::downgrade(&self.lingering),
                over: false,
            }));
        }
    }
}

/// Whether a connection is in a transaction that nobody ends. SQLite rolls back by itself when its disk is full, and its driver then
/// waits for an end that cannot come.
async fn is_left_in_transaction<D: Database>(connection: &mut D::Connection) -> bool {
    // A rollback may be under way: an answer comes after it.
    connection.is_in_transaction()
        && (connection.ping().await.is_err() || connection.is_in_transaction())
}

// No code that can panic runs under this lock, so poison means nothing.
fn locked<D: Database>(lingering: &Mutex<Lingering<D>>) -> MutexGuard<'_, Lingering<D>> {
    lingering.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the pool back what nobody used again, until nothing lingers.
async fn watch<D: Database>(mut watch: Watch<D>) {
    while !watch.over {
        tokio::time::sleep(LINGER).await;
        let Some(lingering) = watch.lingering.upgrade() else {
            return;
        };
        let mut lingering = locked(&lingering);
        let now = Instant::now();
        let stale = lingering
            .connections
            .partition_point(|(until, _)| *until <= now);
        lingering.connections.drain(..stale);
        watch.over = lingering.connections.is_empty();
        lingering.watched = !watch.over;
    }
}

/// Leaves nothing unwatched when its runtime ends before it is over, or before it began.
struct Watch<D: Database> {
    lingering: Weak<Mutex<Lingering<D>>>,
    over: bool,
}

impl<D: Database> Drop for Watch<D> {
    fn drop(&mut self) {
        if !self.over
            && let Some(lingering) = self.lingering.upgrade()
        {
            let mut lingering = locked(&lingering);
            lingering.watched = false;
            lingering.leave();
        }
    }
}

impl<D: Database> Lingering<D> {
    fn leave(&mut self) {
        for (_, pooled) in self.connections.drain(..) {
            // Outside a runtime the pool cannot take a connection back, and would panic.
            if Handle::try_current().is_err() {
                drop(pooled.detach());
            }
        }
    }
}

impl<D: Database> Drop for Lingering<D> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A connection, and how it is left.
pub(crate) struct Connection<'a, D: Database> {
    connections: &'a Connections<D>,
    /// Taken by `drop` alone.
    pooled: Option<PoolConnection<D>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Untouched,
    InStatement,
    Done,
    Failed,
    /// It must not be used again: its server has become one that takes no writes, or it is in a transaction that nobody ends.
    Misleading,
}

const TAKEN: &str = "a connection is there until it is dropped";

impl<D: Database> Connection<'_, D> {
    /// Where statements run; their result goes through [`done`](Self::done).
    pub(crate) fn begin(&mut self) -> &mut D::Connection {
        self.state = State::InStatement;
        self
    }

    /// As [`done`](Self::done), for what ran in a transaction of its own.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn done_in_transaction<T>(
        &mut self,
        result: Result<T, sqlx::Error>,
    ) -> Result<T, LockError> {
        let result = self.done(result);
        if result.is_err() && is_left_in_transaction::<D>(self).await {
            self.state = State::Misleading;
        }
        result
    }

    pub(crate) fn done<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, LockError> {
        self.state = match &result {
            Ok(_) => State::Done,
            Err(error) if is_read_only(error) => State::Misleading,
            Err(_) => State::Failed,
        };
        result.map_err(lock_error)
    }
}

impl<D: Database> Deref for Connection<'_, D> {
    type Target = D::Connection;

    fn deref(&self) -> &Self::Target {
        self.pooled.as_ref().expect(TAKEN)
    }
}

impl<D: Database> DerefMut for Connection<'_, D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.pooled.as_mut().expect(TAKEN)
    }
}

impl<D: Database> Drop for Connection<'_, D> {
    fn drop(&mut self) {
        let Some(pooled) = self.pooled.take() else {
            return;
        };
        match self.state {
            State::InStatement => match self.connections.given_up {
                #[cfg(any(feature = "postgres", feature = "mysql"))]
                GivenUp::Close => {
                    let mut pooled = pooled;
                    pooled.close_on_drop();
                }
                #[cfg(feature = "sqlite")]
                GivenUp::Return => drop(pooled),
            },
            State::Misleading => {
                let mut pooled = pooled;
                pooled.close_on_drop();
            }
            State::Done if self.connections.has_others() => {
                if let Ok(runtime) = Handle::try_current() {
                    self.connections.linger(pooled, &runtime);
                }
            }
            _ => {}
        }
    }
}
