//! What a server answers to a publish.

use serde_json::Value;

use crate::error::LoadError;

/// How a server answers a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// `{"taken": 1}`
    Ours,
    /// A line `active subscribers: 1`
    Nchan,
}

impl Answers {
    /// How many streams took it, if the answer says so.
    pub(crate) fn taken(self, answer: &str) -> Option<u64> {
        match self {
            Self::Ours => serde_json::from_str::<Value>(answer)
                .ok()?
                .get("taken")?
                .as_u64(),
            Self::Nchan => answer
                .lines()
                .find_map(|line| line.strip_prefix("active subscribers: "))?
                .trim()
                .parse()
                .ok(),
        }
    }

    /// An error unless it reached as many streams as it should.
    pub(crate) fn reached(self, answer: &str, wanted: u64) -> Result<(), LoadError> {
        if self.taken(answer) == Some(wanted) {
            return Ok(());
        }
        Err(LoadError::Answer {
            request: format!("a publish to {wanted}"),
            reason: format!("it says `{}`", answer.trim()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_says_in_its_way_how_many_took_a_publish() {
        let nchan = "queued messages: 1\r\nlast requested: 0 sec. ago\r\nactive subscribers: 3\r\nlast message id: 1:0";
        for (answers, answer) in [
            (Answers::Ours, r#"{"id":7,"taken":3}"#),
            (Answers::Nchan, nchan),
        ] {
            assert_eq!(answers.taken(answer), Some(3));
            assert!(answers.reached(answer, 3).is_ok());
            assert!(answers.reached(answer, 2).is_err());
            assert!(answers.reached("", 1).is_err());
        }
    }
}
