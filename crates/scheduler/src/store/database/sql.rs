//! Every statement. `$n` serves both databases; where they differ, two texts stand side by side.

use ground::Dialects;

/// The columns of a [`Run`](crate::Run), which are read by name.
macro_rules! run_columns {
    () => {
        "id, job_name, scheduled_at, started_at, finished_at, node, attempt, status, cause, affected, retries, error"
    };
}

/// $1 names, $2 now. Sorted, so that two nodes that start at once do not wait for each other.
pub(crate) const REGISTER_JOBS: Dialects = Dialects {
    postgres: "INSERT INTO job (name, paused, created_at) \
     SELECT n.name, FALSE, $2 FROM unnest($1) AS n(name) ORDER BY n.name ON CONFLICT (name) DO NOTHING",
    sqlite: "INSERT INTO job (name, paused, created_at) \
     SELECT n.value, FALSE, $2 FROM json_each($1) n WHERE TRUE ON CONFLICT (name) DO NOTHING",
};

/// $1 node, $2 now.
pub(crate) const REGISTER_NODE: &str = "INSERT INTO job_node (node, seen_at) VALUES ($1, $2) \
     ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at";

/// $1 node, $2 `[{"job": …, "schedule": …}]`.
pub(crate) const SAVE_SCHEDULES: Dialects = Dialects {
    postgres: "INSERT INTO job_schedule (node, job_name, schedule) \
     SELECT $1, s.job, s.schedule FROM jsonb_to_recordset($2::jsonb) AS s(job TEXT, schedule TEXT) \
     ON CONFLICT (node, job_name) DO UPDATE SET schedule = excluded.schedule",
    sqlite: "INSERT INTO job_schedule (node, job_name, schedule) \
     SELECT $1, json_extract(s.value, '$.job'), json_extract(s.value, '$.schedule') FROM json_each($2) s WHERE TRUE \
     ON CONFLICT (node, job_name) DO UPDATE SET schedule = excluded.schedule",
};

/// $1 `[{"job": …, "schedule": …}]`, $2 now. In the order of names, so that two nodes that start at once do not wait for each other.
pub(crate) const SAVE_PLANS: Dialects = Dialects {
    postgres: "INSERT INTO job_plan (job_name, schedule) \
     SELECT s.job, s.schedule FROM jsonb_to_recordset($1::jsonb) AS s(job TEXT, schedule TEXT) ORDER BY s.job \
     ON CONFLICT (job_name) DO UPDATE SET previous = job_plan.schedule, schedule = excluded.schedule, since = $2 \
     WHERE job_plan.schedule <> excluded.schedule",
    sqlite: "INSERT INTO job_plan (job_name, schedule) \
     SELECT json_extract(s.value, '$.job'), json_extract(s.value, '$.schedule') FROM json_each($1) s WHERE TRUE \
     ON CONFLICT (job_name) DO UPDATE SET previous = job_plan.schedule, schedule = excluded.schedule, since = $2 \
     WHERE job_plan.schedule <> excluded.schedule",
};

/// $1 node.
pub(crate) const FORGET_SCHEDULES: &str = "DELETE FROM job_schedule WHERE node = $1";

/// $1 nodes seen since, $2 and before: one that was seen in the future was seen before the clock was set back.
pub(crate) const SCHEDULE_CONFLICTS: &str = "SELECT s.job_name, s.schedule, s.node FROM job_schedule s JOIN job_node n ON n.node = s.node \
     WHERE n.seen_at >= $1 AND n.seen_at <= $2 AND s.job_name IN \
       (SELECT o.job_name FROM job_schedule o JOIN job_node m ON m.node = o.node WHERE m.seen_at >= $1 AND m.seen_at <= $2 \
         GROUP BY o.job_name HAVING MIN(o.schedule) <> MAX(o.schedule)) \
     ORDER BY s.job_name, s.schedule, s.node";

/// $1 node.
pub(crate) const KNOWN_NODE: &str = "SELECT 1 AS known FROM job_node WHERE node = $1";

/// $1 name, $2 now.
pub(crate) const PAUSE: &str = "INSERT INTO job (name, paused, created_at) VALUES ($1, TRUE, $2) \
     ON CONFLICT (name) DO UPDATE SET paused = TRUE";

