//! Up to which id nothing can be committed any more.
//!
//! A client remembers one id: what is stored later with a smaller one would never reach it. One relay at a time stores notifications, but
//! nothing keeps a second writer out, and PostgreSQL gives ids in one order and makes rows visible in another. So nothing is sent above an id
//! that may still be committed below.
//!
//! Who inserts holds a lock on the table from before its first id until its end. Whoever wrote when an id was already visible, and writes no
//! more now, has ended: everything up to that id that will ever be, is.

use std::collections::HashSet;

/// What the database said.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// The newest id that is committed.
    pub(super) newest: i64,
    /// The transactions that write to the table.
    pub(super) writers: HashSet<String>,
}

/// What follows from one look after the other.
#[derive(Debug, Default)]
pub(super) struct Settling {
    settled: Option<i64>,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    to: i64,
    writers: HashSet<String>,
}

impl Settling {
    /// Takes in a look. Up to which id everything is settled; nothing before that is known.
    pub(super) fn learn(&mut self, look: Look) -> Option<i64> {
        if look.writers.is_empty() {
            self.raise(look.newest);
            self.waiting = None;
            return self.settled;
        }
        if let Some(waiting) = &mut self.waiting {
            waiting
                .writers
                .retain(|writer| look.writers.contains(writer));
        }
        if let Some(ended) = self.waiting.take_if(|waiting| waiting.writers.is_empty()) {
            self.raise(ended.to);
        }
        if self.waiting.is_none() && self.settled.is_none_or(|settled| look.newest > settled) {
            self.waiting = Some(Waiting {
                to: look.newest,
                writers: look.writers,
            });
        }
        self.settled
    }

    /// Whether something that is committed waits for a transaction to end.
    pub(super) fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    fn raise(&mut self, to: i64) {
        self.settled = self.settled.max(Some(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(newest: i64, writers: &[&str]) -> Look {
        Look {
            newest,
            writers: writers.iter().map(|writer| (*writer).to_owned()).collect(),
        }
    }

    #[test]
    fn an_id_is_settled_when_all_who_wrote_when_it_was_seen_have_ended() {
        let mut settling = Settling::default();
        assert_eq!(settling.learn(look(5, &[])), Some(5));
        assert_eq!(settling.learn(look(7, &["a", "b"])), Some(5));
        assert_eq!(settling.learn(look(8, &["b", "c"])), Some(5));
        assert!(settling.waits());
        // Who came later can have no smaller id than what was seen before.
        assert_eq!(settling.learn(look(9, &["c"])), Some(7));
        assert_eq!(settling.learn(look(9, &["d"])), Some(9));
        assert!(!settling.waits());
    }

    #[test]
    fn writers_who_never_pause_do_not_hold_it_back_for_ever() {
        let mut settling = Settling::default();
        let mut settled = None;
        for n in 0..100 {
            let writers = [n.to_string(), (n + 1).to_string()];
            settled = settling.learn(look(n, &[&writers[0], &writers[1]]));
        }
        assert!(settled > Some(90), "{settled:?}");
    }

    #[test]
    fn nothing_is_known_until_the_first_writers_have_ended() {
        let mut settling = Settling::default();
        assert_eq!(settling.learn(look(0, &["a"])), None);
        assert_eq!(settling.learn(look(3, &["a", "b"])), None);
        assert_eq!(settling.learn(look(3, &["b"])), Some(0));
    }

    #[test]
    fn what_is_pruned_takes_nothing_back() {
        let mut settling = Settling::default();
        settling.learn(look(5, &[]));
        assert_eq!(settling.learn(look(0, &[])), Some(5));
    }
}
