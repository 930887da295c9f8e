//! The handle on a scheduler, which everything that can be done with one begins at.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::broadcast;

use crate::clock::Reading;
use crate::core::Core;
use crate::event::Event;

/// The jobs and what an operator can do with them. Runs nothing by itself until it is started. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(crate) core: Arc<Core>,
}

impl Scheduler {
    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.core.events.subscribe()
    }

    /// By how much the wall clock was set since this scheduler was built: forwards, or back if negative. What passed by
    /// itself does not count.
    #[must_use]
    pub fn clock_set_by(&self) -> TimeDelta {
        Reading::of(&*self.core.clock).set_since(self.core.built)
    }
}
