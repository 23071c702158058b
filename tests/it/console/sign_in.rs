//! Signing in and out, and what stands before every page.

use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, TestApp, instant};
use serde_json::json;

const SESSION: &str = "latchkey_session";

fn key_with(app: &TestApp, body: &serde_json::Value) -> (String, String) {
    let made = app.post("/api/v1/keys", body);
    assert_eq!(made.status, 201, "{made:?}");
    let text = |name: &str| made.json[name].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

fn is_sent_to_sign_in(page: &Page) {
    assert_eq!(page.status, 303, "{page:?}");
    assert!(page.location.starts_with("/sign-in"), "{page:?}");
}

on_both_databases! {
    fn whoever_is_not_signed_in_is_sent_to_sign_in_and_then_to_the_page_they_wanted(app: &TestApp) {
        let console = Console::open(app);
        is_sent_to_sign_in(&console.get("/"));
        let sent = console.get("/sites/default?a=b");
        assert_eq!(sent.location, "/sign-in?next=%2Fsites%2Fdefault%3Fa%3Db");
        let form = console.get(&sent.location);
        assert!(form.says("Sign in"), "{form:?}");
        let next = form.value_of("next").expect("where they wanted to go");
        let done = console.form_from(&sent.location, "/sign-in", &[("key", ADMIN_KEY), ("next", &next.replace("&#x3D;", "="))]);
        assert_eq!((done.status, &*done.location), (303, "/sites/default?a=b"));
        assert_eq!(console.get("/sites/default").status, 200);
    }

    fn a_wrong_key_is_said_beside_the_field(app: &TestApp) {
        let console = Console::open(app);
        let refused = console.form_from("/sign-in", "/sign-in", &[("key", "lk_wrong")]);
        assert_eq!(refused.status, 422);
        assert!(refused.says("This key is not known. Check that you have copied all of it."), "{refused:?}");
        assert!(refused.html.contains("aria-invalid=\"true\""));
        assert!(!refused.html.contains("lk_wrong"), "a key is not shown again");
        let nothing = console.form_from("/sign-in", "/sign-in", &[("key", " ")]);
        assert!(nothing.says("Paste a key."), "{nothing:?}");
        is_sent_to_sign_in(&console.get("/"));
    }

    fn the_cookie_holds_no_key_and_only_the_server_can_read_it(app: &TestApp) {
        let console = Console::open(app);
        let done = console.form_from("/sign-in", "/sign-in", &[("key", ADMIN_KEY)]);
        let cookies = done.reply.headers.get_all("set-cookie");
        let cookie = cookies.iter().map(|it| it.to_str().expect("text")).find(|it| it.starts_with(SESSION));
        let cookie = cookie.expect("a cookie");
        for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=604800"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("; Secure"), "there is no TLS on loopback: {cookie}");
        assert!(!cookie.contains(ADMIN_KEY));
    }

    fn signing_out_ends_the_session_also_for_whoever_kept_its_cookie(app: &TestApp) {
        let console = Console::sign_in(app);
        let kept = console.cookie(SESSION).expect("a session");
        assert_eq!(console.form("/sign-out", &[]).location, "/sign-in");
        assert!(console.follow("/").says("You have signed out."));
        console.set_cookie(SESSION, &kept);
        is_sent_to_sign_in(&console.get("/"));
    }

    fn signing_in_again_is_another_session_and_ends_the_one_before(app: &TestApp) {
        let console = Console::sign_in(app);
        let before = console.cookie(SESSION).expect("a session");
        let done = console.form_from("/sign-in", "/sign-in", &[("key", ADMIN_KEY)]);
        assert_eq!(done.status, 303);
        assert_ne!(console.cookie(SESSION).expect("a session"), before);
        console.set_cookie(SESSION, &before);
        is_sent_to_sign_in(&console.get("/"));
    }

    fn a_session_ends_with_its_key(app: &TestApp) {
        let (id, key) = key_with(app, &json!({ "name": "one", "scopes": ["read"] }));
        let console = Console::sign_in_with(app, &key);
        assert_eq!(console.get("/sites/default").status, 200);
        assert_eq!(app.delete(&format!("/api/v1/keys/{id}")).status, 204);
        is_sent_to_sign_in(&console.get("/sites/default"));

        let asked = json!({ "name": "two", "scopes": ["read"], "expires_at": "2026-01-01T01:00:00Z" });
        let (_, key) = key_with(app, &asked);
        let console = Console::sign_in_with(app, &key);
        app.at(instant("2026-01-01T01:00:00Z"));
        is_sent_to_sign_in(&console.get("/sites/default"));
    }

    fn a_session_ends_after_half_a_day_without_use_and_after_a_week_in_any_case(app: &TestApp) {
        let console = Console::sign_in(app);
        app.at(instant("2026-01-01T11:59:59Z"));
        assert_eq!(console.get("/sites/default").status, 200);
        app.at(instant("2026-01-01T23:59:58Z"));
        assert_eq!(console.get("/sites/default").status, 200, "it was used in between");
        app.at(instant("2026-01-02T11:59:59Z"));
        is_sent_to_sign_in(&console.get("/sites/default"));

        let console = Console::sign_in(app);
        let begun = instant("2026-01-02T11:59:59Z");
        for hours in (0..168).step_by(8) {
            app.at(begun + chrono::TimeDelta::hours(hours));
            assert_eq!(console.get("/sites/default").status, 200, "after {hours} hours");
        }
        app.at(begun + chrono::TimeDelta::hours(168));
        is_sent_to_sign_in(&console.get("/sites/default"));
    }

    fn a_form_that_is_not_ours_is_refused(app: &TestApp) {
        let console = Console::sign_in(app);
        let csrf = console.get("/sites").value_of("csrf").expect("a token");
        let other = Console::sign_in(app).get("/sites").value_of("csrf").expect("a token");
        let foreign = [
            (vec![], None),
            (vec![], Some("wrong")),
            (vec![], Some(&*other)),
            (vec![("origin", "https://evil.example")], Some(&*csrf)),
            (vec![("origin", "null")], Some(&*csrf)),
            (vec![("sec-fetch-site", "cross-site")], Some(&*csrf)),
        ];
        for (headers, token) in foreign {
            let fields: Vec<(&str, &str)> = token.into_iter().map(|token| ("csrf", token)).collect();
            let refused = console.send("POST", "/sign-out", &headers, Some(&fields));
            assert_eq!(refused.status, 403, "{headers:?} {token:?}");
            assert!(refused.says("did not come from a page of this console"), "{refused:?}");
        }
        let own = format!("http://{}", app.address());
        let done = console.send("POST", "/sign-out", &[("origin", &*own)], Some(&[("csrf", &*csrf)]));
        assert_eq!(done.status, 303);
    }

    fn nobody_is_signed_in_by_a_form_of_another_page(app: &TestApp) {
        let console = Console::open(app);
        console.get("/sign-in");
        let refused = console.send("POST", "/sign-in", &[], Some(&[("key", ADMIN_KEY), ("csrf", "x")]));
        assert_eq!(refused.status, 403);
        assert_eq!(console.cookie(SESSION), None);
    }

    fn after_signing_in_nobody_is_sent_to_another_server(app: &TestApp) {
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", ""] {
            let console = Console::open(app);
            let done = console.form_from("/sign-in", "/sign-in", &[("key", ADMIN_KEY), ("next", next)]);
            assert_eq!((done.status, &*done.location), (303, "/"), "{next:?}");
        }
    }

    fn whoever_tries_keys_has_to_wait(app: &TestApp) {
        let console = Console::open(app);
        for _ in 0..10 {
            let refused = console.form_from("/sign-in", "/sign-in", &[("key", "lk_wrong")]);
            assert_eq!(refused.status, 422);
        }
        let waits = console.form_from("/sign-in", "/sign-in", &[("key", ADMIN_KEY)]);
        assert_eq!(waits.status, 429);
        let seconds: u64 = waits.reply.header("retry-after").expect("when").parse().expect("seconds");
        assert!((1..=61).contains(&seconds), "{seconds}");
        assert!(waits.says("Too many keys were wrong."));
    }

    fn every_page_says_that_nothing_foreign_may_run(app: &TestApp) {
        let console = Console::sign_in(app);
        for path in ["/sign-in", "/sites", "/sites/default", "/sites/nowhere", "/"] {
            let page = console.get(path);
            let policy = page.reply.header("content-security-policy").unwrap_or_default().to_owned();
            assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(page.reply.header("x-frame-options"), Some("DENY"), "{path}");
            assert_eq!(page.reply.header("referrer-policy"), Some("same-origin"), "{path}");
            assert_eq!(page.reply.header("cache-control"), Some("no-store"), "{path}");
        }
    }

    fn what_is_refused_is_a_page_that_says_what_to_do(app: &TestApp) {
        let console = Console::sign_in(app);
        let nowhere = console.get("/sites/nowhere");
        assert_eq!(nowhere.status, 404);
        assert!(nowhere.html.trim_start().starts_with("<!doctype html>"), "{nowhere:?}");
        assert!(nowhere.says("There is no such site."), "{nowhere:?}");
        let (_, key) = key_with(app, &json!({ "name": "bound", "scopes": ["admin"], "site": "default" }));
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        let bound = Console::sign_in_with(app, &key);
        assert_eq!(bound.get("/sites/other").status, 404);
        assert_eq!(bound.get("/").location, "/sites/default");
    }

    fn the_files_of_the_console_are_kept_by_browsers_and_need_no_session(app: &TestApp) {
        let console = Console::open(app);
        for (file, kind) in [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")] {
            let found = console.get(&format!("/static/{file}"));
            assert_eq!(found.status, 200, "{file}");
            assert!(found.reply.header("content-type").expect("a type").starts_with(kind));
            assert!(found.reply.header("cache-control").expect("how long").contains("immutable"));
        }
        assert_eq!(console.get("/static/../Cargo.toml").status, 404);
        assert_eq!(console.get("/static/other.css").status, 404);
    }
}
