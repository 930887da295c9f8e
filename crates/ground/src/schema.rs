//! Tables that are created only where they are missing.

use std::collections::HashSet;

use crate::{Dialects, Executor, Statements};

// Tables and indexes by name, columns as `table.column`: of the schema that CREATE would use.
const EXISTING: Dialects = Dialects {
    postgres: "SELECT relname::text FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))::oid AND relkind IN ('r', 'p', 'i', 'I')
        UNION ALL
        SELECT relname || '.' || attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))::oid AND relkind IN ('r', 'p')
          AND attnum > 0 AND NOT attisdropped",
    sqlite: "SELECT name FROM sqlite_master
        UNION ALL
        SELECT t.name || '.' || c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
};

/// What there is in a database.
#[derive(Debug)]
pub struct Existing(HashSet<String>);

impl Existing {
    /// Looks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(db: impl Into<Executor<'_>>) -> Result<Self, sqlx::Error> {
        let names: Vec<String> = db.into().scalars(EXISTING, Vec::new()).await?;
        Ok(Self(names.into_iter().collect()))
    }

    /// Whether there is a table or an index of this name, or a column `table.column`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Those of the statements (`CREATE TABLE IF NOT EXISTS …`, `CREATE INDEX IF NOT EXISTS …`) that have something to create.
    pub fn missing<'s>(&self, statements: &'s [&'s str]) -> impl Iterator<Item = &'s str> {
        let is_missing = |statement: &&str| !created(statement).is_some_and(|name| self.has(name));
        statements.iter().copied().filter(is_missing)
    }
}

/// What a statement creates if it is not there.
fn created(statement: &str) -> Option<&str> {
    let (_, rest) = statement.split_once("IF NOT EXISTS ")?;
    rest.split_whitespace().next()
}

/// Runs those of the statements that have something to create. Run it in a transaction, one node at a time; one of SQLite must have
/// begun IMMEDIATE.
///
/// It looks first, and runs no DDL where there is nothing to do: in PostgreSQL even `IF NOT EXISTS` waits for every writer of the
/// table, and makes all later ones wait behind it.
///
/// # Errors
/// When the database refuses a statement; roll the transaction back.
pub async fn create_missing(
    db: impl Into<Executor<'_>>,
    statements: &[&str],
) -> Result<(), sqlx::Error> {
    let mut db = db.into();
    let existing = Existing::look(db.reborrow()).await?;
    for statement in existing.missing(statements) {
        db.reborrow().script(statement).await?;
    }
    Ok(())
}
