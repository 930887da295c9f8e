//! What an S3 storage needs to know, from the configuration and the chain of AWS credentials.

use std::collections::{BTreeMap, HashMap};

use super::Config;

/// What the usual chain of AWS credentials reads of the environment. Nothing else of it changes how the storage works.
pub(super) const CHAIN: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Access keys of the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// Names the key.
    pub access_key: String,
    /// Signs with it.
    pub secret_key: String,
}

impl std::fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeys").finish_non_exhaustive()
    }
}

/// `storage.url = "s3://…"` and what belongs to it, checked.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Where the bucket answers, without a slash at its end: the bucket stands in the host or in the path.
    pub bucket_url: String,
    /// Stands before every key; empty or without slashes at its ends.
    pub prefix: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub bucket: String,
    /// Without them the chain of [`S3Settings::chain`] is asked.
    pub keys: Option<AccessKeys>,
    /// What the environment says to the chain of credentials.
    pub chain: BTreeMap<String, String>,
    /// Whether many objects are deleted by one request.
    pub bulk_delete: bool,
}

/// The variables of the chain.
pub(super) fn chain(environment: &HashMap<String, String>) -> BTreeMap<String, String> {
    environment
        .iter()
        .filter(|(name, value)| CHAIN.contains(&name.as_str()) && !value.is_empty())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Config {
    /// Whether objects are kept in S3 or what speaks like it.
    pub fn is_s3(&self) -> bool {
        self.storage.url.starts_with("s3://")
    }

    /// The settings of the S3 storage.
    ///
    /// # Errors
    /// With what cannot be used, in words that hold no secret.
    pub fn s3(&self) -> Result<S3Settings, String> {
        let storage = &self.storage;
        let place = storage.url.strip_prefix("s3://").unwrap_or_default();
        if place.contains(['@', '?', '#', ':']) {
            return Err("storage.url: write `s3://BUCKET/PREFIX` and nothing else; keys go to storage.access_key and \
                        storage.secret_key, the server's address to storage.endpoint"
                .to_owned());
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let in_bucket_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if bucket.is_empty() || !bucket.chars().all(in_bucket_name) {
            return Err(format!(
                "storage.url: `{bucket}` is not the name of a bucket; write `s3://BUCKET/PREFIX`"
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
            return Err(format!(
                "storage.url: `{prefix}` cannot stand before the keys of objects; use letters, digits, `-`, `_` and `.`, parted by `/`"
            ));
        }
        let keys = match (storage.access_key.is_empty(), storage.secret_key.is_empty()) {
            (true, true) => None,
            (false, false) => Some(AccessKeys {
                access_key: storage.access_key.clone(),
                secret_key: storage.secret_key.clone(),
            }),
            (true, false) => {
                return Err("storage.secret_key is set, storage.access_key is not".to_owned());
            }
            (false, true) => {
                return Err("storage.access_key is set, storage.secret_key is not".to_owned());
            }
        };
        let region = self.s3_region()?;
        Ok(S3Settings {
            bucket_url: self.bucket_url(bucket, &region)?,
            prefix: prefix.to_owned(),
            region,
            bucket: bucket.to_owned(),
            keys,
            chain: storage.chain.clone(),
            bulk_delete: storage.bulk_delete,
        })
    }

    fn s3_region(&self) -> Result<String, String> {
        let chain = |name: &str| self.storage.chain.get(name).cloned();
        let region = Some(self.storage.region.clone())
            .filter(|region| !region.is_empty())
            .or_else(|| chain("AWS_REGION"))
            .or_else(|| chain("AWS_DEFAULT_REGION"));
        match region {
            Some(region)
                if region
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
            {
                Ok(region)
            }
            Some(region) => Err(format!(
                "storage.region: `{region}` is not a region, such as `ap-northeast-2`"
            )),
            // What only speaks like S3 rarely has regions, and then takes this one.
            None if !self.storage.endpoint.is_empty() => Ok("us-east-1".to_owned()),
            None => Err(
                "storage.region is not set: name the bucket's region, such as `ap-northeast-2`"
                    .to_owned(),
            ),
        }
    }

    fn bucket_url(&self, bucket: &str, region: &str) -> Result<String, String> {
        let storage = &self.storage;
        let endpoint = match storage.endpoint.as_str() {
            "" => format!("https://s3.{region}.amazonaws.com"),
            endpoint => endpoint.trim_end_matches('/').to_owned(),
        };
        let wrong = || {
            "storage.endpoint must be the address of the S3 server alone, such as `https://s3.example.com:9000`".to_owned()
        };
        let (scheme, host) = endpoint.split_once("://").ok_or_else(wrong)?;
        let usual_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(wrong()),
        };
        let in_host =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']' | '_');
        if host.is_empty() || !host.chars().all(in_host) {
            return Err(wrong());
        }
        // No client names the usual port in `Host`, which is signed.
        let host = host.strip_suffix(usual_port).unwrap_or(host);
        Ok(if self.s3_path_style() {
            format!("{scheme}://{host}/{bucket}")
        } else {
            format!("{scheme}://{bucket}.{host}")
        })
    }

    /// Whether the bucket stands in the path of a URL, and not in its host: unless said otherwise, where an endpoint is named.
    pub(super) fn s3_path_style(&self) -> bool {
        let storage = &self.storage;
        storage.path_style.unwrap_or(!storage.endpoint.is_empty())
    }
}

fn is_segment(segment: &str) -> bool {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !segment.is_empty() && !segment.starts_with('.') && segment.chars().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        config.storage.url = url.to_owned();
        config.storage.region = "ap-northeast-2".to_owned();
        change(&mut config);
        config
    }

    fn bucket_url(change: impl FnOnce(&mut Config)) -> String {
        config("s3://pullit/a/b/", change).s3().unwrap().bucket_url
    }

    #[test]
    fn the_bucket_stands_in_the_host_of_aws_and_in_the_path_of_an_endpoint_unless_said_otherwise() {
        assert_eq!(
            bucket_url(|_| {}),
            "https://pullit.s3.ap-northeast-2.amazonaws.com"
        );
        assert_eq!(
            bucket_url(|config| config.storage.path_style = Some(true)),
            "https://s3.ap-northeast-2.amazonaws.com/pullit"
        );
        let endpoint = |text: &str, style| {
            bucket_url(|config| {
                config.storage.endpoint = text.to_owned();
                config.storage.path_style = style;
            })
        };
        assert_eq!(
            endpoint("http://127.0.0.1:9000/", None),
            "http://127.0.0.1:9000/pullit"
        );
        assert_eq!(
            endpoint("https://s3.example:443", Some(false)),
            "https://pullit.s3.example"
        );
        let settings = config("s3://pullit/a/b/", |_| {}).s3().unwrap();
        assert_eq!(
            (settings.bucket.as_str(), settings.prefix.as_str()),
            ("pullit", "a/b")
        );
    }

    #[test]
    fn the_region_comes_from_the_configuration_then_the_environment_and_is_needed_for_aws() {
        let region = |change: fn(&mut Config)| {
            config("s3://pullit", change)
                .s3()
                .map(|settings| settings.region)
        };
        let set = |config: &mut Config, name: &str| {
            config
                .storage
                .chain
                .insert(name.to_owned(), "eu-west-1".to_owned());
        };
        assert_eq!(region(|_| {}).unwrap(), "ap-northeast-2");
        let mut from_environment = config("s3://pullit", |config| config.storage.region.clear());
        assert!(
            from_environment
                .s3()
                .unwrap_err()
                .contains("storage.region")
        );
        set(&mut from_environment, "AWS_DEFAULT_REGION");
        assert_eq!(from_environment.s3().unwrap().region, "eu-west-1");
        assert_eq!(
            region(|config| {
                config.storage.region.clear();
                config.storage.endpoint = "http://localhost:9000".to_owned();
            })
            .unwrap(),
            "us-east-1"
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name_and_no_secret_is_repeated() {
        type Case = (&'static str, fn(&mut Config), &'static str);
        let cases: [Case; 9] = [
            ("s3://", |_| {}, "bucket"),
            ("s3:///prefix", |_| {}, "bucket"),
            ("s3://key:hush@pullit", |_| {}, "storage.secret_key"),
            ("s3://pullit?secret=hush", |_| {}, "storage.url"),
            ("s3://pullit/../x", |_| {}, "storage.url"),
            (
                "s3://pullit",
                |config| config.storage.access_key = "key".to_owned(),
                "storage.secret_key",
            ),
            (
                "s3://pullit",
                |config| config.storage.secret_key = "hush".to_owned(),
                "storage.access_key",
            ),
            (
                "s3://pullit",
                |config| config.storage.endpoint = "minio:9000".to_owned(),
                "storage.endpoint",
            ),
            (
                "s3://pullit",
                |config| config.storage.endpoint = "https://me:hush@minio".to_owned(),
                "storage.endpoint",
            ),
        ];
        for (url, change, named) in cases {
            let said = config(url, change).s3().unwrap_err();
            assert!(
                said.contains(named) && !said.contains("hush"),
                "{url}: {said}"
            );
        }
    }

    #[test]
    fn only_what_the_chain_of_credentials_reads_is_taken_from_the_environment() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SKIP_SIGNATURE", "true"),
            ("AWS_REGION", ""),
            ("HOME", "/"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let taken = chain(&environment.into());
        assert_eq!(taken.into_keys().collect::<Vec<_>>(), ["AWS_ACCESS_KEY_ID"]);
    }
}
