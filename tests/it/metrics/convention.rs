//! Names and texts by Prometheus' conventions, and a bound on how many series there are.

use super::{scraped_anew, series, stands};
use crate::api::sweep::every_route;
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Ipn, TestApp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// More series than this are never told, whatever is sent and however many sites there are.
const SERIES_MAX: usize = 1_000;
/// Each label that may be, with what may be in it; a site's slug is the operator's own word.
const LABELS: [&str; 13] = [
    "feed", "kind", "le", "method", "outcome", "reading", "reason", "result", "route", "site",
    "state", "status", "version",
];

/// Every family as (kind, help).
fn families(text: &str) -> BTreeMap<String, (String, String)> {
    let (mut help, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let (told, rest) = match line.get(..7) {
            Some("# HELP ") => (&mut help, &line[7..]),
            Some("# TYPE ") => (&mut kinds, &line[7..]),
            _ => continue,
        };
        let (name, what) = rest.split_once(' ').expect("a name and a text");
        let twice = told.insert(name.to_owned(), what.to_owned());
        assert_eq!(twice, None, "{line}");
    }
    assert!(help.keys().eq(kinds.keys()), "each family has its HELP and its TYPE");
    let of = |(name, kind): (String, String)| {
        let help = help[&name].clone();
        (name, (kind, help))
    };
    kinds.into_iter().map(of).collect()
}

/// The names of the labels of a series, and what is in them.
fn labels(series: &str) -> Vec<(&str, &str)> {
    let inside = series.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'));
    inside.split("\",").filter_map(|label| label.trim_end_matches('"').split_once("=\"")).collect()
}

/// Something of everything: every kind of batch, a good many answers.
fn busy(app: &TestApp) {
    app.level("gold");
    app.map(&json!({ "product_id": "501", "level": "gold" }));
    for kind in
        ["sale", "rebill", "failed", "refund", "partial_refund", "chargeback", "cancellation"]
    {
        app.receives(Ipn::new(kind, 7).of("dana@example.com").on("2025-12-31 00:00:00").body());
    }
    app.receives("neither");
    app.drain();
    app.get("/api/v1/sites/default/members/dana@example.com/access");
}

on_both_databases! {
    fn names_and_texts_are_as_prometheus_wants_them(app: &TestApp) {
        busy(app);
        let text = app.get("/metrics").text;
        let families = families(&text);
        assert!(families.len() >= 15, "{families:?}");
        for (name, (kind, help)) in &families {
            println!("{name}");
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.starts_with("latchkey_") && name.chars().all(plain), "no more than a name");
            assert_eq!(name.ends_with("_total"), kind == "counter", "counters, and only they");
            assert!(help.ends_with('.') && help.len() > 20, "HELP is a sentence: {help}");
            let reserved = ["_count", "_sum", "_bucket", "_counter", "_gauge", "_histogram"];
            assert!(!reserved.iter().any(|end| name.ends_with(end)), "the kind is not in the name");
            let other = ["_ms", "_millis", "_micros", "_minutes", "_hours", "_days", "_kb", "_percent"];
            assert!(!other.iter().any(|unit| name.contains(unit)), "base units only");
            assert_eq!(help.contains("seconds"), name.ends_with("_seconds"), "the unit is said in both");
        }
        let of_a_family = |series: &str| {
            let name = series.split('{').next().expect("a name");
            let ends = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
            std::iter::once(name).chain(ends).any(|name| families.contains_key(name))
        };
        assert!(series(&text).keys().all(|series| of_a_family(series)));
        assert!(text.ends_with('\n'));
    }

    fn nothing_personal_and_nothing_secret_is_in_any_label(app: &TestApp) {
        busy(app);
        let token = app.hook().rsplit('/').next().expect("a token").to_owned();
        app.get(&format!("/hooks/kartra/{token}"));
        app.get("/api/v1/sites/default/webhooks?q=dana@example.com");
        app.get("/dana@example.com/lk_secret");
        let text = app.get("/metrics").text;
        for secret in ["dana", "example.com", &token, ADMIN_KEY, "lk_", "q="] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for name in series(&text).keys() {
            for (label, value) in labels(name) {
                assert!(LABELS.contains(&label) || label == "work", "{name}");
                assert!(value.len() <= 64, "{name}");
            }
        }
    }

    fn the_number_of_series_has_a_bound(app: &TestApp) {
        let one = scraped_anew(app);
        assert!(one.keys().any(|series| series.contains("site=\"default\"")));
        for number in 1..100 {
            let made = app.post("/api/v1/sites", &json!({ "id": format!("site-{number}") }));
            assert_eq!(made.status, 201, "{made:?}");
            if number == 49 {
                // As many as there can ever be: every route asked well and badly, every site with its own.
                busy(app);
                odd_requests(app);
                for (method, path) in every_route() {
                    app.request(method, &path, |request| request.bearer_auth(ADMIN_KEY));
                    app.request(method, &path, |request| request.bearer_auth("lk_wrong"));
                }
                let fifty = scraped_anew(app);
                assert!(fifty.contains_key("latchkey_site_webhooks_pending{site=\"site-49\"}"));
                assert!(fifty.len() <= SERIES_MAX, "{} series", fifty.len());
            }
        }
        let now = scraped_anew(app);
        stands(&now, "latchkey_sites", 100.0);
        assert!(!now.keys().any(|series| series.contains("site=")), "only totals past fifty sites");
        assert!(now.len() <= SERIES_MAX, "{} series", now.len());
        let methods: BTreeSet<&str> = now.keys().flat_map(|series| labels(series))
            .filter_map(|(label, value)| (label == "method").then_some(value)).collect();
        assert!(methods.is_subset(&BTreeSet::from(["GET", "POST", "PATCH", "DELETE", "OPTIONS", "other"])));
        let again = { odd_requests(app); scraped_anew(app) };
        assert_eq!(again.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "no more come");
    }
}

/// A thousand requests, each of its own path, method, key or body.
fn odd_requests(app: &TestApp) {
    let hook = app.hook();
    for number in 0..250 {
        let key = format!("lk_{number}");
        let method = format!("ODD{number}");
        app.request(&method, &format!("/odd/{number}"), |request| request.bearer_auth(&key));
        app.request("GET", &format!("/api/v1/sites/{number}"), |request| request.bearer_auth(&key));
        app.get(&format!("/api/v1/sites/default/members/{number}@x.example/{number}?a={number}"));
        app.post_raw(&hook, format!("{{\"action\":\"odd-{number}\",\"feed\":{number}}}"));
    }
}
