//! Activity: what Kartra sends, what became of it, and what is done about it.

use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{Database, Ipn, TestApp, instant};
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";
const ACTIVITY: &str = "/sites/default/activity";
const MARKUP: &str = "</pre><script>alert(1)</script>";

fn gold(app: &TestApp) {
    app.level("gold");
    app.map(&json!({ "product_id": "501", "level": "gold" }));
}

/// Receives a body, applies it, and answers the webhook's id.
fn received(app: &TestApp, body: impl Into<Vec<u8>>) -> String {
    let reply = app.receives(body);
    assert_eq!(reply.status, 200, "{reply:?}");
    app.drain();
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

fn sale(number: u32, email: &str) -> Ipn {
    Ipn::new("sale", number).of(email).on("2025-12-01 09:00:00")
}

fn status_of(app: &TestApp, id: &str) -> String {
    app.get(&format!("{SITE}/webhooks/{id}")).json["status"].as_str().expect("a status").to_owned()
}

#[track_caller]
fn done(console: &Console, path: &str) -> Page {
    let sent = console.form(path, &[]);
    assert_eq!(sent.status, 303, "{sent:?}");
    console.get(&sent.location)
}

on_both_databases! {
    fn webhooks_are_listed_with_what_became_of_them_and_narrowed_by_the_address(app: &TestApp) {
        let console = Console::sign_in(app);
        assert!(console.get(ACTIVITY).says("Nothing has come yet"));
        gold(app);
        received(app, sale(1001, "dana@x.example").body());
        received(app, sale(1002, "eva@x.example").product(77).body());
        received(app, "{");
        let all = console.get(ACTIVITY);
        for said in ["Sale 1001", "dana@x.example", "Applied", "Sale 1002", "Held", "Unreadable"] {
            assert!(all.says(said), "{said}: {all:?}");
        }
        assert!(all.html.contains("data-stream=\"/sites/default/activity/stream\""), "{all:?}");
        let held = console.get(&format!("{ACTIVITY}?status=held"));
        assert!(held.says("Its purchase is held: it waits for a mapping, since its product is unmapped"), "{held:?}");
        assert!(held.says("Sale 1002") && !held.says("Sale 1001"));
        for q in ["dana%40x.example", "1001", "501"] {
            let found = console.get(&format!("{ACTIVITY}?q={q}"));
            assert!(found.says("Sale 1001") && !found.says("Sale 1002"), "{q}: {found:?}");
        }
        let both = console.get(&format!("{ACTIVITY}?q=1001&status=held"));
        assert!(both.says("No webhook fits"), "{both:?}");
        assert!(both.html.contains("activity?q=1001\""), "a filter keeps the search: {both:?}");
        assert_eq!(both.value_of("status").as_deref(), Some("held"), "the search keeps the filter");
        assert!(console.get(&format!("{ACTIVITY}?status=nosuch")).says("Sale 1001"));
    }

    fn a_webhook_is_shown_with_its_body_beside_its_reading_and_what_it_led_to(app: &TestApp) {
        gold(app);
        let id = received(app, sale(1001, "dana@x.example").body());
        let console = Console::sign_in(app);
        let page = console.get(&format!("{ACTIVITY}/{id}"));
        for said in [
            "It came by the IPN", "gold was granted to dana@x.example", "transaction_full_amount 20.00",
            "Transaction 1001 from transaction_id", "Amount 20.00 from transaction_full_amount",
            "Date 2025-12-01 09:00:00 (America/New_York) from transaction_date", "Purchase order:501:1001",
        ] {
            assert!(page.says(said), "{said}: {}", page.text());
        }
        assert!(!page.html.contains("ipn-secret-EXAMPLE"), "a secret is never shown");
        let member = app.access_of("dana@x.example")["id"].as_str().expect("an id").to_owned();
        assert!(page.html.contains(&format!("href=\"/sites/default/members/{member}\"")), "{page:?}");
        let tag = json!({ "lead": { "id": 7, "email": "dana@x.example" }, "action": "give_tag", "action_details": { "b": [1] } });
        let tag = received(app, tag.to_string());
        let page = console.get(&format!("{ACTIVITY}/{tag}"));
        assert!(page.says("Kartra's word give_tag") && page.says("It led to no step of anybody's access."), "{page:?}");
        assert!(page.html.contains("<pre class=\"json\""), "{page:?}");
        assert_eq!(console.get(&format!("{ACTIVITY}/nonsense")).status, 404);
    }

    fn a_sale_whose_product_was_mapped_later_says_what_its_purchase_gives(app: &TestApp) {
        let id = received(app, sale(1001, "dana@x.example").body());
        let here = format!("{ACTIVITY}/{id}");
        let console = Console::sign_in(app);
        let held = console.get(&here);
        assert!(held.says("Nothing yet is given to dana@x.example by this purchase: purchase 1001 is not mapped to a level"), "{held:?}");
        assert!(held.html.contains("href=\"/sites/default/products?q=501\""), "{held:?}");
        app.at(instant("2026-01-05T00:00:00Z"));
        gold(app);
        app.drain();
        // The session has ended meanwhile.
        let console = Console::sign_in(app);
        let page = console.get(&here);
        assert!(page.says("This webhook moved no access when it came."), "{page:?}");
        assert!(page.says("gold is given to dana@x.example by this purchase: purchase 1001 was paid on 1 December 2025. \
                           The level came on 2026-01-05 00:00 UTC, because a mapping was made or changed"), "{}", page.text());
        assert!(console.get(ACTIVITY).says("Applied none by itself"), "it was the mapping");
        let member = app.access_of("dana@x.example")["id"].as_str().expect("an id").to_owned();
        assert!(page.html.contains(&format!("is given to <a href=\"/sites/default/members/{member}\">")), "{page:?}");
        for page in [held, page] {
            assert!(!page.says("led to no step"), "{page:?}");
        }
    }

    fn a_webhook_is_discarded_restored_and_replayed(app: &TestApp) {
        gold(app);
        let id = received(app, sale(1001, "dana@x.example").body());
        let console = Console::sign_in(app);
        let here = format!("{ACTIVITY}/{id}");
        let discarded = done(&console, &format!("{here}/discard"));
        assert!(discarded.says("It counts no more: discarded.") && discarded.says("gold was revoked from dana@x.example"), "{discarded:?}");
        assert!(!discarded.html.contains("/replay\"") && discarded.html.contains("/restore\""));
        assert_eq!((status_of(app, &id), app.levels_of("dana@x.example").len()), ("discarded".to_owned(), 0));
        assert!(done(&console, &format!("{here}/replay")).says("The webhook was discarded."), "what the API says");
        assert!(done(&console, &format!("{here}/restore")).says("It counts again: applied."));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        assert!(done(&console, &format!("{here}/replay")).says("It was judged and applied again: applied."));
    }

    fn that_all_is_dealt_with_is_said_only_once_something_came(app: &TestApp) {
        let console = Console::sign_in(app);
        let said = "Everything that Kartra has sent has been dealt with";
        let new = console.get("/sites/default");
        assert!(new.says("Nothing has come from Kartra yet") && !new.says(said), "{}", new.text());
        gold(app);
        received(app, sale(1001, "dana@x.example").body());
        let home = console.get("/sites/default");
        assert!(home.says(said), "{}", home.text());
    }

    fn a_rejected_ipn_is_called_so_and_found_by_whom_it_names(app: &TestApp) {
        gold(app);
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        let id = received(app, sale(1001, "dana@x.example").body());
        assert_eq!(status_of(app, &id), "rejected");
        let console = Console::sign_in(app);
        for q in ["dana%40x.example", "1001", "dana%40x.example&status=rejected"] {
            let found = console.get(&format!("{ACTIVITY}?q={q}"));
            assert!(found.says("Rejected IPN: Sale 1001") && found.says("dana@x.example"), "{q}: {}", found.text());
        }
        let page = console.get(&format!("{ACTIVITY}/{id}"));
        for said in ["Rejected IPN: Sale", "Its secret key is not the IPN secret of the settings", "correct it and replay the webhook",
            "Why: its secret_key is not the site's IPN secret", "It names dana@x.example"] {
            assert!(page.says(said), "{said}: {}", page.text());
        }
        assert!(!page.says("Unreadable") && !page.says("Nothing could be read of it"), "{}", page.text());
        assert_eq!(app.levels_of("dana@x.example"), [""; 0], "what it claims is not believed");
        assert!(done(&console, &format!("{ACTIVITY}/{id}/discard")).says("It counts no more: discarded."));
        assert!(console.get(&format!("{ACTIVITY}?q=dana%40x.example")).says("Sale 1001"));
    }

    fn a_restored_webhook_that_is_rejected_is_not_said_to_count(app: &TestApp) {
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        let id = received(app, sale(1001, "dana@x.example").body());
        let console = Console::sign_in(app);
        let here = format!("{ACTIVITY}/{id}");
        done(&console, &format!("{here}/discard"));
        let restored = done(&console, &format!("{here}/restore"));
        assert!(restored.says("It is restored, but rejected: it does not count"), "{}", restored.text());
        assert!(!restored.says("It counts again:"), "{}", restored.text());
    }

    fn what_names_no_action_is_said_to_be_nothing_known_and_products_have_their_names(app: &TestApp) {
        let id = received(app, json!({ "foo": 1 }).to_string());
        received(app, sale(1001, "dana@x.example").with("product_name", "Kitchen Club").body());
        let console = Console::sign_in(app);
        let page = console.get(&format!("{ACTIVITY}/{id}"));
        assert!(page.says("Latchkey found nothing in it that it knows: it names no action"), "{}", page.text());
        assert!(console.get(ACTIVITY).says("Kitchen Club 501"), "the name, and the number");
    }

    fn what_a_rebill_is_is_said_where_one_is_shown(app: &TestApp) {
        gold(app);
        received(app, sale(1001, "dana@x.example").subscription(9).body());
        let console = Console::sign_in(app);
        let said = "A rebill is a later payment of a subscription";
        assert!(!console.get(ACTIVITY).says(said));
        let id = received(app, Ipn::new("rebill", 1002).of("dana@x.example").subscription(9).on("2025-12-30 09:00:00").body());
        for path in [ACTIVITY.to_owned(), format!("{ACTIVITY}/{id}"), "/sites/default/members/dana@x.example".to_owned()] {
            let page = console.get(&path);
            assert!(page.says(said) && page.says("Rebill"), "{path}: {}", page.text());
        }
    }

    fn a_replay_of_what_stays_unreadable_is_no_good_news(app: &TestApp) {
        let id = received(app, "{");
        let console = Console::sign_in(app);
        let replayed = done(&console, &format!("{ACTIVITY}/{id}/replay"));
        assert!(replayed.says("Still unreadable: nothing was applied."), "{replayed:?}");
        assert!(replayed.html.contains("<div class=\"notice warning\" role=\"status\""), "{replayed:?}");
    }

    fn a_key_that_may_only_read_sees_no_body_and_does_nothing(app: &TestApp) {
        gold(app);
        let id = received(app, sale(1001, "dana@x.example").with("product_name", "Secret sauce").body());
        let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] }));
        let reader = Console::sign_in_with(app, made.json["key"].as_str().expect("a key"));
        let page = reader.get(&format!("{ACTIVITY}/{id}"));
        assert!(page.says("Bodies are shown to keys with the scope support."), "{page:?}");
        assert!(page.says("Transaction 1001") && !page.html.contains("transaction_full_amount</dt>"), "{page:?}");
        let held = received(app, sale(1002, "eva@x.example").product(77).body());
        let held = reader.get(&format!("{ACTIVITY}/{held}"));
        assert!(held.says("Mapping a product takes a key with the scope manage; yours is read."), "{held:?}");
        assert!(!held.says("Map the product "), "nothing that is refused is offered: {}", held.text());
        for act in ["replay", "discard", "restore"] {
            assert!(!page.html.contains(&format!("/{act}\"")), "{act}");
            assert_eq!(reader.form(&format!("{ACTIVITY}/{id}/{act}"), &[]).status, 403, "{act}");
        }
        assert_eq!(status_of(app, &id), "applied");
    }

    fn markup_in_a_payload_is_shown_and_never_run(app: &TestApp) {
        gold(app);
        let form = received(app, sale(1001, "dana@x.example").with("product_name", MARKUP).body());
        let outbound = json!({
            "lead": { "id": 7, "email": "<b>@x.example", "first_name": MARKUP }, "action": MARKUP,
            "action_details": { MARKUP: MARKUP },
        });
        let outbound = received(app, outbound.to_string());
        let text = received(app, format!("{MARKUP} is neither"));
        let console = Console::sign_in(app);
        for id in [&form, &outbound, &text] {
            let page = console.get(&format!("{ACTIVITY}/{id}"));
            assert_eq!(page.status, 200, "{page:?}");
            assert!(!page.html.contains("<script>alert"), "{page:?}");
            assert!(page.text().contains("alert(1)"), "it is shown: {page:?}");
        }
        for path in [ACTIVITY.to_owned(), format!("{ACTIVITY}?q=%3Cscript%3Ealert(1)"), "/sites/default/members".to_owned()] {
            let page = console.get(&path);
            assert!(!page.html.contains("<script>alert") && !page.html.contains("<b>@x"), "{page:?}");
        }
    }

    fn a_body_that_is_no_text_is_shown_all_the_same(app: &TestApp) {
        let id = received(app, b"\xff\xfe=\x00".to_vec());
        let page = Console::sign_in(app).get(&format!("{ACTIVITY}/{id}"));
        assert!(page.says("It is no text. In base64: //49AA=="), "{page:?}");
    }
}

