//! Signs upload URLs of S3 (Signature Version 4, in the query).

use std::fmt::Write;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use object_store::aws::AwsCredential;
use sha2::{Digest, Sha256};

use crate::platform::storage::folder::hex;

/// A PUT that anybody may send until it expires, signed as AWS describes it (Signature Version 4, in the query).
///
/// object_store signs URLs too, but refuses to bind the length: its URL would take 5 GB where 5 bytes were announced.
pub(super) struct PutUrl<'a> {
    /// The bucket, without a slash at its end.
    pub(super) bucket_url: &'a str,
    /// The bucket's region.
    pub(super) region: &'a str,
    /// The whole key in the bucket.
    pub(super) key: &'a str,
    /// The only media type that is taken.
    pub(super) content_type: &'a str,
    /// The only length that is taken, in bytes.
    pub(super) size: u64,
    /// When it is signed.
    pub(super) now: DateTime<Utc>,
    /// When it ends, to the second.
    pub(super) expires_at: DateTime<Utc>,
}

const SIGNED_HEADERS: &str = "content-length;content-type;host";

impl PutUrl<'_> {
    /// The URL.
    pub(super) fn sign(&self, credential: &AwsCredential) -> String {
        let (scheme, rest) = self
            .bucket_url
            .split_once("://")
            .unwrap_or(("https", self.bucket_url));
        let (host, bucket_path) = match rest.split_once('/') {
            Some((host, path)) => (host, format!("/{path}")),
            None => (rest, String::new()),
        };
        let path = format!(
            "{}/{}",
            encoded(&bucket_path, true),
            encoded(self.key, true)
        );
        let time = self.now.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/s3/aws4_request", &time[..8], self.region);
        let query = self.query(credential, &time, &scope);
        // Runs of spaces count as one on both sides.
        let content_type = self
            .content_type
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let request = format!(
            "PUT\n{path}\n{query}\ncontent-length:{}\ncontent-type:{content_type}\nhost:{host}\n\n{SIGNED_HEADERS}\nUNSIGNED-PAYLOAD",
            self.size
        );
        let signature = signature(credential, &time, &scope, &request);
        format!("{scheme}://{host}{path}?{query}&X-Amz-Signature={signature}")
    }

    /// Its parameters, in the order of their names.
    fn query(&self, credential: &AwsCredential, time: &str, scope: &str) -> String {
        // Rounded up: the moment since the end was set is not taken off.
        let lasts = ((self.expires_at - self.now).num_milliseconds() + 999) / 1_000;
        let lasts = lasts.max(1);
        let who = format!("{}/{scope}", credential.key_id);
        let mut query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires={lasts}",
            encoded(&who, false)
        );
        if let Some(token) = &credential.token {
            // Writing to a String cannot fail.
            let _ = write!(query, "&X-Amz-Security-Token={}", encoded(token, false));
        }
        let _ = write!(
            query,
            "&X-Amz-SignedHeaders={}",
            encoded(SIGNED_HEADERS, false)
        );
        query
    }
}

/// The signature of a request in its canonical form. `time` is `yyyymmddThhmmssZ`.
fn signature(credential: &AwsCredential, time: &str, scope: &str, request: &str) -> String {
    let request = hex(&Sha256::digest(request));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");
    let secret = format!("AWS4{}", credential.secret_key).into_bytes();
    // Day, region, service and `aws4_request`: the key is made of the parts of its scope.
    let key = scope.split('/').fold(secret, |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Every byte but letters, digits, `-`, `.`, `_`, `~` and, in paths, `/` as `%XX`.
fn encoded(text: &str, path: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if plain || (path && byte == b'/') {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(token: Option<&str>) -> AwsCredential {
        AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The example of a presigned URL in AWS's own documentation.
    #[test]
    fn the_signature_is_the_one_that_aws_publishes() {
        let request = "GET\n/test.txt\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3\
             %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\n\
             host:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD";
        let scope = "20130524/us-east-1/s3/aws4_request";
        assert_eq!(
            signature(&credential(None), "20130524T000000Z", scope, request),
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_url_names_its_end_its_token_and_what_it_binds_and_encodes_what_would_lead_astray() {
        let now = DateTime::from_timestamp(1_369_353_600, 0).unwrap();
        let url = PutUrl {
            bucket_url: "http://127.0.0.1:9000/bucket",
            region: "us-east-1",
            key: "a b/한?.pdf",
            content_type: "application/pdf",
            size: 5,
            now,
            expires_at: now + chrono::TimeDelta::minutes(15) - chrono::TimeDelta::microseconds(5),
        }
        .sign(&credential(Some("to/ken+=")));
        let expected = "http://127.0.0.1:9000/bucket/a%20b/%ED%95%9C%3F.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
             &X-Amz-Expires=900&X-Amz-Security-Token=to%2Fken%2B%3D&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost\
             &X-Amz-Signature=";
        assert!(url.starts_with(expected), "{url}");
        assert!(!url.contains("wJalr"));
    }
}
