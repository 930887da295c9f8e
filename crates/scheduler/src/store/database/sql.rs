//! Every statement. `$n` serves both databases; where they differ, two constants stand side by side.

/// The columns of a [`Run`](crate::Run), in the order that `run_from` reads by name.
macro_rules! run_columns {
    () => {
        "id, job_name, scheduled_at, started_at, finished_at, node, attempt, status, cause, affected, retries, error"
    };
}

/// $1 name, $2 now.
pub(crate) const REGISTER_JOB: &str = "INSERT INTO job (name, paused, created_at) VALUES ($1, FALSE, $2) ON CONFLICT (name) DO NOTHING";

/// $1 node, $2 now.
pub(crate) const REGISTER_NODE: &str = "INSERT INTO job_node (node, seen_at) VALUES ($1, $2) \
     ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at";

/// $1 node.
pub(crate) const KNOWN_NODE: &str = "SELECT 1 AS known FROM job_node WHERE node = $1";

/// $1 name, $2 now.
pub(crate) const PAUSE: &str = "INSERT INTO job (name, paused, created_at) VALUES ($1, TRUE, $2) \
     ON CONFLICT (name) DO UPDATE SET paused = TRUE";

/// $1 name, $2 now. Slots that passed during the pause were skipped on purpose: they are nobody's debt. A job that was not
/// paused keeps its debts.
pub(crate) const RESUME: &str = "INSERT INTO job (name, paused, created_at) VALUES ($1, FALSE, $2) \
     ON CONFLICT (name) DO UPDATE SET paused = FALSE, resumed_at = $2 WHERE job.paused";

/// $1 name, $2 slot, $3 now. The lock row remembers its last holder only; that a foreign one ran the slot must outlast it.
pub(crate) const RAN_ELSEWHERE: &str = "INSERT INTO job (name, paused, foreign_slot, created_at) VALUES ($1, FALSE, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET foreign_slot = $2 WHERE job.foreign_slot IS NULL OR job.foreign_slot < $2";

/// $1 name.
pub(crate) const JOB: &str =
    "SELECT paused, created_at, resumed_at, foreign_slot FROM job WHERE name = $1";

/// $1 name. The row stays as read until the transaction ends, so that a pause comes wholly before a run or wholly after.
pub(crate) const PAUSED_POSTGRES: &str = "SELECT paused FROM job WHERE name = $1 FOR SHARE";
/// $1 name. SQLite's one writer is this transaction.
pub(crate) const PAUSED_SQLITE: &str = "SELECT paused FROM job WHERE name = $1";

/// $1 job, $2 slot, $3 start, $4 node, $5 attempt, $6 cause, $7 lock owner.
pub(crate) const INSERT_RUNNING: &str = "INSERT INTO job_run \
     (job_name, scheduled_at, started_at, node, attempt, status, cause, affected, retries, lock_owner) \
     VALUES ($1, $2, $3, $4, $5, 'RUNNING', $6, 0, 0, $7) \
     ON CONFLICT (job_name, scheduled_at, attempt, slot_node) WHERE cause <> 'MANUAL' DO NOTHING \
     RETURNING id";

/// $1 job, $2 slot, $3 start, $4 node, $5 attempt, $6 cause, $7 slot node, $8 end, $9 status, $10 affected, $11 retries, $12 error.
pub(crate) const INSERT_FINISHED: &str = "INSERT INTO job_run \
     (job_name, scheduled_at, started_at, node, attempt, cause, slot_node, finished_at, status, affected, retries, error) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
     ON CONFLICT (job_name, scheduled_at, attempt, slot_node) WHERE cause <> 'MANUAL' DO NOTHING \
     RETURNING id";

/// $1 id, $2 end, $3 status, $4 affected, $5 retries, $6 error. No row when somebody declared the run dead.
pub(crate) const FINISH: &str = "UPDATE job_run SET finished_at = $2, status = $3, affected = $4, retries = $5, error = $6 \
     WHERE id = $1 AND status = 'RUNNING'";

