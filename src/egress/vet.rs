//! Which addresses may be reached, and which URLs may be called.

use super::{CallError, URL_CHARS_MAX};
use ipnet::IpNet;
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not public of the old addresses, by the registry of special purposes (RFC 6890 and its
/// followers): this network, private, shared by carriers, loopback, link-local, protocols, documentation, the
/// relays of 6to4, benchmarks, multicast, reserved and broadcast. Each as (network, bits).
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved and broadcast in one.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that is public of the new addresses lies in here: neither what is mapped, translated (NAT64),
/// discarded, local, nor multicast does.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public of that: protocols (Teredo and ORCHID among them), documentation, 6to4. Each as
/// (network, bits).
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Names that mean this machine, whatever a server of names says.
const LOCAL_NAME: &str = "localhost";

/// Whether an address may be reached: it is public, or allowed as it stands. What is mapped is not allowed by
/// a range of the old addresses.
#[must_use]
pub fn may_be_reached(ip: IpAddr, allow: &[IpNet]) -> bool {
    is_public(ip) || allow.iter().any(|range| range.contains(&ip))
}

/// Whether an address is one that anybody on the internet can have.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.iter().any(|range| in_v4(ip, *range)),
        IpAddr::V6(ip) => {
            in_v6(ip, GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(|range| in_v6(ip, *range))
        }
    }
}

fn in_v4(ip: Ipv4Addr, (network, bits): (Ipv4Addr, u32)) -> bool {
    (ip.to_bits() ^ network.to_bits()).leading_zeros() >= bits
}

fn in_v6(ip: Ipv6Addr, (network, bits): (Ipv6Addr, u32)) -> bool {
    (ip.to_bits() ^ network.to_bits()).leading_zeros() >= bits
}

/// Reads a URL that is to be called: http or https, a host, nobody's name and password in it. An address is
/// read as browsers read it, in whatever form it stands there, and vetted.
pub(super) fn url(text: &str, allow: &[IpNet]) -> Result<Url, CallError> {
    let fault = |what: &str| Err(CallError::Url(what.to_owned()));
    if text.chars().count() > URL_CHARS_MAX {
        return Err(CallError::Url(format!("must have at most {URL_CHARS_MAX} characters")));
    }
    let Ok(url) = Url::parse(text) else {
        return fault("must be whole, such as https://hooks.example.com/latchkey");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return fault("must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fault("must name no user and no password");
    }
    let Some(host) = url.host_str() else {
        return fault("must name a host");
    };
    if url.port() == Some(0) {
        return fault("must name a port that can be connected to");
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let seen_at_once = match bare.parse::<IpAddr>() {
        Ok(ip) => may_be_reached(ip, allow),
        Err(_) => !is_local_name(bare) || allows_loopback(allow),
    };
    if seen_at_once { Ok(url) } else { Err(CallError::Forbidden) }
}

fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.rsplit('.').next() == Some(LOCAL_NAME)
}

fn allows_loopback(allow: &[IpNet]) -> bool {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    loopback.iter().any(|ip| allow.iter().any(|range| range.contains(ip)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last of each network that is not public, and others known by name.
    const REFUSED: [&str; 62] = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ffff::1",
    ];
    /// The neighbours of these networks, and others.
    const PUBLIC: [&str; 26] = [
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2606:4700::1111",
        "3ffe:ffff::1",
        "2003::1",
    ];

    #[test]
    fn what_is_not_public_is_refused_and_its_neighbours_are_not() {
        for ip in REFUSED {
            assert!(!may_be_reached(ip.parse().unwrap(), &[]), "{ip}");
        }
        for ip in PUBLIC {
            assert!(may_be_reached(ip.parse().unwrap(), &[]), "{ip}");
        }
    }

    #[test]
    fn what_is_allowed_is_reached_as_it_stands_and_nothing_beside_it() {
        let allow = ["10.1.0.0/16", "fd00::/8"].map(|range| range.parse().unwrap());
        for (ip, may) in [
            ("10.1.2.3", true),
            ("10.2.0.0", false),
            ("fd12::1", true),
            ("fc12::1", false),
            ("::ffff:10.1.2.3", false),
            ("64:ff9b::10.1.2.3", false),
        ] {
            assert_eq!(may_be_reached(ip.parse().unwrap(), &allow), may, "{ip}");
        }
    }

    #[test]
    fn an_address_is_seen_in_every_form_that_a_url_can_have_it_in() {
        let loopback = [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7F.1",
            "0x7f.0x0.0x0.0x1",
            "017700000001",
            "0177.0.0.1",
            "0177.0x0.1",
            "127.0.0.1.",
            "127.1.",
            "2130706433.",
            "%31%32%37.0.0.1",
            "127%2e0%2e0%2e1",
            "１２７.０.０.１",
            "127。0。0。1",
            "①②⑦.0.0.1",
            "0",
            "0x",
            "0.0.0.0",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[::]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
            "[fe80::1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.localhost.",
            "ｌocalhost",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "10.1",
            "192.168.1",
            "0300.0250.0.1",
            "100.100.100.200",
        ];
        for host in loopback {
            for text in [
                format!("http://{host}/"),
                format!("https://{host}:8443/a?b#c"),
                format!("HTTP:\\\\{host}\\"),
                format!(" http:{host}/\n"),
                // A backslash ends the host, whatever is behind it.
                format!("https://{host}\\@hooks.example.com/"),
            ] {
                assert_eq!(url(&text, &[]), Err(CallError::Forbidden), "{text:?}");
            }
        }
    }

    #[test]
    fn only_a_plain_url_of_the_web_is_called() {
        let fault = |text: &str| match url(text, &[]) {
            Err(CallError::Url(_)) => true,
            found => panic!("{text}: {found:?}"),
        };
        for text in [
            "",
            "hooks.example.com",
            "//hooks.example.com",
            "/hooks",
            "ftp://hooks.example.com/",
            "file:///etc/passwd",
            "gopher://hooks.example.com/",
            "unix:///run/x.sock",
            "data:text/plain,x",
            "http://",
            "https://?x",
            "https://dana@hooks.example.com/",
            "https://dana:secret@hooks.example.com/",
            "https://:x@hooks.example.com/",
            "https://hooks.example.com@127.0.0.1/",
            "http://256.1.1.1/",
            "http://1.2.3.4.5/",
            "http://0x7f.1.1.1.1/",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
            "http://a b/",
            "https://hooks.example.com:0/",
            "https://hooks.example.com:99999/",
        ] {
            assert!(fault(text));
        }
        let long = format!("https://hooks.example.com/{}", "x".repeat(URL_CHARS_MAX));
        assert!(fault(&long));
        for text in [
            "https://hooks.example.com/a?b=c",
            "http://8.8.8.8:8080/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(url(text, &[]).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_name_of_this_machine_is_taken_where_loopback_is_allowed() {
        let allow = ["127.0.0.0/8".parse().unwrap()];
        assert!(url("http://localhost:8080/", &allow).is_ok());
        assert!(url("http://127.1:8080/", &allow).is_ok());
        assert_eq!(url("http://[::1]:8080/", &allow), Err(CallError::Forbidden));
    }
}
