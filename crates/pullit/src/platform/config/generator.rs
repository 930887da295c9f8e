//! `[generator]`: who writes the questions.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::Span;

/// `[generator]`
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Who makes the questions.
    pub kind: GeneratorKind,
    /// Where the model is, up to and without `/chat/completions` or `/models`; empty: the provider's public service.
    pub url: String,
    /// The key of the model's service. The public services need one.
    pub key: String,
    /// The model's name, as its service has it.
    pub model: String,
    /// Whether the model may be reached without TLS on another machine: key and documents then cross the network in clear.
    pub allow_http: bool,
    /// Most requests that this node makes in a minute; 0: no limit.
    pub requests_per_minute: u32,
    /// Longest time of one request. Shorter than `worker.timeout`, so that one that hangs is known to have hung.
    pub timeout: Span,
    /// Longest text that is sent for one set, in characters; a set of more fails.
    pub max_chars: usize,
    /// Most tokens of one answer, those that the model thinks with included.
    pub max_output_tokens: u32,
}

/// `generator.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorKind {
    /// Questions from the text alone, without a network.
    Offline,
    /// OpenAI's chat completions, and every service that speaks the same.
    OpenAi,
    /// Google's Gemini.
    Gemini,
}

impl GeneratorKind {
    /// The public service.
    fn public_url(self) -> &'static str {
        match self {
            Self::Offline => "",
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
        }
    }
}

/// Without the key.
impl std::fmt::Debug for GeneratorConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeneratorConfig")
            .field("kind", &self.kind)
            .field("url", &self.effective_url())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl GeneratorConfig {
    /// Where the model is, with the public service filled in.
    pub fn effective_url(&self) -> &str {
        if self.url.is_empty() {
            self.kind.public_url()
        } else {
            &self.url
        }
    }

    /// The same, as it is used.
    ///
    /// # Errors
    /// When it is no URL of a service, in words for the operator.
    pub fn parsed_url(&self) -> Result<Url, String> {
        // The URL itself is not repeated: somebody may have put a key into it.
        let url: Url = self.effective_url().parse().map_err(|error| {
            format!("generator.url is no URL ({error}); write it as `https://models.example/v1`")
        })?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err("generator.url must begin with https:// or http:// and a host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(
                "generator.url must hold neither a password nor parameters; the key goes into generator.key"
                    .to_owned(),
            );
        }
        if url.scheme() == "http" && !self.allow_http && !is_loopback(&url) {
            return Err(format!(
                "generator.url: key and documents would cross the network to {} in clear. Use https://, or, in a network \
                 that you trust, set generator.allow_http = true",
                url.host_str().unwrap_or_default()
            ));
        }
        Ok(url)
    }

    /// What the settings lack, in words for the operator.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.kind == GeneratorKind::Offline {
            return Ok(());
        }
        self.parsed_url()?;
        if self.key.is_empty() && self.effective_url() == self.kind.public_url() {
            return Err(format!(
                "generator.key (PULLIT_GENERATOR__KEY) is required for {}",
                self.kind.public_url()
            ));
        }
        if !self.key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "generator.key has a blank, a line break or another character that no key has"
                    .to_owned(),
            );
        }
        if self.model.is_empty() {
            return Err(
                "generator.model is required: the name of the model that makes the questions"
                    .to_owned(),
            );
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
        if !self.model.chars().all(allowed) || self.model.contains("..") {
            return Err(format!(
                "generator.model `{}` is no name of a model",
                self.model.escape_debug()
            ));
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openai() -> GeneratorConfig {
        GeneratorConfig {
            kind: GeneratorKind::OpenAi,
            key: "sk-1".to_owned(),
            model: "a-model".to_owned(),
            ..GeneratorConfig::default()
        }
    }

    fn refused(change: impl FnOnce(&mut GeneratorConfig)) -> String {
        let mut config = openai();
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn a_key_and_a_model_are_enough_for_a_public_service() {
        openai().check().unwrap();
        assert_eq!(
            openai().parsed_url().unwrap().as_str(),
            "https://api.openai.com/v1"
        );
        let gemini = GeneratorConfig {
            kind: GeneratorKind::Gemini,
            ..openai()
        };
        gemini.check().unwrap();
        assert!(gemini.effective_url().contains("googleapis"));
    }

    #[test]
    fn a_service_of_ones_own_needs_no_key() {
        let mut config = openai();
        config.key = String::new();
        assert!(config.check().unwrap_err().contains("generator.key"));
        config.url = "https://models.example/v1".to_owned();
        config.check().unwrap();
    }

    #[test]
    fn what_cannot_work_or_would_leak_is_refused_by_name() {
        for (said, word) in [
            (refused(|c| c.model = String::new()), "generator.model"),
            (
                refused(|c| c.model = "a/../b".to_owned()),
                "generator.model",
            ),
            (refused(|c| c.model = "a?b".to_owned()), "generator.model"),
            (refused(|c| c.key = "sk 1".to_owned()), "generator.key"),
            (refused(|c| c.key = "sk-1\n".to_owned()), "generator.key"),
            (
                refused(|c| c.url = "models.example".to_owned()),
                "generator.url",
            ),
            (
                refused(|c| c.url = "ftp://models.example".to_owned()),
                "https://",
            ),
            (
                refused(|c| c.url = "https://u:pw@models.example".to_owned()),
                "generator.key",
            ),
            (
                refused(|c| c.url = "https://models.example/?key=pw".to_owned()),
                "generator.key",
            ),
            (
                refused(|c| c.url = "http://models.example/v1".to_owned()),
                "generator.allow_http",
            ),
        ] {
            assert!(said.contains(word), "{said}");
            assert!(!said.contains("pw"), "{said}");
        }
    }

    #[test]
    fn http_is_for_this_machine_or_for_who_asks_for_it() {
        for url in [
            "http://127.0.0.1:8000/v1",
            "http://localhost/v1",
            "http://[::1]:1/v1",
        ] {
            let mut config = openai();
            config.url = url.to_owned();
            config.check().unwrap();
        }
        let mut config = openai();
        config.url = "http://vllm:8000/v1".to_owned();
        config.allow_http = true;
        config.check().unwrap();
    }

    #[test]
    fn the_key_is_not_in_the_debug_text() {
        let mut config = openai();
        config.key = "very-secret".to_owned();
        assert!(!format!("{config:?}").contains("very-secret"));
    }
}
