//! Whose request it is: the address of the client, also behind proxies that are trusted.
//!
//! Each proxy writes down by whom it was called, behind what stands there already. So that is believed from its end, and
//! only as far as trusted proxies have written it: what stands before the first address that is none of theirs, anybody
//! may have made up.

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderValue, X_FORWARDED_FOR};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The proxies whose forwarding headers count.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// All that lie in some ranges.
    #[must_use]
    pub fn within(ranges: &[IpNet]) -> Self {
        Self(ranges.to_vec())
    }

    /// The address of whoever sent a request; `None` where even its connection has none.
    pub fn client_of(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip();
        Some(self.client(peer, request.headers()))
    }

    /// The same, of what a peer has sent.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut callers = callers(headers).into_iter().rev();
        // What is no address, such as `unknown`, ends the walk: nobody vouches for what stands before it.
        while self.trusts(client)
            && let Some(Some(caller)) = callers.next()
        {
            client = caller;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(&address))
    }
}

/// By whom each proxy was called, the nearest proxy last; `None` where what it says is no address.
fn callers(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    // Only one of the headers counts. Nearly every proxy writes this one, and lets the other through as the client has
    // sent it.
    if headers.contains_key(X_FORWARDED_FOR) {
        return headers.get_all(X_FORWARDED_FOR).flat_map(of_x_forwarded_for).collect();
    }
    headers.get_all(FORWARDED).flat_map(of_forwarded).collect()
}

fn of_x_forwarded_for(line: &HeaderValue) -> Vec<Option<IpAddr>> {
    let Ok(line) = line.to_str() else { return vec![None] };
    said(line.split(',')).map(address).collect()
}

fn of_forwarded(line: &HeaderValue) -> Vec<Option<IpAddr>> {
    let elements = line.to_str().ok().and_then(|line| parts(line, ','));
    let Some(elements) = elements else { return vec![None] };
    said(elements.into_iter()).map(forwarded_for).collect()
}

/// The entries of a list, of which empty ones say nothing (RFC 9110, 5.6.1).
fn said<'a>(entries: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    entries.map(str::trim).filter(|entry| !entry.is_empty())
}

/// The address in an element such as `for="[2001:db8::1]:4711";proto=https` (RFC 7239, 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = parts(element, ';')?;
    let mut pairs = pairs.into_iter().filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let in_quotes = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    address(in_quotes.unwrap_or(value))
}

/// The parts of a text between marks that stand outside of quotes; `None` where a quote is left open: a client that opens
/// one would else swallow what the proxy has written behind it.
fn parts(text: &str, mark: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        c == mark && !is_quoted
    };
    let parts = text.split(is_end).collect();
    (!is_quoted).then_some(parts)
}

