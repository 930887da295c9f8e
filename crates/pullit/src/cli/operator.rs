//! Who gives the command, as the audits name it.

/// How whoever gives the command stands in the audit: the system's user and host.
pub(super) fn operator() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    // Users of a directory service are not in the file; their number says who they are.
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then_some(name)
    });
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("{}@{host}", user.unwrap_or(&id))
}
