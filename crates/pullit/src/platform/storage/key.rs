//! The names of objects.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use thiserror::Error;
use uuid::Uuid;

/// Keys are kept in columns of this many characters.
const LONGEST: usize = 512;

/// A text that names no object.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not the key of an object")]
pub struct InvalidKey(String);

/// The name of an object: segments parted by `/`, none of which is empty or starts with a dot, so that no key leads out of its storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The key of a member's upload: `learning-sources/yyyy/mm/dd/member-N/<uuid>.ext`. `extension` is one of ours, never the member's.
    pub fn of_upload(day: NaiveDate, member_id: i64, id: Uuid, extension: &'static str) -> Self {
        Self(format!(
            "learning-sources/{:04}/{:02}/{:02}/member-{member_id}/{id}.{extension}",
            day.year(),
            day.month(),
            day.day()
        ))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let usable = text.chars().count() <= LONGEST
            && !text.chars().any(|c| c.is_control() || c == '\\')
            && text
                .split('/')
                .all(|segment| !segment.is_empty() && !segment.starts_with('.'));
        if usable {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_upload_is_a_key() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
        let key = ObjectKey::of_upload(day, 7, Uuid::nil(), "pdf");
        let text = "learning-sources/2026/01/02/member-7/00000000-0000-0000-0000-000000000000.pdf";
        assert_eq!(key.as_str(), text);
        assert_eq!(text.parse(), Ok(key));
    }

    #[test]
    fn no_key_leads_out_of_its_storage() {
        for text in [
            "",
            "/",
            "/etc/passwd",
            "../secret",
            "a/../../secret",
            "a/./b",
            "a//b",
            "a/",
            "..\\secret",
            "a/b\0.pdf",
            ".meta/a",
            &"a".repeat(513),
        ] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text:?}");
        }
    }
}
