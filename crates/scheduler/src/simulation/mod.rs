//! A cluster in one process, in virtual time, from a seed: what a seed does, it does again.
//!
//! Five nodes run the real scheduler over the real lock, with its guards, extensions and shutdown. Each has a runtime of
//! its own, whose time stands unless it is run. The edges are simulated: the tables and the lock table ([`tables`]),
//! the line to them ([`world`], [`weather`]), the clocks ([`line`]), and what befalls the nodes ([`incident`],
//! [`scenario`]).
//!
//! # What happens
//! - Each call to the database takes time. It may be lost before it acted, or its answer may be. It may be slow, wait
//!   beyond every timeout, or act long after its caller has given up. Outages hit one node or all.
//! - The end of some runs is refused for ever.
//! - Nodes crash in the middle of a call or between: their runtime is dropped with all its tasks. What they have sent may
//!   arrive or not. A process of another name takes their place. They are stopped (as by SIGSTOP) and go on when more time
//!   has passed than their leases had. They are stopped gracefully.
//! - Wall clocks are up to a minute apart. Timers and lease clocks go faster or slower than the database's, by what the
//!   lock's margin promises to make up for. Wall clocks are set while a process runs, forwards and back, one or all of them,
//!   by seconds or by hours.
//! - Operators run, pause and resume. A process that knows nothing of us takes locks.
//! - Jobs are quick, long beyond their leases, failing, panicking, in conflict. They write behind the fence, and act
//!   outside the database under trust or until they are cancelled.
//!
//! Then there is a calm, after which everything owed must be done. [`judge`] says what must hold.
//!
//! # What is not simulated
//! - The SQL: the tables in memory follow its meaning, and the tests on the databases hold it to that. A transaction is one
//!   step; that PostgreSQL's row locks make it one is for those tests.
//! - Jobs of scope `node` or `none`, pruning, a database whose clock is set, thread preemption between two awaits.
//! - A statement whose caller has given up may land late, as it may in life. When that is an extension, and the lock was given
//!   back with a minimum hold meanwhile, it moves the end of that hold. The judge excuses a graceful stop for it.
//!
//! # By hand
//! `SCHEDULER_SIM_SEEDS=100000 cargo test -p scheduler --lib simulation` runs the first so many seeds.
//! `SCHEDULER_SIM_SEED=4711` runs one, with its whole trace; `-- --nocapture` shows it for a seed that holds.

mod chance;
mod cluster;
mod effects;
mod incident;
mod jobs;
mod judge;
mod line;
mod locks;
mod process;
mod scenario;
mod stores;
mod tables;
mod tests;
mod time;
mod trace;
mod verdict;
mod wall;
mod weather;
mod world;

/// A guard that is taken out, to see that the simulation misses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Broken {
    #[default]
    Nothing,
    /// `job_run` has no key on slot and attempt.
    SlotKey,
    /// Each write passes.
    Fence,
    /// Leases are trusted to their very end.
    Margin,
    /// The lock is checked in one step and the row inserted in another.
    EntryInTwoSteps,
    /// Runs are found dead by their age.
    AbandonedByAge,
    /// Nobody finds the dead.
    Blind,
    /// Extensions are confirmed and not made.
    ForgetfulExtension,
    /// Nobody misses a slot.
    Forgetful,
    /// Locks are not given back.
    NeverReleased,
    /// Pauses are measured by the wall clock.
    WallAlone,
}
