//! What to lock, and for how long.

use std::time::Duration;

use thiserror::Error;

/// Characters in the `name` column, as in Java ShedLock.
pub const MAX_NAME_LENGTH: usize = 64;

/// The longest duration accepted. Longer ones are typing errors, and would overflow a timestamp.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Why a [`LockConfiguration`] was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The name is empty.
    #[error("a lock needs a name of 1 to 64 characters")]
    EmptyName,
    /// The name does not fit the column. Some databases would cut it in silence, and then nothing matches it.
    #[error("the lock name {name:?} has {length} characters; the column holds 64: shorten it")]
    NameTooLong {
        /// The refused name.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// The name holds a NUL character, which PostgreSQL cannot store.
    #[error("the lock name {0:?} holds a NUL character: remove it")]
    NulInName(String),
    /// A lock that is held at most for no time is no lock.
    #[error("the lease (lock at most for) of lock {0:?} is zero: give it a duration")]
    ZeroLease(String),
    /// More than a hundred years.
    #[error("a duration of lock {0:?} is longer than 100 years: shorten it")]
    DurationTooLong(String),
}

/// What to lock, and for how long. Java ShedLock's `LockConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockConfiguration {
    name: String,
    at_most: Duration,
    at_least: Duration,
}

impl LockConfiguration {
    /// A lock on `name`.
    ///
    /// When its holder dies, it is free `at_most` after its acquisition or last extension. It stays taken until
    /// `at_least` after its acquisition, even when it is unlocked sooner.
    ///
    /// `at_least` may exceed `at_most`: it is applied at unlock. Both count to the microsecond. MySQL, SQLite and
    /// Redis round up to the millisecond.
    ///
    /// # Errors
    /// A name that is empty, longer than 64 characters or has a NUL; a lease of zero; a duration of more than 100
    /// years.
    pub fn new(
        name: impl Into<String>,
        at_most: Duration,
        at_least: Duration,
    ) -> Result<Self, ConfigurationError> {
        let name = name.into();
        let length = name.chars().count();
        if length == 0 {
            return Err(ConfigurationError::EmptyName);
        }
        if length > MAX_NAME_LENGTH {
            return Err(ConfigurationError::NameTooLong { name, length });
        }
        if name.contains('\0') {
            return Err(ConfigurationError::NulInName(name));
        }
        if at_most.is_zero() {
            return Err(ConfigurationError::ZeroLease(name));
        }
        if at_most > MAX_DURATION || at_least > MAX_DURATION {
            return Err(ConfigurationError::DurationTooLong(name));
        }
        Ok(Self {
            name,
            at_most,
            at_least,
        })
    }

    /// The name of the lock: the row's key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lease: how long the lock outlives a holder that neither extends nor unlocks it.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.at_most
    }

    /// How long after its acquisition the lock stays taken at the least.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }
}
