//! Nodes: registered, known to each other by a heartbeat, and warned when their schedules differ.

mod heartbeat;
mod schedules;

pub(crate) use self::schedules::Conflicts;
