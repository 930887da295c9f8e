//! Statements on connections of a pool.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sqlx::{Database, Pool, pool::PoolConnection};
use tokio::{runtime::Handle, time::Instant};

use crate::{LockError, database::lock_error};

/// How long a connection waits for the next statement before the pool gets it back.
const LINGER: Duration = Duration::from_millis(20);

/// What becomes of a connection whose statement is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    pub(crate) fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    pub(crate) async fn one(&self) -> Result<Connection<'_, D>, LockError> {
        let lingering = locked(&self.lingering).connections.pop();
        let pooled = match lingering {
            Some((_, pooled)) => pooled,
            None => self.pool.acquire().await.map_err(lock_error)?,
        };
        Ok(Connection {
            connections: self,
            pooled: Some(pooled),
            state: State::Untouched,
        })
    }

    fn has_others(&self) -> bool {
        let in_use = (self.pool.size() as usize).saturating_sub(self.pool.num_idle());
        in_use < self.pool.options().get_max_connections() as usize
    }

    fn linger(&self, pooled: PoolConnection<D>, runtime: &Handle) {
        let mut lingering = locked(&self.lingering);
        let until = Instant::now() + LINGER;
        lingering.connections.push((until, pooled));
        if !lingering.watched {
            lingering.watched = true;
            runtime.spawn(watch(Arc::downgrade(&self.lingering)));
        }
    }
}

// No code that can panic runs under this lock, so poison means nothing.
fn locked<D: Database>(lingering: &Mutex<Lingering<D>>) -> MutexGuard<'_, Lingering<D>> {
    lingering.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the pool back what nobody used again, until nothing lingers.
async fn watch<D: Database>(lingering: Weak<Mutex<Lingering<D>>>) {
    loop {
        tokio::time::sleep(LINGER).await;
        let Some(lingering) = lingering.upgrade() else {
            return;
        };
        let mut lingering = locked(&lingering);
        let now = Instant::now();
        let stale = lingering
            .connections
            .partition_point(|(until, _)| *until <= now);
        lingering.connections.drain(..stale);
        if lingering.connections.is_empty() {
            lingering.watched = false;
            return;
        }
    }
}

impl<D: Database> Drop for Lingering<D> {
    fn drop(&mut self) {
        // Outside a runtime the pool cannot take a connection back, and would panic.
        if Handle::try_current().is_err() {
            for (_, pooled) in self.connections.drain(..) {
                drop(pooled.detach());
            }
        }
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
}

const TAKEN: &str = "a connection is there until it is dropped";

impl<D: Database> Connection<'_, D> {
    /// Where statements run; their result goes through [`done`](Self::done).
    pub(crate) fn begin(&mut self) -> &mut D::Connection {
        self.state = State::InStatement;
        self
    }

    pub(crate) fn done<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, LockError> {
        self.state = match &result {
            Ok(_) => State::Done,
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
        let Some(mut pooled) = self.pooled.take() else {
            return;
        };
        match self.state {
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            State::InStatement if self.connections.given_up == GivenUp::Close => {
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
