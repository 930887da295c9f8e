//! What is on this machine alone: addresses, and names of hosts.

use std::net::IpAddr;

/// Whether `host` or `host:port` names this machine, and is nothing but that.
pub fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    port.is_none_or(is_port) && is_host(host, text.starts_with('['))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_host(host: &str, is_bracketed: bool) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return !is_bracketed;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() && !is_bracketed,
        Ok(IpAddr::V6(ip)) => ip.is_loopback() && is_bracketed,
        Err(_) => false,
    }
}

/// Whether an `http` or `https` URL leads to this machine.
pub fn is_url(url: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    rest.is_some_and(|rest| is_authority(rest.split('/').next().unwrap_or_default()))
}

/// Whether an address is this machine's own.
pub fn is_address(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_localhost_are_this_machine() {
        for here in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.8.9.1",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(is_authority(here), "{here}");
            assert!(is_url(&format!("http://{here}/")), "{here}");
        }
        for elsewhere in [
            "",
            "pullit.example",
            "localhost.",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "127.0.0.1:80@evil.example",
            "127.0.0.1:http",
            "127.0.0.1:+80",
            "127.0.0.1:",
            "127.1",
            "::1",
            "[127.0.0.1]",
            "[localhost]",
            "[::1]evil.example",
            "[::1",
            "0.0.0.0",
            "[::]",
            " localhost",
            "localhost,localhost",
        ] {
            assert!(!is_authority(elsewhere), "{elsewhere}");
        }
        assert!(!is_url("ftp://localhost") && !is_url("localhost"));
    }
}
