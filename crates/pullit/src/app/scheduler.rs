//! Step 4: the scheduler with its jobs, and the rooms that they work with.

use std::sync::Arc;

use outbox::Relay;
use scheduler::{Clock, Scheduler};

use super::BuildError;
use super::foundation::Foundation;
use super::pruning::{Runs, kept};
use super::rooms::DomainRooms;
use crate::housekeeping::Housekeeping;
use crate::schedulers::{self, Rooms};

pub(super) fn build(
    base: &Foundation,
    rooms: &DomainRooms,
    relay: &Arc<Relay>,
    clock: Arc<dyn Clock>,
) -> Result<(Scheduler, Rooms), BuildError> {
    let runs = Runs::default();
    let housekeeping = Housekeeping::new(Arc::clone(&base.now), kept(base, rooms, &runs));
    let rooms = Rooms {
        question_sets: rooms.question_sets.clone(),
        sources: Arc::clone(&rooms.sources),
        learn_stats: Arc::clone(&rooms.learn_stats),
        relay: Arc::clone(relay),
        signal: base.signal.clone(),
        feed: Arc::clone(&rooms.feed),
        housekeeping: Arc::new(housekeeping),
    };
    let scheduler = Scheduler::builder()
        .database(base.db.write())
        .cluster_locks(Arc::clone(&base.locks))
        .clock(clock)
        .node_id(base.config.node_id.as_str())
        .jobs(schedulers::jobs(&base.config, &rooms)?)
        .build()?;
    runs.of(scheduler.clone());
    Ok((scheduler, rooms))
}
