//! Memory and processor time of a process and its descendants.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

use crate::error::LoadError;

/// Resident bytes of a process and all that descend from it.
pub(crate) fn resident(root: u32) -> Result<u64, LoadError> {
    let kibibytes = tree(root)?.into_iter().map(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    Ok(kibibytes.flatten().sum::<u64>() * 1024)
}

/// Seconds of processor time that a process and all that descend from it have used.
pub(crate) fn processor_seconds(root: u32) -> Result<f64, LoadError> {
    let ticks = tree(root)?.into_iter().map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = after_name(&stat)?.split_whitespace().collect();
        let user: u64 = fields.get(11)?.parse().ok()?;
        let system: u64 = fields.get(12)?.parse().ok()?;
        Some(user + system)
    });
    Ok(ticks.flatten().sum::<u64>() as f64 / clock_ticks_per_second() as f64)
}

/// Bytes that the whole machine's TCP sockets hold in their queues.
pub(crate) fn socket_memory() -> Result<u64, LoadError> {
    let text = fs::read_to_string("/proc/net/sockstat").map_err(LoadError::Machine)?;
    Ok(pages_of_tcp(&text).unwrap_or(0) * page_size() as u64)
}

fn pages_of_tcp(sockstat: &str) -> Option<u64> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

/// The process itself first.
fn tree(root: u32) -> Result<Vec<u32>, LoadError> {
    let entries = fs::read_dir("/proc").map_err(LoadError::Machine)?;
    let processes: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, parent(pid)?))
        })
        .collect();
    if !processes.iter().any(|(pid, _)| *pid == root) {
        return Err(LoadError::Gone(root));
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&above) = tree.get(next) {
        let children = processes.iter().filter(|(_, parent)| *parent == above);
        tree.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    Ok(tree)
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    after_name(&stat)?.split_whitespace().nth(1)?.parse().ok()
}

/// The name is in parentheses and may hold anything, parentheses too.
fn after_name(stat: &str) -> Option<&str> {
    Some(stat.rsplit_once(") ")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let own = std::process::id();
        assert!(resident(own).unwrap() > 100_000);
        assert!(processor_seconds(own).unwrap() >= 0.0);
        let above = parent(own).unwrap();
        assert!(tree(above).unwrap().contains(&own));
    }

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        assert_eq!(after_name("7 (a) (b) S 1 7"), Some("S 1 7"));
    }

    #[test]
    fn pages_stand_behind_their_name() {
        let text =
            "sockets: used 15\nTCP: inuse 4 orphan 0 tw 76 alloc 4 mem 12\nUDP: inuse 0 mem 3\n";
        assert_eq!(pages_of_tcp(text), Some(12));
    }
}