/// $1 name, $2 now. Slots that passed during the pause were skipped on purpose, so they are not missed. A job that was not
/// paused still has its missed slots.
pub(crate) const RESUME: &str = "INSERT INTO job (name, paused, created_at) VALUES ($1, FALSE, $2) \
     ON CONFLICT (name) DO UPDATE SET paused = FALSE, resumed_at = $2 WHERE job.paused";

/// $1 name, $2 slot, $3 now. The lock row remembers its last owner only. That a foreign one ran the slot must outlast it.
pub(crate) const RAN_ELSEWHERE: &str = "INSERT INTO job (name, paused, foreign_slot, created_at) VALUES ($1, FALSE, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET foreign_slot = $2 WHERE job.foreign_slot IS NULL OR job.foreign_slot < $2";

/// $1 name.
pub(crate) const JOB: &str =
    "SELECT paused, created_at, resumed_at, foreign_slot FROM job WHERE name = $1";

/// $1 name. The row stays as read until the transaction ends, so that a pause comes wholly before a run or wholly after.
pub(crate) const PAUSED: Dialects = Dialects {
    postgres: "SELECT paused FROM job WHERE name = $1 FOR SHARE",
    // SQLite's one writer is this transaction.
    sqlite: "SELECT paused FROM job WHERE name = $1",
};

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

/// $1 id.
pub(crate) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM job_run WHERE id = $1");

/// $1 names. The last run of each.
pub(crate) const LAST_RUNS: Dialects = Dialects {
    postgres: concat!(
        "SELECT ",
        run_columns!(),
        " FROM job_run WHERE id IN (SELECT (SELECT l.id FROM job_run l WHERE l.job_name = n.name \
       ORDER BY l.started_at DESC, l.id DESC LIMIT 1) FROM unnest($1) AS n(name))"
    ),
    sqlite: concat!(
        "SELECT ",
        run_columns!(),
        " FROM job_run WHERE id IN (SELECT (SELECT l.id FROM job_run l WHERE l.job_name = n.value \
       ORDER BY l.started_at DESC, l.id DESC LIMIT 1) FROM json_each($1) n)"
    ),
};

/// The names of all paused jobs.
pub(crate) const PAUSED_JOBS: &str = "SELECT name FROM job WHERE paused";

/// Of all runs in flight.
pub(crate) const PROGRESS: &str = "SELECT r.job_name, p.done, p.total FROM job_progress p JOIN job_run r ON r.id = p.run_id \
     WHERE r.status = 'RUNNING' ORDER BY r.id";

/// $1 run, $2 done, $3 total, $4 now.
pub(crate) const SAVE_PROGRESS: &str = "INSERT INTO job_progress (run_id, done, total, updated_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (run_id) DO UPDATE SET done = excluded.done, total = excluded.total, updated_at = excluded.updated_at";

/// $1 run.
pub(crate) const END_PROGRESS: &str = "DELETE FROM job_progress WHERE run_id = $1";

/// $1 job, $2 slot.
pub(crate) const SLOT_RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM job_run WHERE job_name = $1 AND scheduled_at = $2 AND cause <> 'MANUAL' ORDER BY attempt"
);

/// $1 `[{"job": …, "oldest": …, "slots": […]}]`. The runs of these slots.
pub(crate) const ASKED_RUNS: Dialects = Dialects {
    postgres: concat!(
        "SELECT ",
        run_columns!(),
        " FROM job_run WHERE cause <> 'MANUAL' AND (job_name, scheduled_at) IN (SELECT a.job, unnest(a.slots) \
       FROM jsonb_to_recordset($1::jsonb) AS a(job TEXT, slots TIMESTAMPTZ[]))"
    ),
    sqlite: concat!(
        "SELECT ",
        run_columns!(),
        " FROM job_run WHERE cause <> 'MANUAL' AND (job_name, scheduled_at) IN (SELECT json_extract(a.value, '$.job'), s.value \
       FROM json_each($1) a, json_each(a.value, '$.slots') s)"
    ),
};

