//! What can be wrong with the server and its contents.

use std::collections::HashMap;

use redis::Cmd;
use tracing::warn;

use super::{Redis, connection::Call};
use crate::LockError;

/// `SET … PXAT` is the newest command that cannot be done without.
const OLDEST: (u32, u32) = (6, 2);

impl Redis {
    pub(super) async fn problems(&self) -> Result<Vec<String>, LockError> {
        let mut problems = Vec::new();
        match self.one::<String>(Call::Command(redis::cmd("INFO"))).await {
            Ok(info) => problems.extend(of_server(&fields(&info))),
            Err(LockError::Database(error)) => warn!(
                %error,
                "Redis does not tell its settings, so it was not checked: a server that evicts keys loses locks"
            ),
            Err(error) => return Err(error),
        }
        // Asks for a lock that cannot exist, to see whether scripts may be run.
        match self.look("").await {
            Err(LockError::Database(error)) => {
                problems.push(format!(
                    "scripts cannot be run: allow EVAL and EVALSHA ({error})"
                ));
            }
            looked => drop(looked?),
        }
        let kind_of = |key: &[u8]| {
            let mut command = Cmd::new();
            command.arg("TYPE").arg(key);
            Call::Command(command)
        };
        self.each_lock::<String>(kind_of, |key, kind| {
            let kind = kind?;
            if kind != "string" && kind != "none" {
                problems.push(format!(
                    "key {:?} holds a {kind}, so nobody can take that lock: delete it",
                    String::from_utf8_lossy(key)
                ));
            }
            Ok(())
        })
        .await?;
        Ok(problems)
    }
}

/// The answer of `INFO`: a field a line, between headings.
fn fields(info: &str) -> HashMap<&str, &str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .collect()
}

fn of_server(info: &HashMap<&str, &str>) -> Vec<String> {
    let is = |field| info.get(field).copied().unwrap_or_default();
    let mut problems = Vec::new();
    let version = is("redis_version");
    if number(version).is_some_and(|version| version < OLDEST) {
        problems.push(format!(
            "Redis {version} is too old: update it to {}.{} or newer",
            OLDEST.0, OLDEST.1
        ));
    }
    if is("role") == "slave" {
        problems.push("this Redis is a replica: connect to its primary".to_owned());
    }
    let policy = is("maxmemory_policy");
    if !["", "noeviction"].contains(&policy) {
        if is("maxmemory") == "0" {
            warn!(
                policy,
                "this Redis would evict locks or tokens if its memory were limited: set maxmemory-policy noeviction"
            );
        } else {
            problems.push(format!(
                "maxmemory-policy {policy} evicts locks that are held, or their tokens: set it to noeviction"
            ));
        }
    }
    if is("cluster_enabled") == "1" {
        warn!(
            "this Redis is a node of a cluster: without a proxy in front, locks that belong to other nodes are refused"
        );
    }
    problems
}

/// The first two numbers of a version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{fields, of_server};

    fn problems(changed: &[(&str, &str)]) -> Vec<String> {
        let healthy = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory:1000000\r\n\
            maxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:0\r\n";
        let mut info = fields(healthy);
        info.extend(changed.iter().copied());
        of_server(&info)
    }

    #[test]
    fn a_healthy_server_has_no_problems() {
        let fine = [
            &[] as &[_],
            &[("redis_version", "6.2.0")],
            &[("redis_version", "10.0.1")],
            &[("redis_version", "unstable")],
            &[("maxmemory_policy", "allkeys-lru"), ("maxmemory", "0")],
            &[("cluster_enabled", "1")],
        ];
        for changed in fine {
            assert_eq!(problems(changed), [] as [&str; 0], "{changed:?}");
        }
    }

    #[test]
    fn every_problem_comes_with_its_remedy() {
        let found = problems(&[
            ("redis_version", "6.0.16"),
            ("role", "slave"),
            ("maxmemory_policy", "volatile-ttl"),
        ]);
        assert_eq!(
            found,
            [
                "Redis 6.0.16 is too old: update it to 6.2 or newer",
                "this Redis is a replica: connect to its primary",
                "maxmemory-policy volatile-ttl evicts locks that are held, or their tokens: set it to noeviction",
            ]
        );
    }
}
