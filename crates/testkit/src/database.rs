//! A fresh database for a test, on SQLite or PostgreSQL.

use crate::{postgres, sqlite};

/// A fresh, empty database of either kind that disappears with this value.
#[derive(Debug)]
pub enum Database {
    /// A file in a folder of its own.
    Sqlite(sqlite::Database),
    /// A database of its own on the server that `./scripts/test` started.
    Postgres(postgres::Database),
}

impl Database {
    /// Makes an empty SQLite database.
    pub fn sqlite() -> Self {
        Self::Sqlite(sqlite::Database::create())
    }

    /// Makes an empty PostgreSQL database.
    pub async fn postgres() -> Self {
        Self::Postgres(postgres::Database::create().await)
    }

    /// Where sqlx and `database.url` find it.
    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite(database) => database.url(),
            Self::Postgres(database) => database.url(),
        }
    }

    /// Opens a new pool: of one connection for SQLite, of up to ten for PostgreSQL. Two calls are
    /// two nodes.
    pub async fn connect(&self) -> ground::Database {
        match self {
            Self::Sqlite(database) => database.connect().await,
            Self::Postgres(database) => database.connect().await,
        }
    }
}

/// Writes a test once and runs it on SQLite and on PostgreSQL.
///
/// Each function becomes a module with the tests `sqlite` and `postgres`, so that a filter by the
/// function's name runs both. The calling crate needs tokio with `macros`. A first line
/// `#![tokio_test(…)]` hands its arguments to `#[tokio::test(…)]` of every function in the block.
///
/// ```
/// testkit::on_each_database! {
///     #![tokio_test(flavor = "multi_thread", worker_threads = 2)]
///
///     async fn a_new_database_answers(db: testkit::Database) {
///         ground::Statements::run(&db.connect().await, "SELECT 1", vec![]).await.unwrap();
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! on_each_database {
    (
        #![tokio_test($($arguments:tt)*)]
        $($rest:tt)*
    ) => {
        $crate::__on_each_database! { [$($arguments)*] $($rest)* }
    };
    ($($rest:tt)*) => {
        $crate::__on_each_database! { [] $($rest)* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __on_each_database {
    ([$($arguments:tt)*]) => {};
    (
        [$($arguments:tt)*]
        $(#[$attribute:meta])*
        async fn $name:ident($db:ident: $type:ty $(,)?) $(-> $output:ty)? $body:block
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[allow(clippy::unwrap_used, reason = "the body of a test, which clippy does not see")]
        async fn $name($db: $type) $(-> $output)? $body

        mod $name {
            #[allow(unused_imports, reason = "only an output type needs them")]
            use super::*;

            #[::tokio::test($($arguments)*)]
            async fn sqlite() $(-> $output)? {
                super::$name($crate::Database::sqlite()).await
            }

            #[::tokio::test($($arguments)*)]
            async fn postgres() $(-> $output)? {
                super::$name($crate::Database::postgres().await).await
            }
        }

        $crate::__on_each_database! { [$($arguments)*] $($rest)* }
    };
}
