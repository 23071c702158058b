//! Settings in the console, and what the breaker holds open.

use super::story::HOSTILE;
use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{Ipn, TestApp};
use serde_json::{Value, json};

const PAGE: &str = "/sites/default/settings";
const API: &str = "/api/v1/sites/default";

fn site(app: &TestApp) -> Value {
    let found = app.get(API);
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

/// Sends the form of a part, made from the settings as they are.
fn saves(console: &Console, part: &str, fields: &[(&str, &str)]) -> Page {
    let tag = console.get(PAGE).value_of("tag").expect("a tag");
    let fields: Vec<_> = [("tag", &*tag)].into_iter().chain(fields.iter().copied()).collect();
    console.form(&format!("{PAGE}/{part}"), &fields)
}

/// It was, and the page is shown from its top, where that is said.
fn is_saved(answer: &Page) {
    assert_eq!((answer.status, &*answer.location), (303, PAGE), "{}", answer.text());
}

fn buys_and_refunds(app: &TestApp, emails: &[&str]) {
    app.level("gold");
    app.map(&json!({ "product_id": "501", "level": "gold" }));
    for (kind, date) in [("sale", "2025-12-01 09:00:00"), ("refund", "2025-12-20 09:00:00")] {
        for (number, email) in (1..).zip(emails) {
            let id = if kind == "sale" { number } else { number + 10_000 };
            let body = Ipn::new(kind, id).of(email).with("original_id", number).on(date).body();
            assert_eq!(app.receives(body).status, 200);
        }
        app.drain();
    }
}

on_both_databases! {
    fn name_zone_and_pause_are_saved_and_what_is_wrong_keeps_the_input(app: &TestApp) {
        let console = Console::sign_in(app);
        let fields = [("name", HOSTILE), ("kartra_time_zone", "Europe/Zurich"), ("zone_confirmed", "Europe/Zurich")];
        let saved = saves(&console, "general", &fields);
        assert_eq!(saved.status, 303, "{}", saved.text());
        let now = site(app);
        assert_eq!(now["name"], HOSTILE);
        assert_eq!((&now["kartra_time_zone"], &now["enabled"]), (&json!("Europe/Zurich"), &json!(false)));
        let page = console.get(PAGE);
        assert!(page.says(HOSTILE) && !page.html.contains("<script>alert"), "names stay text");
        assert!(page.html.contains("<option value=\"Europe/Zurich\" selected>"));
        let refused = saves(&console, "general", &[("name", ""), ("kartra_time_zone", "Nowhere/Land"), ("enabled", "true")]);
        assert_eq!(refused.status, 422);
        assert!(refused.says("must be a time zone of the IANA list"), "{}", refused.text());
        assert!(refused.html.contains("<option value=\"Nowhere/Land\" selected>"), "what was sent is kept");
        assert_eq!(site(app)["kartra_time_zone"], "Europe/Zurich");
    }

    fn each_part_says_what_its_button_saves(app: &TestApp) {
        let page = Console::sign_in(app).get(PAGE);
        for button in ["Save the general settings", "Save the IPN secret", "Save the limit", "Save the alarms"] {
            assert_eq!(page.html.matches(&format!(">{button}</button>")).count(), 1, "{button}");
        }
        assert!(!page.html.contains(">Save</button>"), "{}", page.text());
        assert!(page.says("Each part has a button of its own, which saves that part and no other."), "{}", page.text());
    }

    fn what_somebody_else_has_saved_meanwhile_is_not_overwritten_unseen(app: &TestApp) {
        let console = Console::sign_in(app);
        let tag = console.get(PAGE).value_of("tag").expect("a tag");
        assert_eq!(app.patch(API, &json!({ "name": "Theirs" })).status, 200);
        let fields = [("tag", &*tag), ("name", "Mine"), ("kartra_time_zone", "America/New_York"), ("enabled", "true")];
        let late = console.form(&format!("{PAGE}/general"), &fields);
        assert_eq!(late.status, 422);
        assert!(late.says("Somebody else has changed these settings"), "{}", late.text());
        assert_eq!(late.value_of("name").as_deref(), Some("Mine"));
        assert_eq!(site(app)["name"], "Theirs");
        is_saved(&saves(&console, "general", &fields[1..]));
        assert_eq!(site(app)["name"], "Mine");
    }

    fn another_zone_works_out_access_anew_and_shows_how_far_that_is(app: &TestApp) {
        buys_and_refunds(app, &["ada@example.com"]);
        let console = Console::sign_in(app);
        let fields = [("name", "x"), ("kartra_time_zone", "Asia/Tokyo"), ("enabled", "true"), ("zone_confirmed", "Asia/Tokyo")];
        let asked = saves(&console, "general", &fields[..3]);
        assert_eq!(asked.status, 200, "{}", asked.text());
        for words in ["Nothing is saved yet", "everybody's access is worked out anew", "cannot show beforehand who gains and who loses"] {
            assert!(asked.says(words), "{words}: {}", asked.text());
        }
        assert_eq!(asked.value_of("zone_confirmed").as_deref(), Some("Asia/Tokyo"));
        assert_eq!(site(app)["kartra_time_zone"], "America/New_York", "it is asked before it is done");
        let other = saves(&console, "general", &[fields[0], fields[1], fields[2], ("zone_confirmed", "UTC")]);
        assert_eq!(other.status, 200, "another zone than the one that was asked about");
        let saved = saves(&console, "general", &fields);
        assert_eq!(saved.status, 303, "{}", saved.text());
        assert_eq!(site(app)["kartra_time_zone"], "Asia/Tokyo");
        let told = console.get(PAGE);
        assert!(told.says("All dates that Kartra has sent are read anew"), "{}", told.text());
        assert!(!told.says("Nothing is saved yet"), "{}", told.text());
        app.drain();
        let place = saved.location.split('#').next().expect("a path").to_owned();
        assert_eq!(console.get(&place).status, 200);
        assert_eq!(console.get(&format!("{PAGE}?recompute=nothing")).status, 200, "what is not kept is not shown");
    }

    fn the_webhook_url_is_shown_and_rotated(app: &TestApp) {
        let console = Console::sign_in(app);
        let before = site(app)["webhook_url"].as_str().expect("a URL").to_owned();
        assert!(console.get(PAGE).says(&before));
        let refused = console.form(&format!("{PAGE}/webhook-url"), &[("overlap_hours", "soon")]);
        assert!(refused.status == 422 && refused.says("Write a whole number."), "{}", refused.text());
        is_saved(&console.form(&format!("{PAGE}/webhook-url"), &[("overlap_hours", "5")]));
        let after = site(app)["webhook_url"].as_str().expect("a URL").to_owned();
        assert_ne!(before, after);
        let page = console.get(PAGE);
        assert!(page.says(&after) && !page.says(&before), "{}", page.text());
        assert!(page.says("Paste it into Kartra now"), "{}", page.text());
        let ends_at = app.clock.now() + chrono::TimeDelta::hours(5);
        assert_eq!(site(app)["previous_webhook_urls_end_at"], json!(ends_at));
        assert!(page.says("The URL that stood here before is still taken until"), "{}", page.text());
        assert!(console.get("/sites/default/setup").says("This is a new URL."));
        app.clock.set(ends_at);
        assert!(!console.get("/sites/default/setup").says("This is a new URL."));
        assert_eq!(site(app)["previous_webhook_urls_end_at"], Value::Null);
        assert!(!console.get(PAGE).says("is still taken until"));
    }

    fn the_ipn_secret_is_set_and_removed_and_never_shown(app: &TestApp) {
        let console = Console::sign_in(app);
        let set = saves(&console, "ipn-secret", &[("ipn_secret", "correct horse"), ("act", "set")]);
        is_saved(&set);
        assert_eq!(site(app)["ipn_secret_set"], true);
        let page = console.get(PAGE);
        assert!(page.says("A secret is set.") && !page.html.contains("correct horse"), "{}", page.text());
        let refused = saves(&console, "ipn-secret", &[("ipn_secret", " "), ("act", "set")]);
        assert!(refused.status == 422 && refused.says("Write between 1 and 255 characters."), "{}", refused.text());
        is_saved(&console.form(&format!("{PAGE}/ipn-secret"), &[("act", "remove")]));
        assert_eq!(site(app)["ipn_secret_set"], false);
    }

    fn the_limit_for_losing_a_level_is_set_and_taken_away(app: &TestApp) {
        let console = Console::sign_in(app);
        let fields = [("on", "true"), ("count", "5"), ("percent", "7"), ("window_minutes", "30")];
        is_saved(&saves(&console, "breaker", &fields));
        assert_eq!(site(app)["max_revocations"], json!({ "count": 5, "percent": 7, "window_minutes": 30 }));
        for (wrong, said) in [("many", "Write a whole number."), ("101", "must be from 0 to 100")] {
            let fields = [("on", "true"), ("count", "6"), ("percent", wrong), ("window_minutes", "30")];
            let refused = saves(&console, "breaker", &fields);
            assert!(refused.status == 422 && refused.says(said), "{wrong}: {}", refused.text());
            assert_eq!(refused.value_of("percent").as_deref(), Some(wrong));
        }
        is_saved(&saves(&console, "breaker", &[("count", "5")]));
        assert_eq!(site(app)["max_revocations"], Value::Null);
    }

    fn alarms_go_where_the_form_says_and_their_secret_is_shown_once(app: &TestApp) {
        let console = Console::sign_in(app);
        let usual = [("held_hours", "1"), ("unmatched_hours", "2"), ("timers_late_minutes", "3"), ("overdue_days", "4"), ("watched", "silent"), ("watched", "breaker_open")];
        let with = |more: &[(&'static str, &'static str)]| {
            usual.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>()
        };
        let made = saves(&console, "alarms", &with(&[("url", "https://alarms.example.com/in"), ("heartbeat_url", "")]));
        assert!(made.status == 200 && made.says("whsec_"), "{}", made.text());
        let alarms = site(app)["alarms"].clone();
        assert_eq!((&alarms["url"], &alarms["held_hours"], &alarms["overdue_days"]), (&json!("https://alarms.example.com/in"), &json!(1), &json!(4)));
        let off = alarms["off"].as_array().expect("a list");
        assert!(off.len() == 8 && !off.contains(&json!("silent")) && !off.contains(&json!("breaker_open")), "{alarms}");
        assert!(!console.get(PAGE).says("whsec_"));
        is_saved(&saves(&console, "alarms", &with(&[("url", "https://alarms.example.com/in")])));
        let refused = saves(&console, "alarms", &with(&[("url", "ftp://alarms.example.com")]));
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert_eq!(refused.value_of("url").as_deref(), Some("ftp://alarms.example.com"));
        let another = console.form(&format!("{PAGE}/alarm-secret"), &[]);
        assert!(another.status == 200 && another.says("whsec_"), "{}", another.text());
        is_saved(&saves(&console, "alarms", &with(&[("url", "")])));
        assert_eq!(site(app)["alarms"]["url"], Value::Null);
    }

    fn who_may_not_change_settings_sees_them_without_forms_and_without_the_url(app: &TestApp) {
        let url = site(app)["webhook_url"].as_str().expect("a URL").to_owned();
        for scope in ["read", "support", "manage"] {
            let key = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
            let console = Console::sign_in_with(app, key.json["key"].as_str().expect("a key"));
            let page = console.get(PAGE);
            assert_eq!(page.status, 200);
            assert_eq!(page.html.matches("method=\"post\"").count(), 1, "{scope}: it signs out, and no more");
            assert_eq!(page.says(&url), scope == "manage", "{scope}");
            for part in ["general", "webhook-url", "ipn-secret", "breaker", "alarms", "alarm-secret"] {
                let fields = [("name", "x"), ("overlap_hours", "1"), ("held_hours", "1"), ("unmatched_hours", "1"), ("timers_late_minutes", "1"), ("overdue_days", "1")];
                let refused = console.form(&format!("{PAGE}/{part}"), &fields);
                assert_eq!(refused.status, 403, "{scope} {part}: {}", refused.text());
            }
        }
    }

    fn what_happens_to_access_is_changed_by_a_plan_that_shows_it_first(app: &TestApp) {
        let console = Console::sign_in(app);
        let page = format!("{PAGE}/policy");
        assert_eq!(console.get(&page).status, 200);
        let previewed = console.form(&page, &[("policy.on_cancellation", "keep"), ("do", "preview")]);
        assert_eq!(previewed.status, 200, "{}", previewed.text());
        assert_eq!(app.get(&format!("{API}/plans")).json["items"], json!([]), "a picture plans nothing");
        let wrong = [("policy.on_payment_failed", "grace_days"), ("policy.on_payment_failed.n", "soon"), ("do", "plan")];
        let refused = console.form(&page, &wrong);
        assert_eq!(refused.status, 422);
        assert_eq!(refused.value_of("policy.on_payment_failed.n").as_deref(), Some("soon"));
        let planned = console.form(&page, &[("policy.on_cancellation", "period_end"), ("do", "plan")]);
        let plan = app.get(&format!("{API}/plans")).json["items"][0].clone();
        let place = format!("/sites/default/plans/{}", plan["id"].as_str().expect("an id"));
        assert_eq!((planned.status, planned.location.clone()), (303, place), "{}", planned.text());
        assert_eq!(plan["rules"]["policy"], json!({ "on_cancellation": "period_end" }));
        assert_eq!(site(app)["policy"], json!({}), "nothing has changed yet");
    }

    fn what_is_held_open_is_listed_and_decided_one_by_one_or_all_at_once(app: &TestApp) {
        let limit = json!({ "count": 0, "percent": 0, "window_minutes": 60 });
        assert_eq!(app.patch(API, &json!({ "max_revocations": limit })).status, 200);
        let console = Console::sign_in(app);
        let page = "/sites/default/held-open";
        assert!(console.get(page).says("Nothing is kept by the limit"));
        let emails = ["ada@example.com", "ben@example.com", "cleo@example.com"];
        buys_and_refunds(app, &emails);
        let listed = console.get(page);
        for email in emails {
            assert!(listed.says(email), "{email}: {}", listed.text());
        }
        let held = app.get(&format!("{API}/held-open"));
        let id_of = |email: &str| {
            let items = held.json["items"].as_array().expect("a list");
            let found = items.iter().find(|item| item["email"] == email).expect("it is held open");
            found["id"].as_str().expect("an id").to_owned()
        };
        let decides = |what: &str| console.form(&format!("{page}/{what}"), &[]);
        let ada = id_of("ada@example.com");
        assert_eq!(decides(&format!("{ada}/release")).location, page);
        assert_eq!(decides(&format!("{}/discard", id_of("ben@example.com"))).location, page);
        app.drain();
        assert_eq!(app.levels_of("ada@example.com"), [""; 0]);
        assert_eq!(app.levels_of("ben@example.com"), ["gold"]);
        assert_eq!(decides(&format!("{ada}/release")).location, page);
        assert!(console.get(page).says("Somebody has decided about it already."));
        assert_eq!(decides("all/release").status, 303);
        app.drain();
        assert_eq!(app.levels_of("cleo@example.com"), [""; 0]);
        assert!(console.get(page).says("Nothing is kept by the limit"));
        assert_eq!(decides("all/forget").status, 404);
    }
}
