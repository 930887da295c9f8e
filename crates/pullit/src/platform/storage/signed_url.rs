//! Upload URLs of a folder, signed by this service.

use std::fmt;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

use super::folder::hex;

/// Why an upload URL is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// It was changed, or signed by somebody else.
    #[error("the upload URL was not signed by this service")]
    Signature,
    /// Its time is over: ask for another.
    #[error("the upload URL has expired")]
    Expired,
}

/// Makes upload URLs that this service answers itself, and knows its own again.
///
/// The URL names the upload and its end; size, type and key stand in the upload's row.
#[derive(Clone)]
pub struct UrlSigner {
    public_url: String,
    key: Vec<u8>,
}

impl fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlSigner")
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

impl UrlSigner {
    /// `public_url` is where browsers reach the service; `key` is secret and serves this purpose only.
    pub fn new(public_url: &str, key: impl Into<Vec<u8>>) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            key: key.into(),
        }
    }

    /// The URL of an upload. It ends with the second in which `expires_at` lies.
    pub fn sign(&self, upload_id: Uuid, expires_at: DateTime<Utc>) -> String {
        let expires = expires_at.timestamp();
        let mac = self.mac(&upload_id.to_string(), expires);
        format!(
            "{}/storage/uploads/{upload_id}?expires={expires}&signature={}",
            self.public_url,
            hex(&mac.finalize().into_bytes())
        )
    }

    /// Whether these parts of a URL are ours and still hold. `expires` counts seconds since 1970.
    ///
    /// # Errors
    /// When they are not, or do not any more.
    pub fn verify(
        &self,
        upload_id: &str,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<(), UrlError> {
        let signature = unhex(signature).ok_or(UrlError::Signature)?;
        self.mac(upload_id, expires)
            .verify_slice(&signature)
            .map_err(|_| UrlError::Signature)?;
        if now.timestamp() > expires {
            return Err(UrlError::Expired);
        }
        Ok(())
    }

    fn mac(&self, upload_id: &str, expires: i64) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("PUT\n{upload_id}\n{expires}").as_bytes());
        mac
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn parts(url: &str) -> (String, i64, String) {
        let (path, query) = url.split_once('?').unwrap();
        let id = path.rsplit('/').next().unwrap().to_owned();
        let (expires, signature) = query.split_once('&').unwrap();
        let expires = expires.strip_prefix("expires=").unwrap().parse().unwrap();
        let signature = signature.strip_prefix("signature=").unwrap().to_owned();
        (id, expires, signature)
    }

    #[test]
    fn a_url_holds_until_it_expires_and_not_a_second_longer() {
        let signer = UrlSigner::new("http://localhost:8080/", *b"key");
        let url = signer.sign(Uuid::nil(), at(1_000));
        assert!(url.starts_with("http://localhost:8080/storage/uploads/0000"));
        let (id, expires, signature) = parts(&url);
        assert_eq!(signer.verify(&id, expires, &signature, at(1_000)), Ok(()));
        assert_eq!(
            signer.verify(&id, expires, &signature, at(1_001)),
            Err(UrlError::Expired)
        );
    }

    #[test]
    fn a_url_that_was_changed_in_any_part_is_refused() {
        let signer = UrlSigner::new("http://localhost:8080", *b"key");
        let (id, expires, signature) = parts(&signer.sign(Uuid::nil(), at(1_000)));
        let other = Uuid::max().to_string();
        let refused = Err(UrlError::Signature);
        let now = at(0);
        assert_eq!(signer.verify(&other, expires, &signature, now), refused);
        assert_eq!(signer.verify(&id, expires + 1, &signature, now), refused);
        for wrong in ["", "0", "zz", "가나", &signature[2..], &"00".repeat(32)] {
            assert_eq!(signer.verify(&id, expires, wrong, now), refused);
        }
        let stranger = UrlSigner::new("http://localhost:8080", *b"another");
        assert_eq!(stranger.verify(&id, expires, &signature, now), refused);
    }
}
