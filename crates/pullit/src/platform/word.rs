//! Words in rows: the names that an enum has in the database.

use std::str::FromStr;

use ground::{At, Row};

/// The word in this column, as the enum that it belongs to.
///
/// # Errors
/// When the column holds another word; the error names table, column and word.
pub(crate) fn read<T: FromStr>(row: &Row, table: &str, column: At<'_>) -> Result<T, sqlx::Error> {
    let word = row.lossy_text(column)?;
    word.parse().map_err(|_| {
        let column = match column {
            At::Name(name) => name.to_owned(),
            At::Place(place) => format!("column {place}"),
        };
        ground::unexpected(format!("{table}.{column} holds the unknown word `{word}`"))
    })
}

/// An enum's words in one table, in both directions.
macro_rules! words {
    ($type:ident in $table:literal { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("`{other}` is no {}", stringify!($type))),
                }
            }
        }

        impl ground::Column for $type {
            fn read(row: &ground::Row, at: ground::At<'_>) -> Result<Self, ground::sqlx::Error> {
                $crate::platform::word::read(row, $table, at)
            }
        }
    };
}
pub(crate) use words;
