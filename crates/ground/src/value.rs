//! Values on their way into a statement, bound as each database stores them.
//!
//! PostgreSQL has a type for times. SQLite gets ISO 8601 text with exactly six fractional digits and `+00:00`, so that the
//! order of the text is the order of time. Only this file knows the difference.

#[cfg(feature = "postgres")]
use chrono::SubsecRound;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use sqlx::Arguments;
use sqlx::error::BoxDynError;
use uuid::Uuid;

/// One value. The missing one of a type is NULL of that type, which PostgreSQL wants to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// BOOLEAN; in SQLite 0 or 1.
    Bool(Option<bool>),
    /// INTEGER.
    Int(Option<i32>),
    /// BIGINT; in SQLite INTEGER.
    BigInt(Option<i64>),
    /// DOUBLE PRECISION; in SQLite REAL.
    Double(Option<f64>),
    /// TEXT.
    Text(Option<String>),
    /// BYTEA; in SQLite BLOB.
    Bytes(Option<Vec<u8>>),
    /// TIMESTAMPTZ, to the microsecond; in SQLite text ([`time_text`]).
    Time(Option<DateTime<Utc>>),
    /// DATE; in SQLite text (`2026-11-30`).
    Date(Option<NaiveDate>),
    /// UUID; in SQLite text with hyphens.
    Uuid(Option<Uuid>),
    /// A list as one parameter, so that the statement stays a constant: BIGINT[]; in SQLite JSON.
    Ids(Vec<i64>),
    /// A list as one parameter: TEXT[]; in SQLite JSON.
    Texts(Vec<String>),
}

impl Value {
    /// A list of ids: `= ANY ($1)` in PostgreSQL, `IN (SELECT value FROM json_each($1))` in SQLite.
    #[must_use]
    pub fn ids(ids: &[i64]) -> Self {
        Self::Ids(ids.to_vec())
    }

    /// A list of texts, as [`ids`](Self::ids).
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Texts(texts.into_iter().map(Into::into).collect())
    }
}

/// A time as SQLite keeps it: ISO 8601 with exactly six fractional digits and `+00:00`.
#[must_use]
pub fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// A date as SQLite keeps it.
#[must_use]
pub fn date_text(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

macro_rules! from {
    ($($type:ty => $variant:ident;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value.into()))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )*};
}

from! {
    bool => Bool;
    i16 => Int;
    i32 => Int;
    i64 => BigInt;
    f64 => Double;
    &str => Text;
    String => Text;
    Vec<u8> => Bytes;
    DateTime<Utc> => Time;
    NaiveDate => Date;
    Uuid => Uuid;
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(Some(value.clone()))
    }
}

#[cfg(feature = "postgres")]
pub(crate) fn postgres(values: Vec<Value>) -> Result<sqlx::postgres::PgArguments, sqlx::Error> {
    let mut arguments = sqlx::postgres::PgArguments::default();
    for value in values {
        let added: Result<(), BoxDynError> = match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::BigInt(value) => arguments.add(value),
            Value::Double(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Time(value) => arguments.add(value.map(|time| time.trunc_subsecs(6))),
            Value::Date(value) => arguments.add(value),
            Value::Uuid(value) => arguments.add(value),
            Value::Ids(list) => arguments.add(list),
            Value::Texts(list) => arguments.add(list),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[cfg(feature = "sqlite")]
pub(crate) fn sqlite(values: Vec<Value>) -> Result<sqlx::sqlite::SqliteArguments, sqlx::Error> {
    let mut arguments = sqlx::sqlite::SqliteArguments::default();
    for value in values {
        let added: Result<(), BoxDynError> = match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::BigInt(value) => arguments.add(value),
            Value::Double(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Time(value) => arguments.add(value.map(time_text)),
            Value::Date(value) => arguments.add(value.map(date_text)),
            Value::Uuid(value) => arguments.add(value.map(|uuid| uuid.hyphenated().to_string())),
            Value::Ids(list) => arguments.add(serde_json::json!(list).to_string()),
            Value::Texts(list) => arguments.add(serde_json::json!(list).to_string()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test has nobody to return an error to"
    )]

    use super::*;

    #[test]
    fn sqlite_times_have_microseconds_and_sort_as_text() {
        let second = DateTime::from_timestamp(1_795_341_600, 0).unwrap();
        let later = DateTime::from_timestamp(1_795_341_600, 1_000).unwrap();
        assert_eq!(time_text(second), "2026-11-22T10:00:00.000000+00:00");
        assert_eq!(time_text(later), "2026-11-22T10:00:00.000001+00:00");
        assert!(time_text(second) < time_text(later));
    }
}