/// $1 id. The row stays as read until the transaction ends.
pub(crate) const STILL_RUNNING_POSTGRES: &str =
    "SELECT 1 AS running FROM job_run WHERE id = $1 AND status = 'RUNNING' FOR SHARE";
/// $1 id.
pub(crate) const STILL_RUNNING_SQLITE: &str =
    "SELECT 1 AS running FROM job_run WHERE id = $1 AND status = 'RUNNING'";

/// $1 id.
pub(crate) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM job_run WHERE id = $1");

/// $1 job.
pub(crate) const LAST_RUN: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM job_run WHERE job_name = $1 ORDER BY started_at DESC, id DESC LIMIT 1"
);

/// $1 job, $2 slot.
pub(crate) const SLOT_RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM job_run WHERE job_name = $1 AND scheduled_at = $2 AND cause <> 'MANUAL' ORDER BY attempt"
);

/// $1 job, $2 slot.
pub(crate) const OLDER_SLOT: &str = "SELECT 1 AS older FROM job_run WHERE job_name = $1 AND scheduled_at < $2 AND cause <> 'MANUAL' LIMIT 1";

/// $1 job, $2 slot.
pub(crate) const NEWER_SLOT: &str = "SELECT 1 AS newer FROM job_run WHERE job_name = $1 AND scheduled_at > $2 AND cause <> 'MANUAL' LIMIT 1";

/// $1 job, $2 lock owner.
pub(crate) const OWNER: &str = "SELECT status, cause FROM job_run WHERE job_name = $1 AND lock_owner = $2 ORDER BY id DESC LIMIT 1";

/// $1 job, $2 below this id, $3 how many.
pub(crate) const HISTORY: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM job_run WHERE job_name = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
);

/// A RUNNING row is alive while the lock is its own and has not lapsed by the database's clock. A row without an
/// owner (a script's) is alive while anybody but another run of the job holds it.
/// $1 now, $2 what to say.
pub(crate) const ABANDON_POSTGRES: &str = concat!(
    "UPDATE job_run SET status = 'ABANDONED', finished_at = $1, error = $2 \
     WHERE status = 'RUNNING' AND NOT EXISTS (SELECT 1 FROM shedlock s WHERE s.name = job_run.job_name \
       AND extract(epoch FROM s.lock_until) > extract(epoch FROM clock_timestamp()) \
       AND (s.locked_by = job_run.lock_owner OR (job_run.lock_owner IS NULL AND NOT EXISTS \
         (SELECT 1 FROM job_run other WHERE other.job_name = s.name AND other.lock_owner = s.locked_by)))) \
     RETURNING ",
    run_columns!()
);
/// As [`ABANDON_POSTGRES`].
pub(crate) const ABANDON_SQLITE: &str = concat!(
    "UPDATE job_run SET status = 'ABANDONED', finished_at = $1, error = $2 \
     WHERE status = 'RUNNING' AND NOT EXISTS (SELECT 1 FROM shedlock s WHERE s.name = job_run.job_name \
       AND s.lock_until > strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now') \
       AND (s.locked_by = job_run.lock_owner OR (job_run.lock_owner IS NULL AND NOT EXISTS \
         (SELECT 1 FROM job_run other WHERE other.job_name = s.name AND other.lock_owner = s.locked_by)))) \
     RETURNING ",
    run_columns!()
);

/// Whether any run is marked RUNNING: what the scan asks first, so that it need not write.
pub(crate) const ANY_RUNNING: &str =
    "SELECT 1 AS running FROM job_run WHERE status = 'RUNNING' LIMIT 1";

/// $1 ended before, $2 how many. The newest run of each job stays, whatever its age: it says that the job has run.
pub(crate) const PRUNE: &str = "DELETE FROM job_run WHERE id IN (SELECT id FROM job_run r WHERE r.finished_at < $1 AND r.status <> 'RUNNING' \
       AND EXISTS (SELECT 1 FROM job_run n WHERE n.job_name = r.job_name AND n.id > r.id) ORDER BY r.id LIMIT $2)";

/// $1 seen before.
pub(crate) const PRUNE_NODES: &str = "DELETE FROM job_node WHERE seen_at < $1";
