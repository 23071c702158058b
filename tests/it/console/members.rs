//! Members: finding them, what they have and why, and what is decided about them.

use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{Ipn, TestApp, instant};
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";
const MEMBERS: &str = "/sites/default/members";
const DANA: &str = "/sites/default/members/dana@x.example";
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// Gold for product 501, and somebody who has bought it.
fn sold(app: &TestApp) {
    app.level("gold");
    assert_eq!(
        app.patch(&format!("{SITE}/levels/gold"), &json!({ "name": "The Club" })).status,
        200
    );
    app.map(&json!({ "product_id": "501", "level": "gold" }));
    buys(app, "dana@x.example", 1001);
}

fn buys(app: &TestApp, email: &str, number: u32) {
    let body = Ipn::new("sale", number).of(email).on("2025-12-01 09:00:00").body();
    assert_eq!(app.receives(body).status, 200);
    app.drain();
}

/// A browser with a key of this scope.
fn with_scope(app: &TestApp, scope: &str) -> Console {
    let made = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
    Console::sign_in_with(app, made.json["key"].as_str().expect("a key"))
}

/// Sends a form, and shows where it leads.
#[track_caller]
fn done(console: &Console, path: &str, fields: &[(&str, &str)]) -> Page {
    let sent = console.form(path, fields);
    assert_eq!(sent.status, 303, "{sent:?}");
    console.get(&sent.location)
}

fn blocks(app: &TestApp) -> Vec<Value> {
    app.get(&format!("{SITE}/members/dana@x.example/blocks")).json["items"]
        .as_array()
        .expect("items")
        .clone()
}

