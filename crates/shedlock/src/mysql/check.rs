//! What can be wrong with the tables.

use sqlx::{MySql, Row, mysql::MySqlRow};
use tracing::warn;

use crate::{LockError, connection::Connection, database::lock_error};

const COLUMNS: &str = "SELECT CONVERT(table_name USING utf8mb4) AS of_table,
       CONVERT(column_name USING utf8mb4) AS name,
       CONVERT(data_type USING utf8mb4) AS kind,
       CONVERT(column_type USING utf8mb4) AS full_type,
       CAST(COALESCE(character_maximum_length, 0) AS SIGNED) AS length,
       CAST(COALESCE(datetime_precision, 0) AS SIGNED) AS digits,
       CONVERT(COALESCE(character_set_name, '') USING utf8mb4) AS charset,
       CONVERT(COALESCE(collation_name, '') USING utf8mb4) AS collated,
       CONVERT(extra USING utf8mb4) AS extra
  FROM information_schema.columns
 WHERE table_schema = DATABASE() AND table_name IN ('shedlock', 'shedlock_fence')";

const KEYS: &str = "SELECT CONVERT(table_name USING utf8mb4) AS of_table
  FROM information_schema.statistics
 WHERE table_schema = DATABASE() AND table_name IN ('shedlock', 'shedlock_fence') AND non_unique = 0
 GROUP BY table_name, index_name
HAVING COUNT(*) = 1 AND MAX(column_name) = 'name' AND MAX(sub_part) IS NULL";

const ENGINES: &str = "SELECT CONVERT(table_name USING utf8mb4) AS of_table,
       CONVERT(engine USING utf8mb4) AS engine
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name IN ('shedlock', 'shedlock_fence') AND engine <> 'InnoDB'";

const AUTOCOMMIT: &str = "SELECT @@session.autocommit AS switched_on";

enum Wanted {
    /// Text of at least this many characters.
    Text(i64),
    Time,
    Number,
}

const EXPECTED: [(&str, &str, Wanted, &str); 6] = [
    ("shedlock", "name", Wanted::Text(64), "varchar(64)"),
    ("shedlock", "lock_until", Wanted::Time, "datetime(3)"),
    ("shedlock", "locked_at", Wanted::Time, "datetime(3)"),
    ("shedlock", "locked_by", Wanted::Text(255), "varchar(255)"),
    ("shedlock_fence", "name", Wanted::Text(64), "varchar(64)"),
    ("shedlock_fence", "token", Wanted::Number, "bigint"),
];

struct Column {
    table: String,
    name: String,
    kind: String,
    full_type: String,
    length: i64,
    digits: i64,
    charset: String,
    collation: String,
    extra: String,
}

impl Column {
    fn of(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            table: row.try_get("of_table")?,
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            full_type: row.try_get("full_type")?,
            length: row.try_get("length")?,
            digits: row.try_get("digits")?,
            charset: row.try_get("charset")?,
            collation: row.try_get("collated")?,
            extra: row.try_get("extra")?,
        })
    }

    fn is(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Text(length) => self.kind == "varchar" && self.length >= *length,
            Wanted::Time => ["timestamp", "datetime"].contains(&&*self.kind) && self.digits >= 3,
            Wanted::Number => {
                self.full_type.starts_with("bigint") && !self.full_type.contains("unsigned")
            }
        }
    }

    fn warn_of_dangers(&self) {
        let column = format!("{}.{}", self.table, self.name);
        if self.kind == "timestamp" {
            warn!(
                column,
                "shedlock's times are TIMESTAMP: Java ShedLock and this crate exclude each other as long as \
                 Java's sessions keep the server's default time zone; DATETIME(3) is safe in all sessions"
            );
        }
        if self.extra.to_lowercase().contains("on update") {
            warn!(
                column,
                "the column follows every update of its row, other programs' included: remove ON UPDATE"
            );
        }
        if !self.charset.is_empty() && self.charset != "utf8mb4" {
            warn!(
                column,
                charset = self.charset,
                "the column cannot keep every character: change its character set to utf8mb4"
            );
        }
        if self.name == "name" && !self.collation.is_empty() && !self.collation.ends_with("_bin") {
            warn!(
                column,
                collation = self.collation,
                "locks whose names differ only in case, accents or spaces at the end are one lock here: a \
                 binary collation, as in shedlock::schema::MYSQL, tells them apart"
            );
        }
    }
}

async fn rows(
    connection: &mut Connection<'_, MySql>,
    sql: &'static str,
) -> Result<Vec<MySqlRow>, LockError> {
    let rows = sqlx::query(sql).fetch_all(connection.begin()).await;
    connection.done(rows)
}

fn texts(rows: &[MySqlRow], column: &str) -> Result<Vec<String>, LockError> {
    let texts = rows.iter().map(|row| row.try_get(column));
    texts.collect::<Result<_, _>>().map_err(lock_error)
}

pub(super) async fn problems(
    connection: &mut Connection<'_, MySql>,
) -> Result<Vec<String>, LockError> {
    let columns = rows(connection, COLUMNS).await?;
    let columns = columns
        .iter()
        .map(Column::of)
        .collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(lock_error)?;
    let keyed = texts(&rows(connection, KEYS).await?, "of_table")?;
    let engines = rows(connection, ENGINES).await?;
    let engines = texts(&engines, "of_table")?
        .into_iter()
        .zip(texts(&engines, "engine")?)
        .collect::<Vec<_>>();
    let mut problems = Vec::new();
    for table in ["shedlock", "shedlock_fence"] {
        if !columns.iter().any(|column| column.table == table) {
            problems.push(format!(
                "table {table} is missing: create it as in shedlock::schema::MYSQL"
            ));
            continue;
        }
        if !keyed.iter().any(|of| of == table) {
            problems.push(format!("table {table} has no primary key on name: add one"));
        }
        if let Some((_, engine)) = engines.iter().find(|(of, _)| of == table) {
            problems.push(format!(
                "table {table} is kept by {engine}, which has no transactions: change it to InnoDB"
            ));
        }
        for (_, name, wanted, remedy) in EXPECTED.iter().filter(|(of, ..)| *of == table) {
            match columns
                .iter()
                .find(|is| is.table == table && is.name == *name)
            {
                None => problems.push(format!(
                    "column {table}.{name} is missing: add it as {remedy}"
                )),
                Some(column) if !column.is(wanted) => problems.push(format!(
                    "column {table}.{name} is {}: change it to {remedy}",
                    column.full_type
                )),
                Some(column) => column.warn_of_dangers(),
            }
        }
    }
    let autocommit = rows(connection, AUTOCOMMIT).await?;
    let autocommit = autocommit.first().map(|row| row.try_get("switched_on"));
    if autocommit.transpose().map_err(lock_error)? == Some(false) {
        problems.push(super::AUTOCOMMIT_IS_OFF.to_owned());
    }
    Ok(problems)
}
