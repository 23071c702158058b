//! Behind a reverse proxy: the client is whom the proxy names, where it is trusted, and the proxy where it is not.

use super::with_settings;
use crate::console::support::Console;
use crate::support::{ADMIN_KEY, TestApp};

/// Signs in with a key on a connection that carries a header; answers the status.
fn signs_in(app: &TestApp, header: (&str, &str), key: &str) -> u16 {
    let console = Console::open(app);
    let csrf = console.get("/sign-in").value_of("csrf").expect("a token in the form");
    let form = [("csrf", &*csrf), ("key", key)];
    console.send("POST", "/sign-in", &[header], Some(&form)).status
}

#[test]
fn whoever_tries_keys_behind_a_trusted_proxy_lets_nobody_else_wait() {
    with_settings(&[("server.trusted_proxies", "127.0.0.0/8")], |app| {
        const NAMED: &str = "X-Forwarded-For";
        for number in 0..10 {
            // Whatever the client writes itself stands before what the proxy writes.
            let from = format!("203.0.113.{number}, 198.51.100.7");
            assert_eq!(signs_in(app, (NAMED, &from), "lk_wrong"), 422);
        }
        for same in [(NAMED, "198.51.100.7"), ("Forwarded", "for=\"198.51.100.7:4711\"")] {
            assert_eq!(signs_in(app, same, ADMIN_KEY), 429, "{same:?}");
        }
        for other in [(NAMED, "198.51.100.8"), (NAMED, "198.51.100.7, unknown")] {
            assert_eq!(signs_in(app, other, ADMIN_KEY), 303, "{other:?}");
        }
    });
}

#[test]
fn where_no_proxy_is_trusted_a_header_makes_nobody_another_client() {
    with_settings(&[], |app| {
        for number in 0..5 {
            let address = format!("198.51.100.{number}");
            let named = format!("for={address}");
            for header in [("X-Forwarded-For", &*address), ("Forwarded", &named)] {
                assert_eq!(signs_in(app, header, "lk_wrong"), 422);
            }
        }
        assert_eq!(signs_in(app, ("X-Forwarded-For", "198.51.100.99"), ADMIN_KEY), 429);
        assert_eq!(signs_in(app, ("Forwarded", "for=198.51.100.99"), ADMIN_KEY), 429);
    });
}
