//! What a set's questions are made from: the texts of its sources, and their files for a generator that takes files.

use std::collections::HashMap;

use question_maker::{GenerationError, GenerationRequest, SourceFile};

use super::model::QuestionSet;
use super::service::QuestionSets;
use crate::source::SourceStatus;

/// The longest text that one set is made from, in characters: that of the longest single source.
const LONGEST: i64 = 2_000_000;

/// What the questions are made from.
pub(super) enum Material {
    /// A source is still being read.
    Unread,
    /// The text, or why there will be none.
    Read(Result<Texts, GenerationError>),
}

/// The joined texts of the sources, and the files that some of them stand in.
pub(super) struct Texts {
    text: String,
    files: Vec<SourceFile>,
}

impl QuestionSets {
    /// The text of the set's sources, with PDF files of so many bytes; or why there is none.
    pub(super) async fn material(
        &self,
        set: &QuestionSet,
        files_up_to: u64,
    ) -> Result<Material, sqlx::Error> {
        let ids = self.sources_of(set.id).await?;
        let states = self
            .sources
            .usable(self.db.read(), set.owner_id, &ids)
            .await?;
        for state in &states {
            match state.status {
                SourceStatus::Uploaded | SourceStatus::Processing => return Ok(Material::Unread),
                SourceStatus::Failed => {
                    let reason = state.failure_reason.clone().unwrap_or_default();
                    let message =
                        format!("'{}'을(를) 읽을 수 없습니다. {reason}", state.original_name);
                    return Ok(Material::Read(Err(permanent("SOURCE_UNREADABLE", message))));
                }
                SourceStatus::Ready | SourceStatus::Deleted => {}
            }
        }
        // Asked before anything is read: a worker holds several of these at once.
        if self.sources.text_length(&ids).await? > LONGEST {
            let message = "학습 소스의 글이 너무 깁니다. 소스를 나누어 문제집을 만들어 주세요.";
            return Ok(Material::Read(Err(permanent("SOURCES_TOO_LONG", message))));
        }
        let texts = self.sources.texts(&ids).await?;
        if texts.is_empty() {
            let gone = permanent(
                "SOURCE_GONE",
                "학습 소스가 삭제되어 문제를 만들 수 없습니다.",
            );
            return Ok(Material::Read(Err(gone)));
        }
        let mut pdfs = match files_up_to {
            0 => HashMap::new(),
            bytes => self.sources.pdfs(&ids, bytes).await?,
        };
        let (mut text, mut files) = (String::new(), Vec::new());
        for source in texts {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            let start = text.len();
            text.push_str(&source.content);
            files.extend(pdfs.remove(&source.id).map(|bytes| SourceFile {
                text: start..text.len(),
                bytes,
            }));
        }
        Ok(Material::Read(Ok(Texts { text, files })))
    }
}

/// What the generator is asked.
pub(super) fn request(set: &QuestionSet, texts: Texts) -> GenerationRequest {
    GenerationRequest {
        text: texts.text,
        files: texts.files,
        kind: set.kind,
        difficulty: set.difficulty,
        count: usize::try_from(set.question_length).unwrap_or_default(),
        // One set, one seed: a repeat makes the same questions.
        seed: set.id.unsigned_abs(),
    }
}

/// A failure that another attempt cannot mend.
pub(super) fn permanent(code: &'static str, message: impl Into<String>) -> GenerationError {
    GenerationError::Permanent {
        code,
        message: message.into(),
    }
}