#[test]
fn of_a_webhook_whose_steps_have_aged_out_it_is_not_said_that_it_moved_nothing() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("feed.kept_days", "1")]);
        gold(&app);
        let id = received(&app, sale(1001, "dana@x.example").body());
        app.at(instant("2026-01-05T00:00:00Z"));
        let page = Console::sign_in(&app).get(&format!("{ACTIVITY}/{id}"));
        for said in [
            "It has moved access; how is no longer kept.",
            "gold is given to dana@x.example by this purchase",
        ] {
            assert!(page.says(said), "{said}: {}", page.text());
        }
        for said in ["moved no access", "led to no step", "came with another webhook"] {
            assert!(!page.says(said), "{said}: {}", page.text());
        }
    }
}

#[test]
fn of_a_webhook_that_moved_somebody_whom_it_does_not_name_it_is_not_said_that_nothing_is_kept() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("feed.kept_days", "1")]);
        gold(&app);
        // A refund that names only a lead, who had another address then than now.
        let refunds = |number: u32, lead: u32| {
            let (then, now) = (format!("then{lead}@x.example"), format!("now{lead}@x.example"));
            received(&app, sale(number, &then).with("lead_id", lead).body());
            let refund = Ipn::new("refund", number + 1).with("lead_id", lead);
            let refund = refund.with("transaction_parent_id", number).on("2025-12-02 09:00:00");
            let refund = received(&app, refund.body());
            assert_eq!(app.levels_of(&then), [""; 0]);
            let tag = json!({ "lead": { "id": lead, "email": now }, "action": "give_tag", "action_details": {} });
            received(&app, tag.to_string());
            refund
        };
        let page = |id: &str| Console::sign_in(&app).get(&format!("{ACTIVITY}/{id}"));
        let forgotten = "how is no longer kept";
        let somebody_else = "It has moved the access of somebody whose address it does not name.";
        let is_of_somebody_else = |id: &str| {
            let (page, changes) = (page(id), app.changes());
            let revoked = changes.iter().rfind(|change| change["what"] == "revoked");
            let cause = revoked.expect("a step")["cause"]["id"].as_str().expect("an id");
            let feed = format!(
                "The feed of the API, GET /api/v1/sites/default/changes, says whose: look there for the cause {cause}."
            );
            assert!(page.says(somebody_else) && page.says(&feed), "{}", page.text());
            assert!(!page.says(forgotten), "{}", page.text());
        };
        let id = refunds(1001, 7);
        is_of_somebody_else(&id);
        app.at(instant("2026-01-05T00:00:00Z"));
        let aged = page(&id);
        assert!(aged.says(forgotten) && !aged.says(somebody_else), "{}", aged.text());
        // What came since is kept, although what was before is not.
        let later = refunds(2001, 8);
        is_of_somebody_else(&later);
        assert!(page(&id).says(forgotten), "{}", page(&id).text());
    }
}
