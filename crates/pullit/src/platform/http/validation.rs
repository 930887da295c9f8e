//! Collects every field of a request that cannot be used.

use super::{ApiError, FieldError};

/// Collects what is wrong with a request, so that one answer names every field.
#[derive(Debug, Default)]
pub struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one field.
    pub fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Whether nothing was noted of this field.
    pub fn ok_so_far(&self, field: &str) -> bool {
        self.errors.iter().all(|error| error.field != field)
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(field, "필수 값입니다");
        }
        value
    }

    /// A field that must be there and hold one of a fixed set of words.
    pub fn choice<T: std::str::FromStr>(
        &mut self,
        field: &str,
        value: Option<String>,
        choices: &str,
    ) -> Option<T> {
        let value = self.required(field, value)?;
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.wrong(field, format!("{choices} 중 하나여야 합니다"));
        }
        parsed
    }

    /// A text that must be there, not blank, without control characters, of at most `longest` characters. Surrounding space is cut.
    pub fn text(&mut self, field: &str, value: Option<String>, longest: usize) -> Option<String> {
        let value = self.required(field, value)?;
        let value = value.trim().to_owned();
        if value.is_empty() {
            self.wrong(field, "비어 있을 수 없습니다");
        } else if value.chars().count() > longest {
            self.wrong(field, format!("{longest}자를 넘을 수 없습니다"));
        } else if value.chars().any(char::is_control) {
            self.wrong(field, "제어 문자를 포함할 수 없습니다");
        } else {
            return Some(value);
        }
        None
    }

    /// The error, if anything was wrong.
    ///
    /// # Errors
    /// `C_003` with every field that was noted.
    pub fn check(self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::fields(self.errors))
        }
    }
}
