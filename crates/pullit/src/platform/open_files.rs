//! The files that this process may have open. A socket is one, and the last of them are what a database connection or a document needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept free of clients: the database, the broker, the storage, documents that are read.
const RESERVE: usize = 256;

/// Raises the limit as far as the system lets this process; how many clients may be connected within it.
pub fn room_for_clients() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::info!(%error, "the limit of open files stays as it is");
        }
    }
    let limit = getrlimit(Resource::Nofile).current;
    let files = limit.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    files.saturating_sub(RESERVE)
}

/// As many of the wanted streams as there is room for, with room left for other clients.
pub fn streams_within(room: usize, wanted: usize) -> usize {
    let streams = wanted.min(room - room / 10);
    if streams < wanted {
        tracing::warn!(
            wanted,
            streams,
            "notification.streams is more than the limit of open files allows: further streams are refused, and their clients come back; raise it (ulimit -n, LimitNOFILE)"
        );
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_leave_a_tenth_of_the_room_to_others() {
        assert_eq!(streams_within(1_000, 20_000), 900);
        assert_eq!(streams_within(1_000, 800), 800);
        assert_eq!(streams_within(0, 800), 0);
        assert_eq!(streams_within(usize::MAX, 800), 800);
    }
}
