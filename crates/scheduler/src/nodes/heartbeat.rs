//! A node's heartbeat: it registers the node again and again, and compares schedules with the others.

use std::sync::Arc;
use std::time::Duration;

use ground::chain;

use super::schedules::Conflicts;
use crate::core::Core;
use crate::event::Event;

/// How often a node registers itself again, and compares its schedules with those of the others.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);
/// After so many heartbeats it publishes its schedules again, should somebody have taken it for gone.
const PUBLISH_EVERY: u32 = 60;

/// Characters of the node that fit a `locked_by` beside the lock's random tail.
const NODE_LENGTH: usize = 222;

impl Core {
    /// Lets the other nodes know of this one until the scheduler stops. Apart from the scan for dead runs, which must
    /// not wait for it.
    pub(crate) async fn run_heartbeat(self: Arc<Self>) {
        let mut published = false;
        let mut conflicts = Conflicts::new();
        for time in 0_u32.. {
            let began = self.clock.elapsed();
            published &= !time.is_multiple_of(PUBLISH_EVERY);
            if let Err(error) = self.heartbeat(&mut published, &mut conflicts).await {
                tracing::warn!(
                    error = chain(&error),
                    "could not register this node or compare its schedules; will be tried again in a minute"
                );
            }
            self.announce(Event::Heartbeat);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = self.sleep_since(began, HEARTBEAT_INTERVAL) => {}
            }
        }
    }

    async fn heartbeat(
        &self,
        published: &mut bool,
        conflicts: &mut Conflicts,
    ) -> Result<(), sqlx::Error> {
        self.register_node().await?;
        if !*published {
            self.publish_schedules().await?;
            *published = true;
        }
        self.compare_schedules(conflicts).await
    }

    /// Lets the cluster know this node's name.
    pub(crate) async fn register_node(&self) -> Result<(), sqlx::Error> {
        self.store
            .register_node(&self.short_name(), self.now())
            .await
    }

    /// This node's name, as far as a lock shows it.
    pub(crate) fn short_name(&self) -> String {
        self.node.chars().take(NODE_LENGTH).collect()
    }
}