/// An address, also with the brackets and the port that some proxies write.
fn address(text: &str) -> Option<IpAddr> {
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = in_brackets.unwrap_or(text).parse::<IpAddr>().ok();
    let address = alone.or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    const XFF: &str = "x-forwarded-for";

    /// Who the client is, where 10.0.0.0/8 and `fd00::/8` are trusted.
    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a value");
            map.append(HeaderName::from_static(name), value);
        }
        let ranges = ["10.0.0.0/8", "fd00::/8"].map(|range| range.parse().expect("a range"));
        let proxies = TrustedProxies::within(&ranges);
        proxies.client(peer.parse().expect("an address"), &map).to_string()
    }

    /// Who the client is behind one trusted proxy that sends a header.
    fn told(name: &'static str, value: &str) -> String {
        client("10.0.0.1", &[(name, value)])
    }

    #[test]
    fn whoever_is_not_trusted_is_not_believed() {
        let headers = [(XFF, "198.51.100.7"), ("forwarded", "for=198.51.100.7")];
        assert_eq!(client("192.0.2.1", &headers), "192.0.2.1");
        assert_eq!(client("2001:db8::1", &headers), "2001:db8::1");
        let mut map = HeaderMap::new();
        map.insert(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.7"));
        let peer = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(TrustedProxies::default().client(peer, &map), peer, "nobody is trusted");
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_client() {
        for (lines, is) in [
            (&[][..], "10.0.0.1"),
            (&["198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            (&["203.0.113.9,198.51.100.7 , fd00::2, 10.0.0.2"], "198.51.100.7"),
            (&["203.0.113.9", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            (&["203.0.113.9, 10.0.0.3", "10.0.0.2, 198.51.100.7"], "198.51.100.7"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["198.51.100.7, ,"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711, fd00::2"], "2001:db8::7"),
            (&["2001:DB8:0::7"], "2001:db8::7"),
            (&[""], "10.0.0.1"),
        ] {
            let headers: Vec<_> = lines.iter().map(|line| (XFF, *line)).collect();
            assert_eq!(client("10.0.0.1", &headers), is, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        assert_eq!(told(XFF, "198.51.100.7, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(told(XFF, "198.51.100.7, 10.0.0.2, _hidden"), "10.0.0.1");
        assert_eq!(told(XFF, "198.51.100.300"), "10.0.0.1");
        assert_eq!(told("forwarded", "for=198.51.100.7, for=unknown, for=10.0.0.2"), "10.0.0.2");
        assert_eq!(told("forwarded", "for=198.51.100.7, proto=https"), "10.0.0.1");
        let mut map = HeaderMap::new();
        let no_text = HeaderValue::from_bytes(b"198.51.100.7, \xff").expect("a value");
        map.insert(X_FORWARDED_FOR, no_text);
        let proxies = TrustedProxies::within(&["10.0.0.0/8".parse().expect("a range")]);
        let peer = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(proxies.client(peer, &map), peer);
    }

    #[test]
    fn the_standard_header_is_read_in_all_its_forms() {
        for (value, is) in [
            ("for=198.51.100.7", "198.51.100.7"),
            ("For=\"198.51.100.7:4711\";proto=https", "198.51.100.7"),
            ("proto=https; FOR = 198.51.100.7 ; by=10.0.0.1", "198.51.100.7"),
            ("for=\"[2001:db8::7]\"", "2001:db8::7"),
            ("for=\"[2001:db8::7]:4711\", for=10.0.0.2", "2001:db8::7"),
            ("for=203.0.113.9;host=\"a,b;for=1.2.3.4\\\"\", for=198.51.100.7", "198.51.100.7"),
            ("for=198.51.100.7;host=\"a, for=1.2.3.4\", for=10.0.0.2", "198.51.100.7"),
        ] {
            assert_eq!(told("forwarded", value), is, "{value}");
        }
        let lines = [("forwarded", "for=203.0.113.9;a=\""), ("forwarded", "for=198.51.100.7")];
        assert_eq!(client("10.0.0.1", &lines), "198.51.100.7");
    }

    #[test]
    fn an_open_quote_swallows_nothing_that_a_proxy_has_written() {
        for value in [
            "for=203.0.113.9;a=\", for=198.51.100.7",
            "for=203.0.113.9;a=\", for=\"[2001:db8::7]\"",
            "for=203.0.113.9;a=\"\\, for=\"[2001:db8::7]\";host=\"b\"",
        ] {
            assert_eq!(told("forwarded", value), "10.0.0.1", "{value}");
        }
    }

    #[test]
    fn of_both_headers_the_one_counts_that_proxies_write() {
        let both = [("forwarded", "for=203.0.113.9"), (XFF, "198.51.100.7")];
        assert_eq!(client("10.0.0.1", &both), "198.51.100.7");
        let unreadable = [("forwarded", "for=203.0.113.9"), (XFF, "unknown")];
        assert_eq!(client("10.0.0.1", &unreadable), "10.0.0.1");
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_the_clothes_of_ipv6() {
        assert_eq!(client("::ffff:10.0.0.1", &[(XFF, "198.51.100.7")]), "198.51.100.7");
        assert_eq!(client("::ffff:192.0.2.1", &[(XFF, "198.51.100.7")]), "192.0.2.1");
        assert_eq!(told(XFF, "198.51.100.7, ::ffff:10.0.0.2"), "198.51.100.7");
        assert_eq!(told("forwarded", "for=\"[::ffff:198.51.100.7]\""), "198.51.100.7");
    }
}
