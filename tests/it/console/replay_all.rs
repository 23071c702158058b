//! Replaying all that a page of the list of webhooks shows.

use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::Ipn;
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";
const ACTIVITY: &str = "/sites/default/activity";
const REJECTED: &str = "/sites/default/activity?status=rejected";
const ALL: &str = "/sites/default/activity/replay-all";

/// Sends the form of the list as it stands on a page.
fn replayed(console: &Console, page: &Page) -> Page {
    let ids: Vec<&str> = page.html.split("name=\"id\" value=\"").skip(1).collect();
    let ids = ids.iter().map(|rest| ("id", rest.split('"').next().expect("an id")));
    let fields = [("status", "rejected"), ("q", "")].into_iter().chain(ids);
    let fields: Vec<(&str, &str)> = fields.collect();
    let sent = console.form(ALL, &fields);
    assert_eq!((sent.status, &*sent.location), (303, REJECTED), "{sent:?}");
    console.get(&sent.location)
}

on_both_databases! {
    fn what_a_page_shows_is_replayed_at_once_and_how_many_count_is_said(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.patch(SITE, &json!({ "ipn_secret": "another" }));
        for (number, name) in (1..).zip(["dana", "eva"]) {
            let sale = Ipn::new("sale", number).of(&format!("{name}@x.example"));
            assert_eq!(app.receives(sale.body()).status, 200);
        }
        app.drain();
        let console = Console::sign_in(app);
        assert!(!console.get(ACTIVITY).says("Replay these"), "only where all of them are such");
        let list = console.get(REJECTED);
        assert!(list.says("Replay these 2"), "{}", list.text());
        let still = replayed(&console, &list);
        assert!(still.says("2 were replayed: 0 of them count now. The others do not, or not yet: each says why."), "{}", still.text());

        app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" }));
        let done = replayed(&console, &still);
        assert!(done.says("All 2 were replayed, and count now."), "{}", done.text());
        assert!(!done.says("Replay these"), "none is left: {}", done.text());
        app.drain();
        for name in ["dana", "eva"] {
            assert_eq!(app.levels_of(&format!("{name}@x.example")), ["gold"]);
        }
    }

    fn what_fits_nothing_is_not_said_to_count_once_it_is_replayed(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.patch(SITE, &json!({ "ipn_secret": "another" }));
        for (number, kind) in (1..).zip(["sale", "refund"]) {
            let told = Ipn::new(kind, number).of(&format!("{kind}@x.example"));
            assert_eq!(app.receives(told.body()).status, 200);
        }
        app.drain();
        app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" }));
        let console = Console::sign_in(app);
        let done = replayed(&console, &console.get(REJECTED));
        let words = "2 were replayed: 1 of them counts now. The others do not, or not yet: each says why.";
        assert!(done.says(words), "{}", done.text());
        assert!(console.get(&format!("{ACTIVITY}?status=unmatched")).says("refund@x.example"));
    }

    fn a_duplicate_counts_as_the_webhook_does_whose_twin_it_is(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        let dana = Ipn::new("sale", 1).of("dana@x.example");
        assert_eq!(app.receives(dana.body()).status, 200);
        app.drain();
        app.patch(SITE, &json!({ "ipn_secret": "another" }));
        for told in [dana, Ipn::new("sale", 2).of("eva@x.example")] {
            assert_eq!(app.receives(told.body()).status, 200);
        }
        app.drain();
        app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" }));
        let console = Console::sign_in(app);
        let list = console.get(REJECTED);
        assert!(list.says("Replay these 2"), "{}", list.text());
        let done = replayed(&console, &list);
        assert!(done.says("All 2 were replayed, and count now."), "{}", done.text());
        assert!(done.html.contains("<div class=\"notice success\" role=\"status\""), "{}", done.html);
        let twin = console.get(&format!("{ACTIVITY}?status=duplicate"));
        assert!(twin.says("dana@x.example") && !twin.says("eva@x.example"), "{}", twin.text());
    }

    fn whoever_may_only_read_is_not_offered_it_and_is_refused(app: &TestApp) {
        app.patch(SITE, &json!({ "ipn_secret": "another" }));
        let sale = Ipn::new("sale", 1).of("dana@x.example");
        let id = app.receives(sale.body()).json["webhook_id"].as_str().expect("an id").to_owned();
        app.drain();
        let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] }));
        let reader = Console::sign_in_with(app, made.json["key"].as_str().expect("a key"));
        let list = reader.get(REJECTED);
        assert!(list.says("Rejected IPN") && !list.html.contains("replay-all"), "{}", list.html);
        assert_eq!(reader.form(ALL, &[("id", &id)]).status, 403);
    }
}
