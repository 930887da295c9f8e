//! Error answers, as RFC 9457 and the contract have them.

use serde_json::Value;
use testkit::http::Answer;

/// Reading error answers.
pub(crate) trait Problem {
    /// The body of an error answer with this status and code.
    ///
    /// # Panics
    /// When it is another answer, or none as errors have to be.
    fn problem(self, status: u16, code: &str) -> Value;

    /// The fields that a `C_003` names.
    ///
    /// # Panics
    /// When it is another answer.
    fn wrong_fields(self) -> Vec<String>;
}

impl Problem for Answer {
    #[track_caller]
    fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (
                self.status.as_u16(),
                self.json["code"].as_str().unwrap_or_default()
            ),
            (status, code),
            "the body: {}",
            self.text
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["type"], "about:blank");
        assert_eq!(self.json["status"], status);
        assert!(!self.json["title"].as_str().unwrap_or_default().is_empty());
        if status == 401 {
            assert_eq!(self.header("www-authenticate"), "Bearer");
        }
        self.json
    }

    #[track_caller]
    fn wrong_fields(self) -> Vec<String> {
        let body = self.problem(400, "C_003");
        let errors = body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| {
                assert!(!error["message"].as_str().unwrap().is_empty());
                error["field"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}
