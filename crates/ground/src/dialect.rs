//! Which database it is, and statements in the words of each.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres,
    /// SQLite.
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Dialect {
    /// Whether it is PostgreSQL.
    #[must_use]
    pub const fn is_postgres(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
        }
    }
}

/// A statement in each dialect, side by side, where one text cannot serve both.
#[derive(Clone, Copy, Debug)]
pub struct Dialects {
    /// For PostgreSQL.
    pub postgres: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
}

impl Dialects {
    /// A statement that every database understands.
    #[must_use]
    pub const fn same(text: &'static str) -> Self {
        Self {
            postgres: text,
            sqlite: text,
        }
    }

    /// The constant for this database.
    #[must_use]
    pub const fn of(&self, dialect: Dialect) -> &'static str {
        match dialect {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.postgres,
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.sqlite,
        }
    }
}

/// What can be run: one text for all databases, or one for each. Placeholders are `$1`, `$2`, …, which every driver understands.
pub trait Sql: Send {
    /// The text for this database.
    fn text(self, dialect: Dialect) -> SqlStr;
}

impl Sql for &'static str {
    fn text(self, _: Dialect) -> SqlStr {
        self.into_sql_str()
    }
}

impl Sql for Dialects {
    fn text(self, dialect: Dialect) -> SqlStr {
        self.of(dialect).into_sql_str()
    }
}

impl Sql for &Dialects {
    fn text(self, dialect: Dialect) -> SqlStr {
        self.of(dialect).into_sql_str()
    }
}

/// A text that was put together; whoever asserts this says that nothing of it came from input.
impl Sql for AssertSqlSafe<String> {
    fn text(self, _: Dialect) -> SqlStr {
        self.into_sql_str()
    }
}
