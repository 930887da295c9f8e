//! Where the database is, parsed from a URL. Its password is never printed.

use std::fmt;

use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use url::Url;

use super::{SESSION_SETTINGS, primary};

/// What a URL names: one server, or several of which one is the primary (`postgres://a,b:5433/pullit?target_session_attrs=read-write`,
/// as libpq has it).
#[derive(Clone)]
pub struct Target {
    hosts: Vec<PgConnectOptions>,
    must_write: bool,
}

/// Why a URL names no database. It does not quote the URL: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not begin with `postgres://` or `postgresql://`.
    #[error("a PostgreSQL URL begins with postgres://")]
    Scheme,
    /// It cannot be taken apart.
    #[error(
        "this PostgreSQL URL cannot be read ({0}): postgres://USER:PASSWORD@HOST:PORT/DATABASE; other characters than letters and digits in the password are written as %XX"
    )]
    Unreadable(String),
    /// A value of `target_session_attrs` that is no use here, or not known.
    #[error(
        "target_session_attrs may be any, read-write or primary, not {0:?}: the program writes"
    )]
    Session(String),
}

/// What sqlx reads. Anything else it would log with its value, which may be a secret.
const KNOWN: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

impl Target {
    /// Reads a URL. Files and variables of libpq that sqlx knows (`PGPASSFILE`, `PGSSLROOTCERT`, …) count as well.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or(UrlError::Scheme)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, hosts) = authority
            .rsplit_once('@')
            .map_or(("", authority), |(user, hosts)| {
                (&authority[..=user.len()], hosts)
            });
        let mut must_write = false;
        let hosts = hosts.split(',').map(|host| {
            let mut url = read(&format!("postgres://{user}{host}{tail}"))?;
            must_write = keep_known(&mut url)?;
            let options = PgConnectOptions::from_url(&url).map_err(unreadable)?;
            Ok(options.disable_statement_logging())
        });
        let hosts = hosts.collect::<Result<_, UrlError>>()?;
        Ok(Self { hosts, must_write })
    }

    /// Whether only a server that takes writes will do.
    pub(super) fn must_write(&self) -> bool {
        self.must_write
    }

    /// How many hosts it names; at least one.
    pub(super) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// How to reach one of the hosts.
    pub(super) fn host(&self, number: usize) -> PgConnectOptions {
        self.hosts[number % self.hosts.len()].clone()
    }

    /// How to reach the host that takes writes, for a connection of one's own.
    pub(crate) async fn primary(&self) -> PgConnectOptions {
        self.host(self.writable_host().await)
    }

    /// With the settings of a session of ours, or without what a pooler in transaction mode refuses.
    pub(super) fn for_sessions(mut self, transaction_pooler: bool) -> Self {
        for options in &mut self.hosts {
            *options = if transaction_pooler {
                options
                    .clone()
                    .extra_float_digits(None)
                    .statement_cache_capacity(0)
            } else {
                options.clone().options(SESSION_SETTINGS)
            };
        }
        self
    }

    /// The first host that takes writes, or the first of all when none does now.
    pub(super) async fn writable_host(&self) -> usize {
        if self.hosts() == 1 {
            return 0;
        }
        primary::find(self).await.unwrap_or(0)
    }
}

impl fmt::Debug for Target {
    /// Hosts and ports alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", host.get_host(), host.get_port())?;
        }
        Ok(())
    }
}

fn read(url: &str) -> Result<Url, UrlError> {
    Url::parse(url).map_err(|error| UrlError::Unreadable(error.to_string()))
}

fn unreadable(error: sqlx::Error) -> UrlError {
    let cause = match error {
        sqlx::Error::Configuration(cause) => cause.to_string(),
        error => error.to_string(),
    };
    UrlError::Unreadable(cause)
}

/// Takes out what sqlx does not know; whether only a primary will do.
fn keep_known(url: &mut Url) -> Result<bool, UrlError> {
    let mut must_write = false;
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs() {
        match (key.as_ref(), value.as_ref()) {
            ("target_session_attrs", "any") => {}
            ("target_session_attrs", "read-write" | "primary") => must_write = true,
            ("target_session_attrs", other) => return Err(UrlError::Session(other.to_owned())),
            (key, _) if KNOWN.contains(&key) || key.starts_with("options[") => {
                kept.push((key.to_owned(), value.into_owned()));
            }
            (key, _) => tracing::warn!(
                key,
                "database URL: this parameter is not known and has no effect"
            ),
        }
    }
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok(must_write)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test has nobody to return an error to"
    )]

    use super::*;

    #[test]
    fn several_hosts_share_user_database_and_parameters() {
        let url = "postgres://me:p%40ss@a,b:5433,[::1]:7/pullit?target_session_attrs=read-write&sslmode=disable";
        let target = Target::parse(url).unwrap();
        assert!(target.must_write());
        assert_eq!(target.to_string(), "a:5432,b:5433,[::1]:7");
        for options in &target.hosts {
            assert_eq!(options.get_username(), "me");
            assert_eq!(options.get_database(), Some("pullit"));
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_refused_without_its_password() {
        for url in [
            "postgres://me:s3cret@host:port/db",
            "postgres://me:s3cret@host/db?target_session_attrs=standby",
            "postgres://me:s3cret@host/db?port=s3cret",
            "mysql://me:s3cret@host/db",
            "postgres://me:s3/cret@host/db",
            "postgres://me:s3cret@ho st/db",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{url}: {error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn what_is_printed_of_a_target_has_no_password() {
        let target = Target::parse("postgres://me:s3cret@host/db?passwd=s3cret").unwrap();
        assert_eq!(format!("{target} {target:?}"), "host:5432 host:5432");
    }
}
