//! Where a request comes from, as far as it can be believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word is taken for where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads a list of addresses and networks such as `10.0.0.0/8, ::1`, divided by commas; the part that is neither, if there
    /// is one.
    pub fn read(list: &str) -> Result<Self, &str> {
        let parts = list
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let read = |part| {
            let address = str::parse::<IpAddr>(part).map(IpNet::from);
            address
                .or_else(|_| part.parse::<IpNet>())
                .map_err(|_neither| part)
        };
        parts.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where this request comes from: its peer, or, as long as that is one of the proxies, who it says that it forwards for.
    ///
    /// Each proxy appends the address that it was called from, so the list is read from its end, and the first address that is no
    /// proxy's is the caller's; what stands before it may be anybody's invention. A proxy passes on the header that it does not
    /// write: where both `X-Forwarded-For` and `Forwarded` (RFC 7239) are there and disagree, neither is believed.
    pub fn client(&self, request: &HttpRequest) -> IpAddr {
        // Over a socket without addresses everyone is the same caller.
        let peer = request
            .peer_addr()
            .as_ref()
            .map_or_else(|| IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip);
        self.resolve(peer.to_canonical(), request.headers())
    }

    fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let texts = |name: HeaderName| -> Vec<&str> {
            let values = headers.get_all(name);
            // A value that is no text ends the list: what is behind it is still believed, what is before it is not.
            values
                .flat_map(|value| value.to_str().unwrap_or("?").split(','))
                .collect()
        };
        let (listed, forwarded) = (texts(X_FORWARDED_FOR), texts(header::FORWARDED));
        let by_list = self.walk(peer, listed.iter().map(|hop| address(hop)));
        let by_forwarded = self.walk(
            peer,
            forwarded.iter().map(|hop| address(forwarded_for(hop)?)),
        );
        match (listed.is_empty(), forwarded.is_empty()) {
            (true, _) => by_forwarded,
            (_, true) => by_list,
            _ if by_list == by_forwarded => by_list,
            _ => peer,
        }
    }

    /// From the peer along the hops, from the last to the first, while they are proxies.
    fn walk(&self, peer: IpAddr, hops: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops.rev() {
            let Some(hop) = hop.filter(|_| self.trusts(client)) else {
                break;
            };
            client = hop;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// The value of `for` in one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address with or without a port, quotes and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok().or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(trusted: &str, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let proxies = Proxies::read(trusted).unwrap();
        proxies.resolve(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let said = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ];
        assert_eq!(client("", "198.51.100.1", &said), "198.51.100.1");
        assert_eq!(client("10.0.0.0/8", "198.51.100.1", &said), "198.51.100.1");
    }

    #[test]
    fn the_last_hop_that_is_no_proxys_is_the_caller() {
        for (said, found) in [
            ("192.0.2.1", "192.0.2.1"),
            ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("203.0.113.9, invented, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.3", "10.0.0.3"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
        ] {
            let headers = [("x-forwarded-for", said)];
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &headers), found, "{said}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let headers = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
        ];
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &headers), "192.0.2.1");
    }

    #[test]
    fn the_standard_header_says_the_same() {
        for (said, found) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("proto=https; For=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=203.0.113.9, for=192.0.2.1;by=10.0.0.1", "192.0.2.1"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            let headers = [("forwarded", said)];
            assert_eq!(client("10.0.0.1", "10.0.0.1", &headers), found, "{said}");
        }
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let headers = |invented| [("x-forwarded-for", "192.0.2.1"), ("forwarded", invented)];
        let proxies = "10.0.0.0/8";
        assert_eq!(
            client(proxies, "10.0.0.1", &headers("for=203.0.113.9")),
            "10.0.0.1"
        );
        assert_eq!(
            client(proxies, "10.0.0.1", &headers("for=192.0.2.1")),
            "192.0.2.1"
        );
    }

    #[test]
    fn a_list_that_holds_something_else_is_refused() {
        assert_eq!(
            Proxies::read("10.0.0.0/8, proxy.example"),
            Err("proxy.example")
        );
        assert_eq!(Proxies::read("10.0.0.0/33"), Err("10.0.0.0/33"));
        assert_eq!(Proxies::read(" , "), Ok(Proxies::default()));
    }
}