/// $1 as for [`ASKED_RUNS`]. What [`JOB`] says of each, and the slots beside them that have runs.
pub(crate) const ASKED_JOBS: Dialects = Dialects {
    postgres: "SELECT a.job, j.paused, j.created_at, j.resumed_at, j.foreign_slot, p.previous, p.since, \
       (SELECT MIN(r.scheduled_at) FROM job_run r WHERE r.job_name = a.job AND r.cause <> 'MANUAL') AS first_slot, \
       (SELECT MAX(r.scheduled_at) FROM job_run r WHERE r.job_name = a.job AND r.cause <> 'MANUAL' \
         AND r.scheduled_at > a.oldest AND r.scheduled_at <> ALL (a.slots)) AS newest_other \
     FROM jsonb_to_recordset($1::jsonb) AS a(job TEXT, oldest TIMESTAMPTZ, slots TIMESTAMPTZ[]) LEFT JOIN job j ON j.name = a.job \
     LEFT JOIN job_plan p ON p.job_name = a.job",
    sqlite: "SELECT a.job, j.paused, j.created_at, j.resumed_at, j.foreign_slot, p.previous, p.since, \
       (SELECT MIN(r.scheduled_at) FROM job_run r WHERE r.job_name = a.job AND r.cause <> 'MANUAL') AS first_slot, \
       (SELECT MAX(r.scheduled_at) FROM job_run r WHERE r.job_name = a.job AND r.cause <> 'MANUAL' \
         AND r.scheduled_at > a.oldest AND r.scheduled_at NOT IN (SELECT s.value FROM json_each(a.slots) s)) AS newest_other \
     FROM (SELECT json_extract(value, '$.job') AS job, json_extract(value, '$.oldest') AS oldest, json_extract(value, '$.slots') AS slots \
       FROM json_each($1)) a LEFT JOIN job j ON j.name = a.job \
     LEFT JOIN job_plan p ON p.job_name = a.job",
};

/// $1 job, $2 lock owner.
pub(crate) const OWNER: &str = "SELECT status, cause FROM job_run WHERE job_name = $1 AND lock_owner = $2 ORDER BY id DESC LIMIT 1";

/// $1 job, $2 below this id, $3 how many.
pub(crate) const HISTORY: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM job_run WHERE job_name = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
);

/// A RUNNING row is alive while the lock is its own and has not lapsed by the database's clock. A row without an
/// owner (a script's) is alive while anybody but another run of the job owns it.
/// $1 now, $2 reason.
pub(crate) const ABANDON: Dialects = Dialects {
    postgres: concat!(
        "UPDATE job_run SET status = 'ABANDONED', finished_at = $1, error = $2 \
     WHERE status = 'RUNNING' AND NOT EXISTS (SELECT 1 FROM shedlock s WHERE s.name = job_run.job_name \
       AND extract(epoch FROM s.lock_until) > extract(epoch FROM clock_timestamp()) \
       AND (s.locked_by = job_run.lock_owner OR (job_run.lock_owner IS NULL AND NOT EXISTS \
         (SELECT 1 FROM job_run other WHERE other.job_name = s.name AND other.lock_owner = s.locked_by)))) \
     RETURNING ",
        run_columns!()
    ),
    sqlite: concat!(
        "UPDATE job_run SET status = 'ABANDONED', finished_at = $1, error = $2 \
     WHERE status = 'RUNNING' AND NOT EXISTS (SELECT 1 FROM shedlock s WHERE s.name = job_run.job_name \
       AND s.lock_until > strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now') \
       AND (s.locked_by = job_run.lock_owner OR (job_run.lock_owner IS NULL AND NOT EXISTS \
         (SELECT 1 FROM job_run other WHERE other.job_name = s.name AND other.lock_owner = s.locked_by)))) \
     RETURNING ",
        run_columns!()
    ),
};

/// What the scan asks first, so that it need not write.
pub(crate) const RUNNING_JOBS: &str =
    "SELECT DISTINCT job_name FROM job_run WHERE status = 'RUNNING' ORDER BY job_name";

/// $1 ended before, $2 how many. The newest run of each job stays, whatever its age: it says that the job has run.
pub(crate) const PRUNE: &str = "DELETE FROM job_run WHERE id IN (SELECT id FROM job_run r WHERE r.finished_at < $1 AND r.status <> 'RUNNING' \
       AND EXISTS (SELECT 1 FROM job_run n WHERE n.job_name = r.job_name AND n.id > r.id) ORDER BY r.id LIMIT $2)";

/// $1 seen before.
pub(crate) const PRUNE_NODES: &str = "DELETE FROM job_node WHERE seen_at < $1";

pub(crate) const PRUNE_SCHEDULES: &str =
    "DELETE FROM job_schedule WHERE node NOT IN (SELECT node FROM job_node)";

/// What a run reports while this goes on is reported again a second later.
pub(crate) const PRUNE_PROGRESS: &str = "DELETE FROM job_progress WHERE run_id NOT IN (SELECT id FROM job_run WHERE status = 'RUNNING')";
