//! The list of what is held open, its numbers, and who may decide.

use super::{HELD_OPEN, SITE, decide_all, email, emails, hear, held_open, limit, members};
use crate::on_both_databases;
use crate::support::TestApp;
use serde_json::json;

fn number(app: &TestApp, series: &str) -> i64 {
    let found = app.get("/metrics");
    let line = found.text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
    line.unwrap_or_else(|| panic!("{series} in {}", found.text)).parse().expect("a number")
}

on_both_databases! {
    fn the_list_is_read_page_by_page_newest_first(app: &TestApp) {
        members(app, 9);
        limit(app, 0);
        for number in 1..=9 {
            hear(app, "refund", [number]);
            app.drain();
        }
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{HELD_OPEN}?limit=4{cursor}"));
            let items = page.json["items"].as_array().expect("items").clone();
            assert!(items.len() <= 4, "{page:?}");
            found.extend(items.iter().map(|item| item["email"].as_str().expect("an address").to_owned()));
            let Some(next) = page.json["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, (1..=9).rev().map(email).collect::<Vec<_>>());
        let wrong = app.get(&format!("{HELD_OPEN}?cursor=WyJ4Il0"));
        assert_eq!(wrong.status, 400, "{wrong:?}");
    }

    fn the_numbers_say_how_many_are_held_open_and_how_many_have_been(app: &TestApp) {
        assert_eq!(number(app, "latchkey_held_open_total"), 0);
        members(app, 5);
        limit(app, 2);
        hear(app, "refund", 1..=5);
        app.drain();
        app.clock.set(app.clock.now() + chrono::TimeDelta::minutes(1));
        assert_eq!(number(app, "latchkey_held_open"), 3);
        assert_eq!(number(app, "latchkey_site_held_open{site=\"default\"}"), 3);
        decide_all(app, "release", 3);
        app.clock.set(app.clock.now() + chrono::TimeDelta::minutes(1));
        assert_eq!(number(app, "latchkey_held_open"), 0);
        assert_eq!(number(app, "latchkey_held_open_total"), 3);
    }

    fn whoever_may_read_sees_it_and_whoever_may_manage_decides(app: &TestApp) {
        members(app, 1);
        limit(app, 0);
        hear(app, "refund", [1]);
        app.drain();
        let id = held_open(app)[0]["id"].as_str().expect("an id").to_owned();
        for (scope, list, decide) in [("read", 200, 403), ("support", 200, 403), ("manage", 200, 204)] {
            let made = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
            let key = made.json["key"].as_str().expect("a key").to_owned();
            let ask = |method: &str, path: &str| app.request(method, path, |r| r.bearer_auth(&key)).status;
            assert_eq!(ask("GET", HELD_OPEN), list, "{scope}");
            assert_eq!(ask("POST", &format!("{HELD_OPEN}/{id}/release")), decide, "{scope}");
        }
    }

    fn the_check_sees_a_wrong_number_of_members_and_a_rebuild_rights_it(app: &TestApp) {
        members(app, 3);
        let wrong = |conn: &mut latchkey::store::conn::Conn| {
            let more = [("gold".to_owned(), 2)].into();
            latchkey::store::level_counts::add(conn, "default", &more)
        };
        app.app.store().write(wrong).expect("written");
        let found = latchkey::flow::rebuild::check(app.app.flow(), "default").expect("checked");
        let found: Vec<_> = found.into_iter().map(|d| (d.what, d.id)).collect();
        assert_eq!(found, [("level", "gold".to_owned())]);
        latchkey::flow::rebuild::rebuild(app.app.flow(), "default", |_, _, _| {}).expect("rebuilt");
        assert_eq!(app.get(&format!("{SITE}/levels/gold")).json["members"], 3);
        assert!(emails(&held_open(app)).is_empty());
    }
}
