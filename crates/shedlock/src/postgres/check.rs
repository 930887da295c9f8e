//! What can be wrong with the tables.

use sqlx::{Row, postgres::PgRow};
use tracing::warn;

pub(super) const COLUMNS: &str = "SELECT t.relname::text AS table_name, a.attname::text AS column_name,
       format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
 WHERE t.oid IN (to_regclass('shedlock'), to_regclass('shedlock_fence')) AND a.attnum > 0 AND NOT a.attisdropped";

pub(super) const KEYS: &str = "SELECT t.relname::text AS table_name
  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
 WHERE t.oid IN (to_regclass('shedlock'), to_regclass('shedlock_fence'))
   AND i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'name'";

const EXPECTED: [(&str, &str, &[&str]); 6] = [
    ("shedlock", "name", &["character varying(64)", "text"]),
    ("shedlock", "lock_until", TIMES),
    ("shedlock", "locked_at", TIMES),
    ("shedlock", "locked_by", &["character varying(255)", "text"]),
    ("shedlock_fence", "name", &["character varying(64)", "text"]),
    ("shedlock_fence", "token", &["bigint"]),
];
const TIMES: &[&str] = &["timestamp without time zone", "timestamp with time zone"];

/// From the rows of [`COLUMNS`] and [`KEYS`].
pub(super) fn problems(
    column_rows: &[PgRow],
    key_rows: &[PgRow],
) -> Result<Vec<String>, sqlx::Error> {
    let mut columns = Vec::new();
    for row in column_rows {
        columns.push((
            row.try_get::<String, _>("table_name")?,
            row.try_get::<String, _>("column_name")?,
            row.try_get::<String, _>("type")?,
        ));
    }
    let mut keyed = Vec::new();
    for row in key_rows {
        keyed.push(row.try_get::<String, _>("table_name")?);
    }
    let mut problems = Vec::new();
    for table in ["shedlock", "shedlock_fence"] {
        if !columns.iter().any(|(of, ..)| of == table) {
            problems.push(format!(
                "table {table} is missing: create it as in shedlock::schema::POSTGRES"
            ));
            continue;
        }
        if !keyed.iter().any(|of| of == table) {
            problems.push(format!("table {table} has no primary key on name: add one"));
        }
        for (_, column, types) in EXPECTED.iter().filter(|(of, ..)| *of == table) {
            let found = columns
                .iter()
                .find(|(of, name, _)| of == table && name == column);
            match found {
                None => problems.push(format!(
                    "column {table}.{column} is missing: add it as {}",
                    types[0]
                )),
                Some((.., is)) if !types.contains(&is.as_str()) => problems.push(format!(
                    "column {table}.{column} is {is}: change it to {}",
                    types[0]
                )),
                Some((.., is)) if is == "timestamp with time zone" => warn!(
                    column,
                    "shedlock's times are TIMESTAMPTZ: right for this crate, but Java ShedLock's database-time \
                         statements shift on it in sessions that are not UTC; TIMESTAMP is safe for both"
                ),
                Some(_) => {}
            }
        }
    }
    Ok(problems)
}
