//! What an error of the database means, decided once.

use std::error::Error;

/// What to do about an error of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Another transaction got in the way: the same work may succeed when it is repeated.
    Conflict,
    /// The database, or the way to it, is not there: try again later.
    Outage,
    /// The server takes no writes (a standby, a file without the right to write). The connection leads to the wrong place.
    ReadOnly,
    /// There is no room. Nothing was stored.
    Full,
    /// The statement or its data are at fault; trying again will not help.
    Other,
}

impl Fault {
    /// What this error means.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => error.code().map_or(Self::Other, |code| of_code(&code)),
            E::Io(_)
            | E::Tls(_)
            | E::Protocol(_)
            | E::PoolTimedOut
            | E::PoolClosed
            | E::WorkerCrashed
            | E::BeginFailed => Self::Outage,
            _ => Self::Other,
        }
    }

    /// Whether the database as a whole cannot do it now, whatever the statement.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(self, Self::Outage | Self::ReadOnly | Self::Full)
    }
}

/// SQLSTATEs have five characters, SQLite's result codes are numbers below that.
fn of_code(code: &str) -> Fault {
    if code.len() < 5 {
        // Extended codes keep the primary one in the low byte.
        return code
            .parse::<u32>()
            .map_or(Fault::Other, |code| of_sqlite(code & 0xff));
    }
    match code {
        // Serialization failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Fault::Conflict,
        "25006" => Fault::ReadOnly,
        "53100" => Fault::Full,
        // The server ended a transaction that was idle for too long, or that took too long.
        "25P03" | "25P04" => Fault::Outage,
        // Connections, resources, operators, the system, the server itself.
        _ if ["08", "53", "57", "58", "XX"].contains(&&code[..2]) => Fault::Outage,
        _ => Fault::Other,
    }
}

fn of_sqlite(code: u32) -> Fault {
    match code {
        // Busy, locked.
        5 | 6 => Fault::Conflict,
        8 => Fault::ReadOnly,
        13 => Fault::Full,
        // No memory, I/O error, corrupt, cannot open, the locking protocol, not a database.
        7 | 10 | 11 | 14 | 15 | 26 => Fault::Outage,
        _ => Fault::Other,
    }
}

/// Whether a connection that said this must not be used again.
pub(crate) fn spoils(error: &sqlx::Error) -> bool {
    match error {
        // Cancelled by a timeout of the server: the connection is as good as before.
        sqlx::Error::Database(error) if error.code().as_deref() == Some("57014") => false,
        error => Fault::of(error).is_outage(),
    }
}

/// Something that cannot be: a count that is not what it must be. The transaction must be rolled back.
pub fn unexpected(what: impl Into<String>) -> sqlx::Error {
    sqlx::Error::InvalidArgument(what.into())
}

/// The error and everything that caused it, on one line. A cause that its effect already quotes is not repeated.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_the_same_wherever_it_is_met() {
        for (codes, fault) in [
            (
                &["40001", "40P01", "55P03", "5", "517", "6", "262"][..],
                Fault::Conflict,
            ),
            (&["25006", "8", "1032"], Fault::ReadOnly),
            (&["53100", "13"], Fault::Full),
            (
                &[
                    "08006", "53300", "57P01", "58030", "XX000", "25P03", "10", "4874", "14",
                ],
                Fault::Outage,
            ),
            (
                &["23505", "25P02", "42P01", "1", "19", "2067", ""],
                Fault::Other,
            ),
        ] {
            for code in codes {
                assert_eq!(of_code(code), fault, "{code}");
            }
        }
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the page was not read: {0}")]
        struct Quoting(#[source] std::io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("no document")]
        struct Outer(#[source] Quoting);
        let error = Outer(Quoting(std::io::Error::other("disk")));
        assert_eq!(chain(&error), "no document: the page was not read: disk");
    }
}
