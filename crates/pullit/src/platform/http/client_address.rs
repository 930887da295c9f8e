//! Whose address a request counts for: the peer's, or what trusted proxies say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::{Extensions, HeaderMap};
use sse_hub::server::Peer;

/// The header in which proxies say who asked them, the last one at the end.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// Addresses that begin alike: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    prefix: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither an address nor a network such as `10.0.0.0/8`");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| wrong())?,
            None => longest,
        };
        if length > longest {
            return Err(wrong());
        }
        let prefix = 128 - longest + length;
        let bits = mapped(address) & mask(prefix);
        Ok(Self { bits, prefix })
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        mapped(address) & mask(self.prefix) == self.bits
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

/// IPv4 stands at its place within IPv6, so that one comparison does for both.
fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// Whom a request counts for; nothing where the connection has no address any more.
pub fn client_address(
    extensions: &Extensions,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Option<IpAddr> {
    let Peer(peer) = extensions.get::<Peer>()?;
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.ip().to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    // Right to left: what stands left of the first stranger, the stranger may have made up.
    let hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !is_trusted(client) {
            break;
        }
        let Some(next) = address(hop.trim()) else {
            break;
        };
        client = next;
    }
    Some(client)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>();
    let ip = plain.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

/// What counts as one client: an IPv4 address, or the network of 64 bits that an IPv6 client chooses its addresses from.
pub fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask(64))),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 1234)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let client = client_address(&extensions, &headers, &trusted);
        client.unwrap().to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        assert_eq!(
            client("203.0.113.7", &["9.9.9.9"], &["10.0.0.0/8"]),
            "203.0.113.7"
        );
        assert_eq!(client("10.1.2.3", &["9.9.9.9"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client("10.1.2.3", &[], &["10.0.0.0/8"]), "10.1.2.3");
        assert_eq!(
            client("::ffff:10.1.2.3", &["9.9.9.9"], &["10.0.0.0/8"]),
            "9.9.9.9"
        );
    }

    #[test]
    fn the_rightmost_stranger_is_the_client_whatever_stands_before() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 8.8.8.8, fd00::7"], &trusted),
            "8.8.8.8"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "8.8.8.8:4711"], &trusted),
            "8.8.8.8"
        );
        assert_eq!(
            client("10.0.0.1", &["[2001:db8::1]:80"], &trusted),
            "2001:db8::1"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, unknown"], &trusted),
            "10.0.0.1"
        );
    }

    #[test]
    fn an_ipv6_client_is_a_network_of_64_bits() {
        let bucket = |text: &str| bucket(text.parse().unwrap());
        assert_eq!(bucket("2001:db8:0:1::1"), bucket("2001:db8:0:1:ffff::2"));
        assert_ne!(bucket("2001:db8:0:1::1"), bucket("2001:db8:0:2::1"));
        assert_ne!(bucket("192.0.2.1"), bucket("192.0.2.2"));
        assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in [
            "",
            "pullit.example",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0.0/x",
            "10.0/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("9.9.9.9".parse().unwrap())
        );
        assert!(
            !"0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("2001:db8::1".parse().unwrap())
        );
    }
}
