//! Rows, whichever database gave them.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Row as _;

/// A row as its driver gave it.
#[non_exhaustive]
pub enum Row {
    /// PostgreSQL's.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    /// SQLite's.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
}

impl std::fmt::Debug for Row {
    /// Not what it holds: that may be a member's data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "Row::Postgres",
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "Row::Sqlite",
        })
    }
}

/// A column: by name, or by place from 0, which is faster.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// By name.
    Name(&'a str),
    /// By place.
    Place(usize),
}

impl<'a> From<&'a str> for At<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for At<'_> {
    fn from(place: usize) -> Self {
        Self::Place(place)
    }
}

impl Row {
    /// The value of a column.
    ///
    /// # Errors
    /// When there is no such column, or it holds something else.
    pub fn get<'a, T: Column>(&self, column: impl Into<At<'a>>) -> Result<T, sqlx::Error> {
        T::read(self, column.into())
    }

    /// A text that somebody else chose. SQLite also keeps texts that are no UTF-8: what is not, is shown as U+FFFD, so that one
    /// row does not make all others unreadable.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn lossy_text<'a>(&self, column: impl Into<At<'a>>) -> Result<String, sqlx::Error> {
        let column = column.into();
        self.get(column).or_else(|error| {
            let bytes: Vec<u8> = self.get(column).map_err(|_| error)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
    }
}

impl<'a> From<&At<'a>> for At<'a> {
    fn from(at: &At<'a>) -> Self {
        *at
    }
}

/// A type that a column can be read as.
pub trait Column: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When the column holds something else.
    fn read(row: &Row, at: At<'_>) -> Result<Self, sqlx::Error>;
}

macro_rules! column {
    ($($type:ty),* $(,)?) => {$(
        impl Column for $type {
            fn read(row: &Row, at: At<'_>) -> Result<Self, sqlx::Error> {
                match (row, at) {
                    #[cfg(feature = "postgres")]
                    (Row::Postgres(row), At::Name(name)) => row.try_get(name),
                    #[cfg(feature = "postgres")]
                    (Row::Postgres(row), At::Place(place)) => row.try_get(place),
                    #[cfg(feature = "sqlite")]
                    (Row::Sqlite(row), At::Name(name)) => row.try_get(name),
                    #[cfg(feature = "sqlite")]
                    (Row::Sqlite(row), At::Place(place)) => row.try_get(place),
                }
            }
        }
    )*};
}

macro_rules! columns {
    ($($type:ty),* $(,)?) => { $( column!($type, Option<$type>); )* };
}

columns!(
    bool,
    i16,
    i32,
    i64,
    f64,
    String,
    Vec<u8>,
    DateTime<Utc>,
    NaiveDate,
    serde_json::Value,
);

/// A type that a whole row can be read as; [`from_row!`](crate::from_row) writes it.
pub trait FromRow: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When a column is missing or holds something else.
    fn from_row(row: &Row) -> Result<Self, sqlx::Error>;
}

/// Reads a struct from the columns that are named like its fields: `from_row!(Member { id, name });`.
#[macro_export]
macro_rules! from_row {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::FromRow for $type {
            fn from_row(row: &$crate::Row) -> Result<Self, $crate::sqlx::Error> {
                Ok(Self { $($field: row.get(stringify!($field))?),* })
            }
        }
    };
}