on_both_databases! {
    fn members_are_found_by_a_part_of_their_address_and_by_level(app: &TestApp) {
        let console = Console::sign_in(app);
        assert!(console.get(MEMBERS).says("No members yet"));
        sold(app);
        let other = Ipn::new("sale", 1002).of("eva@x.example").product(77).on("2025-12-01 09:00:00").body();
        app.receives(other);
        app.drain();
        let all = console.get(MEMBERS);
        assert!(all.says("dana@x.example The Club") && all.says("eva@x.example none"), "{all:?}");
        let found = console.get(&format!("{MEMBERS}?q=DAN&level="));
        assert!(found.says("dana@x.example") && !found.says("eva@x.example"), "{found:?}");
        assert_eq!(found.value_of("q").as_deref(), Some("DAN"), "the search stays in its field");
        let gold = console.get(&format!("{MEMBERS}?level=gold"));
        assert!(gold.says("The Club until") && gold.says("no known end") && !gold.says("eva@x.example"));
        assert!(console.get(&format!("{MEMBERS}?q=zoe")).says("Nobody fits"));
        assert_eq!(console.get(&format!("{MEMBERS}?level=nosuch")).status, 404);
    }

    fn a_long_list_is_shown_page_by_page(app: &TestApp) {
        sold(app);
        for number in 0..60 {
            app.receives(Ipn::new("sale", 2000 + number).of(&format!("m{number}@x.example")).on("2025-12-01 09:00:00").body());
        }
        app.drain();
        let console = Console::sign_in(app);
        let first = console.get(&format!("{MEMBERS}?level=gold"));
        assert_eq!(first.html.matches("<tr>").count(), 51, "50, and the head");
        let next = first.html.split("rel=\"next\"").next().expect("a link");
        let next = &next[next.rfind("href=\"").expect("an address") + 6..];
        let next = next[..next.find('"').expect("its end")].replace("&#38;", "&").replace("&amp;", "&");
        assert!(next.contains("level=gold"), "what is asked for stays: {next}");
        let second = console.get(&next);
        assert_eq!(second.html.matches("<tr>").count(), 12, "{second:?}");
        assert!(second.says("Back to the first") && !second.html.contains("rel=\"next\""));
    }

    fn an_address_that_nobody_has_leads_to_its_page_where_a_level_can_be_given_ahead(app: &TestApp) {
        sold(app);
        let console = Console::sign_in(app);
        let found = console.get(&format!("{MEMBERS}?q=Zoe%40X.example"));
        assert!(found.says("Nobody has zoe@x.example yet"), "{found:?}");
        let page = "/sites/default/members/zoe%40x.example";
        assert!(found.html.contains(&format!("href=\"{page}\"")), "{found:?}");
        assert!(console.get(page).says("Nothing is known of this address yet."));
        let given = done(&console, &format!("{page}/grants"), &[("level", "gold"), ("until", ""), ("note", "")]);
        assert!(given.says("The level is given.") && given.says("The Club"), "{given:?}");
        assert_eq!(app.levels_of("zoe@x.example"), ["gold"]);
    }

    fn all_who_fit_are_downloaded_as_a_table_that_runs_nothing(app: &TestApp) {
        sold(app);
        let formula = "=cmd|'/c_calc'!a1@x.example";
        let named = Ipn::new("sale", 1003).of(formula).on("2025-12-01 09:00:00");
        assert_eq!(app.receives(named.body()).status, 200);
        // More than are read at once.
        let others: u32 = 501;
        for number in 0..others {
            let other = Ipn::new("sale", 2000 + number).of(&format!("other-{number}@y.example")).product(77);
            assert_eq!(app.receives(other.body()).status, 200);
        }
        app.drain();
        let console = Console::sign_in(app);
        assert!(console.get(&format!("{MEMBERS}?q=x.example")).html.contains("href=\"/sites/default/members.csv?q=x.example\""));
        let table = console.get("/sites/default/members.csv?q=x.example");
        let headers = &table.reply.headers;
        assert_eq!((table.status, &headers["content-type"]), (200, &"text/csv; charset=utf-8".parse().unwrap()));
        assert_eq!(headers["content-disposition"], "attachment; filename=\"members-default.csv\"");
        let mut rows = csv::Reader::from_reader(table.html.as_bytes());
        let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("a row")).collect();
        let shown: Vec<(&str, &str)> = rows.iter().map(|row| (&row[0], &row[2])).collect();
        assert_eq!(shown, [(&*format!("'{formula}"), "gold"), ("dana@x.example", "gold")]);
        let all = console.get("/sites/default/members.csv").html;
        assert_eq!(all.lines().count(), 1 + 2 + others as usize, "the names of the columns, and everybody");
        assert_eq!(console.get("/sites/default/members.csv?level=none").status, 404);
        assert_eq!(Console::open(app).get("/sites/default/members.csv").location, "/sign-in?next=%2Fsites%2Fdefault%2Fmembers.csv");
    }

    fn a_person_is_shown_with_what_they_have_why_over_time_and_what_happened(app: &TestApp) {
        sold(app);
        app.at(instant("2026-01-05T00:00:00Z"));
        let console = Console::sign_in(app);
        let page = console.get(DANA);
        assert!(page.says("The Club counts from 1 December 2025, with no known end, because purchase 1001 was paid on 1 December 2025"), "{page:?}");
        assert!(page.says("from 1 December 2025 on, with no known end"), "the picture in words");
        assert!(page.html.contains("<svg class=\"band\" role=\"img\" aria-label=\"The Club: from 1 December 2025 on"), "{page:?}");
        assert!(page.says("The Club was granted · paid; because of what Kartra told"), "{page:?}");
        assert!(page.says("Kartra told by IPN: Sale") && page.says("transaction 1001"));
        assert!(page.says("No destination is told of this person's access yet."));
        let granted = page.text().find("The Club was granted").expect("the step");
        assert!(granted < page.text().find("transaction 1001").expect("the sale"), "newest first");
        let by_id = app.access_of("dana@x.example")["id"].as_str().expect("an id").to_owned();
        assert!(console.get(&format!("{MEMBERS}/{by_id}")).says("dana@x.example"));
        assert_eq!(console.get(&format!("{MEMBERS}/nonsense")).status, 404);
    }

    fn access_that_reaches_back_is_told_with_the_day_on_which_it_was_first_worked_out(app: &TestApp) {
        buys(app, "dana@x.example", 1001);
        app.level("gold");
        app.at(instant("2026-01-05T00:00:00Z"));
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.drain();
        let console = Console::sign_in(app);
        let said = "By today's rules gold counts from 1 December 2025, 14:00 UTC; they were let in from 5 January 2026, 00:00 UTC on, \
                    because a mapping was made or changed.";
        let page = console.get(DANA);
        assert!(page.says("gold counts from 1 December 2025, with no known end") && page.says(said), "{}", page.text());
        let then = "They were not let in with gold at that instant.";
        assert!(!page.says(then), "now they have");
        let before = console.get(&format!("{DANA}?at=2025-12-24"));
        assert!(before.says(said) && before.says(then), "{}", before.text());
        // Who buys once the product is mapped is let in as Kartra tells.
        app.receives(Ipn::new("sale", 1002).of("eva@x.example").body());
        app.drain();
        let page = console.get("/sites/default/members/eva@x.example");
        assert!(page.says("gold counts from") && !page.says("By today's rules gold"), "{}", page.text());
    }

    fn what_a_changed_policy_says_of_then_is_told_beside_what_the_door_did(app: &TestApp) {
        app.level("gold");
        let mapping = app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.receives(Ipn::new("sale", 1001).of("dana@x.example").on("2025-12-31 18:00:00").body());
        app.drain();
        app.at(instant("2026-01-20T00:00:00Z"));
        let path = format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"));
        let changed = app.patch(&path, &json!({ "policy": { "duration_days": 7 } }));
        assert_eq!(changed.status, 200, "{changed:?}");
        app.drain();
        let console = Console::sign_in(app);
        let page = console.get(DANA);
        assert!(page.says("By today's rules gold ended on 7 January 2026, 23:00 UTC; they were let in from"), "{}", page.text());
        assert!(page.says("until 20 January 2026, 00:00 UTC."), "{}", page.text());
        let then = console.get(&format!("{DANA}?at=2026-01-10"));
        assert!(then.says("They were let in with gold at that instant."), "{}", then.text());
        assert!(!console.get(&format!("{DANA}?at=2026-01-05")).says("at that instant. By"), "both say yes");
    }

    fn webhooks_that_were_set_aside_are_told_of_where_it_is_told_why(app: &TestApp) {
        sold(app);
        let console = Console::sign_in(app);
        assert!(!console.get(DANA).says("does not count"), "nothing was set aside");
        let webhook = app.webhooks()[0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(app.post(&format!("{SITE}/webhooks/{webhook}/discard"), &json!({})).status, 200);
        let page = console.get(DANA);
        assert!(page.says("1 webhook about them is discarded and does not count."), "{}", page.text());
        assert!(page.says("They have no level") && page.says("because somebody discarded a webhook"), "{}", page.text());
        let list = "/sites/default/activity?status=discarded&q=dana%40x.example";
        let html = page.html.replace("&#38;", "&").replace("&amp;", "&");
        assert!(html.contains(&format!("href=\"{list}\"")), "{page:?}");
        assert!(console.get(list).says("Sale 1001"));
        assert_eq!(app.post(&format!("{SITE}/webhooks/{webhook}/restore"), &json!({})).status, 200);
        let page = console.get(DANA);
        assert!(page.says("because somebody restored a webhook that had been discarded"), "{}", page.text());
        assert!(!page.says("does not count"), "{}", page.text());
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        buys(app, "dana@x.example", 1003);
        let page = console.get(DANA);
        assert!(page.says("1 webhook that names them was rejected") && page.says("Rejected IPN: Sale"), "{}", page.text());
    }

    fn while_everybody_is_gone_over_the_page_says_so_and_looks_again(app: &TestApp) {
        sold(app);
        let made = app.post(&format!("{SITE}/destinations"),
            &json!({ "kind": "webhook", "name": "The club", "config": { "url": "https://club.example.com/told" } }));
        assert_eq!(made.status, 201, "{made:?}");
        let console = Console::sign_in(app);
        let before = console.get(DANA);
        assert!(before.says("has never been told of this person"), "{before:?}");
        assert!(!before.html.contains("data-refresh"), "nothing moves");
        let resync = format!("{SITE}/destinations/{}/resync", made.json["id"].as_str().expect("an id"));
        assert_eq!(app.post(&resync, &json!({})).status, 202);
        let page = console.get(DANA);
        assert!(page.says("everybody is being gone over there"), "{page:?}");
        assert!(page.html.contains("id=\"pushes\" data-refresh"), "{page:?}");
    }

    fn what_somebody_had_at_another_time_is_shown(app: &TestApp) {
        sold(app);
        let console = Console::sign_in(app);
        let before = console.get(&format!("{DANA}?at=2025-11-30T12%3A00"));
        assert!(before.says("As of 30 November 2025, 12:00 UTC") && before.says("has no level"), "{before:?}");
        assert!(before.says("It is worked out with today's mappings and settings, which may have been others at the time"), "{before:?}");
        let after = console.get(&format!("{DANA}?at=2025-12-24"));
        assert!(after.says("On 24 December 2025 at 00:00 UTC, dana@x.example has The Club."), "{after:?}");
        assert!(after.html.contains(">24 Dec 2025</text>"), "the line of that day has its label: {after:?}");
        assert!(after.says("A bar with an arrow goes on beyond the picture."), "{after:?}");
        assert!(!console.get(DANA).says("today's mappings"), "now is now");
        let odd = console.get(&format!("{DANA}?at=soon"));
        assert_eq!(odd.status, 200);
        assert!(odd.says("Write a day and a time such as"), "{odd:?}");
        assert_eq!(odd.value_of("at").as_deref(), Some("soon"));
    }

    fn an_end_that_was_not_known_then_is_no_end_that_is_not_known(app: &TestApp) {
        sold(app);
        app.receives(Ipn::new("refund", 1002).of("dana@x.example").with("original_id", 1001).on("2025-12-20 09:00:00").body());
        app.drain();
        let then = Console::sign_in(app).get(&format!("{DANA}?at=2025-12-10"));
        assert!(then.says("no end was known then"), "{then:?}");
        assert!(then.says("from 1 December 2025 to 20 December 2025"), "the picture");
        assert!(then.says("The picture shows what is known now, also of what came after that instant"), "{then:?}");
        assert!(!then.says("A bar with an arrow"), "none goes on: {then:?}");
    }

    fn a_held_purchase_names_its_product_and_leads_to_where_it_is_mapped(app: &TestApp) {
        let sale = Ipn::new("sale", 1001).of("eva@x.example").product(77).with("product_name", "Kitchen Club");
        assert_eq!(app.receives(sale.on("2025-12-01 09:00:00").body()).status, 200);
        app.drain();
        let eva = "/sites/default/members/eva@x.example";
        let console = Console::sign_in(app);
        let page = console.get(eva);
        assert!(page.says("Kitchen Club (product 77) at price point 1 is unmapped"), "{page:?}");
        let link = page.html.split("Map this product").next().expect("a link");
        let link = &link[link.rfind("href=\"").expect("an address") + 6..];
        let link = &link[..link.find('"').expect("its end")];
        assert!(console.get(link).says("Kitchen Club"), "{link}");
        let reader = with_scope(app, "read").get(eva);
        assert!(reader.says("Mapping it takes a key with the scope manage; yours is read."), "{reader:?}");
        assert!(!reader.says("Map this product"), "{reader:?}");
        app.level("gold");
        app.map(&json!({ "product_id": "77", "level": "gold" }));
        app.drain();
        let mapped = console.get(eva);
        assert!(!mapped.says("is unmapped") && mapped.says("Kitchen Club at price point 1"), "{mapped:?}");
    }

    fn the_list_tells_who_is_blocked_from_whose_purchase_is_held(app: &TestApp) {
        sold(app);
        let other = Ipn::new("sale", 1002).of("eva@x.example").product(77).on("2025-12-01 09:00:00").body();
        assert_eq!(app.receives(other).status, 200);
        app.drain();
        let console = Console::sign_in(app);
        let free = console.get(MEMBERS);
        assert!(!free.html.contains(">blocked<") && free.says("eva@x.example none 1 purchase waits for a mapping"), "{free:?}");
        assert!(free.says("A purchase waits for a mapping (it is held) while its product is unmapped"), "{free:?}");
        let block = |level: Value| {
            let made = app.post(&format!("{SITE}/members/dana@x.example/blocks"), &json!({ "level": level }));
            assert_eq!(made.status, 201, "{made:?}");
        };
        block(json!("gold"));
        let page = console.get(MEMBERS);
        assert!(page.says("Blocked or waiting"), "{page:?}");
        assert!(page.says("dana@x.example none The Club blocked"), "{page:?}");
        block(Value::Null);
        let page = console.get(MEMBERS);
        assert!(page.says("dana@x.example none blocked The Club blocked"), "{page:?}");
        assert!(page.says("eva@x.example none 1 purchase waits for a mapping"), "{page:?}");
        assert!(!console.get(&format!("{MEMBERS}?q=dana")).says("A purchase waits for a mapping"), "nobody there has one");
    }

    fn a_level_is_given_until_the_end_of_a_day_and_ended_by_hand(app: &TestApp) {
        sold(app);
        app.level("silver");
        let console = Console::sign_in(app);
        let fields = [("level", "silver"), ("until", "2026-01-31"), ("note", "Won it in the raffle.")];
        let given = done(&console, &format!("{DANA}/grants"), &fields);
        assert!(given.says("silver was given by hand, last day 31 January 2026 (UTC) · Won it in the raffle."), "{given:?}");
        assert!(given.says("silver was granted, last day 31 January 2026 (UTC) · given by hand"), "{given:?}");
        assert!(given.says("silver: it was given by hand on 1 January 2026 at 00:00 UTC, last day 31 January 2026 (UTC) Won it in the raffle."),
            "{}", given.text());
        let access = app.access_of("dana@x.example");
        let silver = access["levels"].as_array().expect("levels").iter().find(|held| held["level"] == "silver").expect("silver");
        assert_eq!(silver["until"], "2026-02-01T00:00:00Z");
        let id = silver["grants"][0]["grant"].as_str().expect("an id");
        assert!(given.html.contains(&format!("/grants/{id}/end\"")), "{given:?}");
        let ended = done(&console, &format!("{DANA}/grants/{id}/end"), &[]);
        assert!(ended.says("The grant has ended."), "{ended:?}");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        assert!(done(&console, &format!("{DANA}/grants/{id}/end"), &[]).says("It had ended already."));
    }

    fn a_block_takes_everything_until_it_is_lifted(app: &TestApp) {
        sold(app);
        let console = Console::sign_in(app);
        let blocked = done(&console, &format!("{DANA}/blocks"), &[("level", ""), ("until", ""), ("note", "Shared it.")]);
        assert!(blocked.says("Every level is blocked since") && blocked.says("Shared it."), "{blocked:?}");
        assert_eq!(app.levels_of("dana@x.example"), [""; 0]);
        let given = done(&console, &format!("{DANA}/grants"), &[("level", "gold"), ("until", ""), ("note", "")]);
        assert!(given.says("is kept from giving it by a block") && !given.says("has ended"), "{given:?}");
        assert!(given.says("The Club is granted, but the block on every level keeps them out until it is lifted."), "{given:?}");
        assert!(!given.says("The level is given."), "the door stays shut: {given:?}");
        let id = blocks(app)[0]["id"].as_str().expect("an id").to_owned();
        let lifted = done(&console, &format!("{DANA}/blocks/{id}/lift"), &[]);
        assert!(lifted.says("The block is lifted."), "{lifted:?}");
        assert_eq!((app.levels_of("dana@x.example"), blocks(app).len()), (vec!["gold".to_owned()], 0));
    }

    fn what_a_chargeback_blocks_is_lifted_from_the_same_page(app: &TestApp) {
        sold(app);
        assert_eq!(app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } })).status, 200);
        app.receives(Ipn::new("chargeback", 1002).of("dana@x.example").with("original_id", 1001).on("2025-12-20 09:00:00").body());
        app.drain();
        let console = Console::sign_in(app);
        let page = console.get(DANA);
        assert!(page.says("because of the chargeback 1002"), "{page:?}");
        let id = blocks(app)[0]["id"].as_str().expect("an id").to_owned();
        let form = format!("/blocks/{}/lift\"", id.replace(':', "%3A"));
        assert!(page.html.contains(&form), "{form}: {page:?}");
        done(&console, &format!("{DANA}/blocks/{}/lift", id.replace(':', "%3A")), &[]);
        assert_eq!(blocks(app).len(), 0);
    }

    fn what_is_wrong_stands_beside_its_field_and_the_input_is_kept(app: &TestApp) {
        sold(app);
        let console = Console::sign_in(app);
        let sent = |list: &str, until: &str, note: &str, level: &str| {
            let page = console.form(&format!("{DANA}/{list}"), &[("level", level), ("until", until), ("note", note)]);
            assert_eq!(page.status, 422, "{page:?}");
            page
        };
        let past = sent("grants", "2025-01-01", "Sorry & thanks", "gold");
        assert!(past.says("The last day must be today or later."), "{past:?}");
        assert!(past.html.contains("id=\"grant-until-error\"") && past.html.contains("value=\"2025-01-01\""));
        assert!(past.says("Sorry & thanks"), "the note is kept");
        assert!(sent("grants", "whenever", "", "gold").html.contains("id=\"grant-until-error\""));
        assert!(sent("blocks", "", "", "nosuch").html.contains("id=\"block-level-error\""));
        let long = "x".repeat(2_001);
        assert!(sent("blocks", "", &long, "gold").html.contains("id=\"block-note-error\""));
        assert_eq!((app.levels_of("dana@x.example"), blocks(app).len()), (vec!["gold".to_owned()], 0));
    }

    fn a_key_that_may_only_read_sees_no_forms_and_decides_nothing(app: &TestApp) {
        sold(app);
        let reader = with_scope(app, "read");
        let page = reader.get(DANA);
        assert!(page.says("The Club counts from"), "{page:?}");
        assert!(!page.html.contains("/grants") && !page.says("Block"), "{page:?}");
        assert!(page.says("takes a key with the scope support; yours is read."), "it is said once what it takes: {page:?}");
        for list in ["grants", "blocks", "grants/x/end", "blocks/x/lift", "pushes/x/retry"] {
            assert_eq!(reader.form(&format!("{DANA}/{list}"), &[("level", "gold")]).status, 403, "{list}");
        }
        let supporter = with_scope(app, "support");
        assert!(done(&supporter, &format!("{DANA}/blocks"), &[("level", "gold")]).says("The block is in force."));
    }

    fn markup_in_names_notes_and_addresses_is_shown_as_it_was_typed(app: &TestApp) {
        sold(app);
        assert_eq!(app.patch(&format!("{SITE}/levels/gold"), &json!({ "name": MARKUP })).status, 200);
        let console = Console::sign_in(app);
        let page = done(&console, &format!("{DANA}/grants"), &[("level", "gold"), ("note", MARKUP)]);
        let list = console.get(&format!("{MEMBERS}?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"));
        let odd = console.get("/sites/default/members/%3Cimg%2Fsrc%3Dx%3E%40x.example");
        for page in [page, list, odd, console.get(MEMBERS)] {
            assert_eq!(page.status, 200, "{page:?}");
            assert!(!page.html.contains("<img src=x") && !page.html.contains("<img/src"), "{page:?}");
        }
    }
}
