//! Where events go.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use ground::Connection;

use crate::{ApplyError, DeliveryError, Event};

/// An effect in the same database: it commits with the deletion of its events, exactly once.
#[async_trait]
pub trait Projection: Send + Sync {
    /// Its name: unique among the relay's destinations, and stable. Unfinished deliveries are stored under it.
    fn name(&self) -> &str;

    /// Applies events, in id order, in the transaction that deletes them.
    ///
    /// Use sqlx's own queries through [`Connection::postgres`] or [`Connection::sqlite`], or
    /// [`Statements`](crate::Statements) on either database. On an error all is rolled back, and the relay searches for
    /// the event at fault. So the same event may come again with fewer others.
    ///
    /// Return an error of the database, whatever it was: it may have ended the transaction. Savepoints are sqlx's (`begin` on
    /// the connection), and end before this returns.
    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError>;

    /// Called after the commit, for what needs no guarantee, such as waking a listener.
    async fn committed(&self, _events: &[Event]) {}
}

/// An effect outside the database: delivered outside any transaction, at least once.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Its name: unique among the relay's destinations, and stable. Unfinished deliveries are stored under it.
    fn name(&self) -> &str;

    /// Delivers events of different aggregate keys, and waits for each one's confirmation.
    ///
    /// Returns one result per event, in the same order. `Ok` means confirmed, and the event is deleted.
    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>>;
}

/// Where events of a type go.
#[derive(Clone)]
pub enum Destination {
    /// Into the same database.
    Projection(Arc<dyn Projection>),
    /// Outside.
    Transport(Arc<dyn Transport>),
}

impl Destination {
    /// The destination's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Projection(projection) => projection.name(),
            Self::Transport(transport) => transport.name(),
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Projection(a), Self::Projection(b)) => {
                std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
            }
            (Self::Transport(a), Self::Transport(b)) => {
                std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Projection(_) => "Projection",
            Self::Transport(_) => "Transport",
        };
        f.debug_tuple(kind).field(&self.name()).finish()
    }
}
