//! The rules of the house, read off the sources: who may import, read and know what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The domain's rooms, and the tables that are theirs alone to write.
const TABLES: [(&str, &[&str]); 9] = [
    ("auth", &["refresh_token", "session", "sign_in_link"]),
    (
        "learn_stats",
        &["learn_stats", "learn_stats_daily", "learn_stats_walk"],
    ),
    ("admin", &["lock_audit"]),
    ("marking", &["marking_result"]),
    ("member", &["member"]),
    ("notification", &["notification", "notification_horizon"]),
    (
        "question_set",
        &[
            "question_set",
            "question_set_source",
            "question",
            "generation_turn",
        ],
    ),
    ("source", &["source", "source_text", "upload"]),
    (
        "platform",
        &[
            "work_item",
            "idempotency_key",
            "schema_migration",
            "write_probe",
        ],
    ),
];

/// Which room's statements read whose tables. Whatever is not here asks the other room.
const READS: [(&str, &str); 9] = [
    // Whose requests take turns at the quota.
    ("question_set", "member"),
    // Each request asks for a member's role and status with the session.
    ("auth", "member"),
    // Sums over the ledgers, and the members that they are summed for.
    ("learn_stats", "marking_result"),
    ("learn_stats", "member"),
    ("learn_stats", "question"),
    ("learn_stats", "question_set"),
    // A member who may not read gets no notification.
    ("notification", "member"),
    // A source is kept while a living set needs it.
    ("source", "question_set"),
    ("source", "question_set_source"),
];

/// Where HTTP is known, besides a room's `http.rs` or `http/`.
const EDGE: [&str; 6] = [
    "platform/http/",
    "admin/",
    "router.rs",
    "server/",
    "health/",
    // Clients of the models' services.
    "question_set/generator/",
];

/// Who may ask for the program's arguments and its own path.
const PROGRAMS: [&str; 3] = [
    "cli/mod.rs",
    "demo/server.rs",
    // The child that reads a document is a program of its own.
    "source/extraction/",
];

/// A source file without comments and tests: its path below `src/`, and its code.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn is_edge(&self) -> bool {
        self.path.ends_with("/http.rs")
            || self.path.contains("/http/")
            || EDGE.iter().any(|edge| self.path.starts_with(edge))
    }

    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// The words of the code, with `::` left between those of a path.
    fn paths(&self) -> impl Iterator<Item = &str> {
        self.code
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .filter(|word| !word.is_empty())
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !is_test(&name) {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = code(&text);
                sources.push(Source { path: name, code });
            }
        }
    }
    assert!(sources.len() > 100, "the sources are not where they were");
    sources
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("tests.rs") || name.ends_with("/readme.rs")
}

/// A file's tests stand at its end.
fn code(text: &str) -> String {
    let text = text
        .split_once("#[cfg(test)]\nmod tests {")
        .map_or(text, |(code, _)| code);
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

fn none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n{}", violations.join("\n"));
}

#[test]
fn no_room_imports_another_rooms_store() {
    let mut violations = Vec::new();
    for source in sources() {
        for (room, _) in TABLES {
            let foreign = source.room() != room;
            let (path, group) = (
                format!("crate::{room}::store"),
                format!("crate::{room}::{{"),
            );
            let imports = source.code.split(';').any(|item| {
                item.contains(&path) || (item.contains(&group) && item.contains("store::"))
            });
            let opens = source.path == format!("{room}/mod.rs")
                && ["pub mod store", "pub(crate) mod store"]
                    .iter()
                    .any(|open| source.code.contains(open));
            if (foreign && imports) || opens {
                violations.push(format!("{} and the store of {room}", source.path));
            }
        }
    }
    none("a room's store is its own", &violations);
}

#[test]
fn http_is_known_at_the_edge_alone() {
    let is_http = |word: &str| {
        let word = word.trim_start_matches("::");
        [
            "axum::",
            "http::",
            "hyper::",
            "tower_http::",
            "utoipa_axum::",
        ]
        .iter()
        .any(|start| word.starts_with(start))
            || word.split("::").any(|part| part == "ApiError")
    };
    let mut violations = Vec::new();
    for source in sources().iter().filter(|source| !source.is_edge()) {
        // Where a room begins, `http` is its own module and not the crate.
        let begins = source.path.ends_with("/mod.rs") && source.code.contains("mod http;");
        for word in source.paths().filter(|word| is_http(word)) {
            if !(begins && word.starts_with("http::")) {
                violations.push(format!("{}: {word}", source.path));
            }
        }
    }
    none("HTTP ends at http.rs", &violations);
}

#[test]
fn a_rooms_statements_touch_its_own_tables_and_listed_ones() {
    let owners: BTreeMap<&str, &str> = TABLES
        .iter()
        .flat_map(|(room, tables)| tables.iter().map(|table| (*table, *room)))
        .collect();
    let mut read = BTreeSet::new();
    let mut violations = Vec::new();
    let sources = sources();
    for source in &sources {
        let Some((room, _)) = TABLES.iter().find(|(room, _)| *room == source.room()) else {
            continue;
        };
        let words: Vec<_> = source.paths().collect();
        for pair in words.windows(3) {
            let [before, verb, table] = pair else {
                continue;
            };
            let Some(owner) = owners.get(table).filter(|owner| *owner != room) else {
                continue;
            };
            let writes =
                matches!(*verb, "INTO" | "UPDATE") || (*before, *verb) == ("DELETE", "FROM");
            if writes {
                violations.push(format!(
                    "{} writes {table}, which is {owner}'s",
                    source.path
                ));
            } else if matches!(*verb, "FROM" | "JOIN") {
                if !READS.contains(&(*room, *table)) {
                    violations.push(format!("{} reads {table}, which is {owner}'s", source.path));
                }
                read.insert((*room, *table));
            }
        }
    }
    none("a table has one room", &violations);
    for listed in READS {
        assert!(
            read.contains(&listed),
            "{listed:?} is listed, and not read any more"
        );
    }
}

#[test]
fn every_table_of_the_migrations_belongs_to_a_room() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    for file in std::fs::read_dir(migrations).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.starts_with("CREATE TABLE")) {
            let known = TABLES
                .iter()
                .flat_map(|(_, tables)| *tables)
                .any(|table| line.split([' ', '(']).any(|word| word == *table));
            assert!(known, "whose is it? {line}");
        }
    }
}

#[test]
fn the_environment_is_read_in_main_alone() {
    let is_allowed = |source: &Source, word: &str| match word.rsplit("::").next() {
        Some("args_os" | "current_exe") => PROGRAMS
            .iter()
            .any(|program| source.path.starts_with(program)),
        _ => source.path == "main.rs",
    };
    let mut violations = Vec::new();
    for source in sources() {
        for word in source.paths() {
            let reads = word.contains("std::env") || word.starts_with("env::");
            if reads && !is_allowed(&source, word) {
                violations.push(format!("{}: {word}", source.path));
            }
        }
    }
    none("nothing below main.rs reads the environment", &violations);
}

#[test]
fn every_file_opens_with_a_line_on_what_it_is_for() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let mut silent = Vec::new();
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                read += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                if !text.starts_with("//! ") {
                    silent.push(path.display().to_string());
                }
            }
        }
    }
    assert!(read > 500, "only {read} files were found");
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
