//! Access tokens: signed, read, expired.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::secret::Secrets;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// Member id (RFC 7519: a string).
    sub: String,
    /// Issued at, seconds since the epoch.
    iat: i64,
    /// Expires at, seconds since the epoch.
    exp: i64,
    /// The session that the token dies with. Tokens of nodes of an earlier version have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A member's, until then.
    Valid {
        /// Member id.
        member_id: i64,
        /// The session that it dies with.
        session_id: Option<String>,
        /// The end of its life.
        expires_at: DateTime<Utc>,
    },
    /// Ours, but too old.
    Expired,
    /// Not ours.
    Invalid,
}

/// Issues and reads access tokens: JWTs signed with HMAC-SHA256 (RFC 7519, RFC 7518 section 3.2), and no other algorithm.
#[derive(Clone)]
pub struct AccessTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    ttl: TimeDelta,
}

impl AccessTokens {
    /// Tokens that live for `ttl`.
    pub fn new(secrets: &Secrets, ttl: TimeDelta) -> Self {
        super::hs256::install();
        let key = secrets.key("access-token");
        let mut validation = Validation::new(Algorithm::HS256);
        // The end is judged by the injected clock, below.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(&key),
            decoding: DecodingKey::from_secret(&key),
            validation,
            ttl,
        }
    }

    /// A token for this member and session, which ends with the session at the latest.
    ///
    /// # Errors
    /// When the token cannot be signed.
    pub fn issue(
        &self,
        member_id: i64,
        session_id: &str,
        session_end: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: member_id.to_string(),
            iat: now.timestamp(),
            exp: (now + self.ttl).min(session_end).timestamp(),
            sid: Some(session_id.to_owned()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Reads a token.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Verdict {
        let Ok(data) = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
        else {
            return Verdict::Invalid;
        };
        let (Ok(member_id), Some(expires_at)) = (
            data.claims.sub.parse(),
            DateTime::from_timestamp(data.claims.exp, 0),
        ) else {
            return Verdict::Invalid;
        };
        if expires_at <= now {
            return Verdict::Expired;
        }
        Verdict::Valid {
            member_id,
            session_id: data.claims.sid,
            expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;

    use super::*;

    fn tokens(secret: &str) -> AccessTokens {
        AccessTokens::new(&Secrets::from_text(secret), TimeDelta::minutes(15))
    }

    fn issue(tokens: &AccessTokens, now: DateTime<Utc>) -> String {
        let end = now + TimeDelta::days(90);
        tokens.issue(7, "a session", end, now).unwrap()
    }

    #[test]
    fn a_token_ends_with_its_session() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let tokens = tokens("one");
        let end = now + TimeDelta::minutes(1);
        let token = tokens.issue(7, "a session", end, now).unwrap();
        assert_eq!(tokens.read(&token, end), Verdict::Expired);
    }

    #[test]
    fn a_token_lives_for_its_time_and_not_a_second_longer() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let tokens = tokens("one");
        let token = issue(&tokens, now);
        let last = now + TimeDelta::seconds(15 * 60 - 1);
        assert!(matches!(
            tokens.read(&token, last),
            Verdict::Valid { member_id: 7, .. }
        ));
        assert_eq!(
            tokens.read(&token, now + TimeDelta::minutes(15)),
            Verdict::Expired
        );
    }

    #[test]
    fn tokens_of_another_secret_or_another_algorithm_are_not_ours() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let token = issue(&tokens("one"), now);
        assert_eq!(tokens("two").read(&token, now), Verdict::Invalid);
        let payload = token.split('.').nth(1).unwrap();
        let none = format!("{}.{payload}.", B64.encode(r#"{"alg":"none","typ":"JWT"}"#));
        assert_eq!(tokens("one").read(&none, now), Verdict::Invalid);
        assert_eq!(tokens("one").read("", now), Verdict::Invalid);
    }
}
