//! Products, mappings and levels on one page.

mod levels;
mod mapping;
mod plan;
mod policy;

use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{Ipn, TestApp};
use serde_json::{Value, json};

const API: &str = "/api/v1/sites/default";
const HOME: &str = "/sites/default/products";

/// Buyers of a product, each with a sale.
fn buys(app: &TestApp, product: &str, first: u64, names: &[&str]) {
    for (number, name) in (first..).zip(names) {
        let sale = Ipn::new("sale", number).product(product).of(&format!("{name}@x.example"));
        assert_eq!(app.receives(sale.body()).status, 200);
    }
    app.drain();
}

/// What was saved goes to the page of a plan, which is then computed.
#[track_caller]
fn planned(app: &TestApp, page: &Page) -> String {
    assert_eq!(page.status, 303, "{}", page.text());
    assert!(page.location.starts_with("/sites/default/plans/"), "{}", page.location);
    app.drain();
    page.location.clone()
}

/// Applies a plan by its page, and answers where that leads: to the products.
#[track_caller]
fn applied(app: &TestApp, console: &Console, plan: &str) -> Page {
    applied_to(app, console, plan, HOME)
}

/// As [`applied`], of a plan that came from another page.
#[track_caller]
fn applied_to(app: &TestApp, console: &Console, plan: &str, origin: &str) -> Page {
    let done = console.form(&format!("{plan}/apply"), &[]);
    assert_eq!((done.status, &*done.location), (303, origin), "{}", done.text());
    app.drain();
    console.get(&done.location)
}

fn mappings(app: &TestApp) -> Vec<Value> {
    app.get(&format!("{API}/mappings")).json["items"].as_array().expect("items").clone()
}

/// Goes back from a plan to the form behind it, by the button of its page.
#[track_caller]
fn back(console: &Console, plan: &str) -> Page {
    let page = console.get(plan);
    let mut forms = page.html.split("<form").skip(1);
    let form = forms.find(|form| form.contains("Back to the choices")).expect("a way back");
    let of = |text: &str, name: &str| {
        let (_, value) = text.split_once(&format!("{name}=\"")).expect("an attribute");
        value.split('"').next().expect("its value").to_owned()
    };
    let fields: Vec<_> = form.split("<input ").skip(1).collect();
    let fields = fields.iter().map(|field| (of(field, "name"), of(field, "value")));
    let fields: Vec<(String, String)> = fields.filter(|(name, _)| name != "csrf").collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let shown = console.form(&of(form, "action"), &fields);
    assert_eq!(shown.status, 200, "{}", shown.text());
    let told = "These are your choices again. Nothing was saved or changed.";
    assert!(shown.says(told), "{}", shown.text());
    shown
}

/// Where a text stands on a page.
#[track_caller]
fn at(page: &Page, text: &str) -> usize {
    let found = page.text().find(text);
    found.unwrap_or_else(|| panic!("{text:?} is not in {}", page.text()))
}

on_both_databases! {
    fn a_level_is_named_and_chosen_in_place_and_everybody_who_waits_gets_it(app: &TestApp) {
        buys(app, "501", 1, &["dana", "eva", "finn"]);
        let console = Console::sign_in(app);
        let page = console.get(HOME);
        assert!(page.says("3 purchases wait for a mapping, the first since"), "{}", page.text());
        assert!(page.html.contains("warn\">unmapped<") && page.says("· 3 purchases"), "{}", page.text());
        let saved = console.form(HOME, &[("new.501.level", "+"), ("new.501.level_name", "Gold Club")]);
        let plan = planned(app, &saved);
        let page = console.get(&plan);
        assert!(page.says("New level: Gold Club.") && page.says("Product 501 gives Gold Club."), "{}", page.text());
        assert!(page.says("gains Gold Club") && page.says("does not have it"), "{}", page.text());
        assert!(app.levels_of("dana@x.example").is_empty(), "nothing has happened yet");
        let home = applied(app, &console, &plan);
        assert!(home.says("Saved: 3 levels gained, 0 levels lost, 0 ends moved."), "{}", home.text());
        assert!(home.html.contains("good\">mapped<") && !home.says("wait for a mapping, the first since"), "{}", home.text());
        assert_eq!(app.levels_of("dana@x.example"), ["gold-club"]);
        assert_eq!(app.get(&format!("{API}/levels/gold-club")).json["name"], "Gold Club");
    }

    fn what_is_not_decided_stands_first_then_what_is_mapped_then_what_is_ignored(app: &TestApp) {
        for (number, product) in (1..).zip(["701", "702", "703"]) {
            buys(app, product, number, &["dana"]);
        }
        app.level("gold");
        app.map(&json!({ "product_id": "703", "level": "gold" }));
        app.map(&json!({ "product_id": "704", "level": "gold" }));
        app.patch(&format!("{API}/products/702"), &json!({ "ignored": true }));
        let console = Console::sign_in(app);
        let page = console.get(HOME);
        let order = ["Product 701", "Product 703", "Product 704", "Product 702"].map(|text| at(&page, text));
        assert!(order.is_sorted(), "{}", page.text());
        assert!(page.html.contains("info\">not bought yet<"), "{}", page.text());
        for (status, product) in [("unmapped", "701"), ("ignored", "702"), ("mapped", "703"), ("ahead", "704")] {
            let page = console.get(&format!("{HOME}?status={status}"));
            for other in ["701", "702", "703", "704"] {
                assert_eq!(page.says(&format!("Product {other}")), other == product, "{status}: {}", page.text());
            }
        }
        assert!(console.get(&format!("{HOME}?q=03")).says("Product 703"));
        assert!(!console.get(&format!("{HOME}?q=03")).says("Product 701"));
        assert!(console.get(&format!("{HOME}?q=nothing")).says("No product here"));
    }

    fn whoever_saves_is_told_before_that_they_see_first_what_would_change(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        let page = Console::sign_in(app).get(HOME);
        let told = "Save mappings Takes all that you chose for the products above, and what you added. First you see who gains and who loses; nothing changes until you apply that.";
        assert!(page.says(told), "{}", page.text());
        let shown = page.html.matches(">Save mappings<").count() - page.html.matches("hidden>Save mappings<").count();
        assert_eq!(shown, 1, "there is one way to save");
    }

    fn nobody_has_bought_anything_yet(app: &TestApp) {
        let page = Console::sign_in(app).get(HOME);
        assert!(page.says("Products appear here by themselves"), "{}", page.text());
        assert!(page.says("There is no level yet. Name the first one here."), "{}", page.text());
    }

    fn a_mapping_is_added_by_the_address_of_its_product_with_a_policy_in_words(app: &TestApp) {
        app.level("gold");
        let console = Console::sign_in(app);
        let saved = console.form(HOME, &[
            ("add.product", "https://app.kartra.com/products/edit/558475?tab=1"), ("add.level", "gold"),
            ("add.price_point", "2"), ("add.purchased_from", "2026-01-01T00:00"), ("add.on_cancellation", "period_end"),
            ("add.on_payment_failed", "grace_days"), ("add.on_payment_failed.n", "7"), ("add.trial", ""),
        ]);
        let plan = planned(app, &saved);
        assert!(console.get(&plan).says("Nobody gains or loses anything by this."));
        let home = applied(app, &console, &plan);
        let mapping = &mappings(app)[0];
        assert_eq!((&mapping["product_id"], &mapping["price_point"]), (&json!("558475"), &json!("2")));
        assert_eq!(mapping["purchased_from"], "2026-01-01T00:00:00Z");
        assert_eq!(mapping["policy"], json!({ "on_cancellation": "period_end", "on_payment_failed": { "grace_days": 7 } }));
        for words in ["Price point 2", "Cancelled: access until the end of what was paid", "Payment fails: access ends 7 days later"] {
            assert!(home.says(words), "{words}: {}", home.text());
        }
    }

    fn faults_stand_beside_their_fields_and_what_was_typed_is_kept(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.level("gold");
        let console = Console::sign_in(app);
        let unnamed = console.form(HOME, &[("new.501.level", "+"), ("new.501.level_name", " ")]);
        assert_eq!(unnamed.status, 422);
        assert!(unnamed.says("Name the new level."), "{}", unnamed.text());
        let top = at(&unnamed, "Nothing was saved or changed: something in the form has to be put right.");
        assert!(top < at(&unnamed, "Name the new level."), "{}", unnamed.text());
        assert!(unnamed.html.contains("<option value=\"+\" selected>"), "what was chosen is kept");
        let again = console.form(HOME, &[("new.501.level", "+"), ("new.501.level_name", "Gold")]);
        assert!(again.says("There is a level with this name already."), "{}", again.text());
        assert_eq!(again.value_of("new.501.level_name").as_deref(), Some("Gold"));
        let wrong = console.form(HOME, &[
            ("add.product", "5"), ("add.level", "gold"), ("add.on_payment_failed", "grace_days"),
            ("add.on_payment_failed.n", "soon"),
        ]);
        assert_eq!(wrong.status, 422);
        assert!(wrong.says("Write a whole number."), "{}", wrong.text());
        assert_eq!(wrong.value_of("add.on_payment_failed.n").as_deref(), Some("soon"));
        assert_eq!(wrong.value_of("add.product").as_deref(), Some("5"));
        for product in ["no such page/", "abc", "-5"] {
            let address = console.form(HOME, &[("add.product", product), ("add.level", "gold")]);
            assert_eq!((address.status, address.value_of("add.product").as_deref()), (422, Some(product)));
            assert!(address.says("A product of Kartra's has a number, such as 558475."), "{}", address.text());
        }
        let far = console.form(HOME, &[
            ("add.product", "5"), ("add.level", "gold"), ("add.duration_days", "days"), ("add.duration_days.n", "0"),
        ]);
        assert!(far.says("must be from 1 to 36500, not 0"), "{}", far.text());
        for (field, value, says) in [
            ("add.product", "5", "Choose the level that the product gives."),
            ("add.level", "gold", "Write the product's number, or paste the address"),
        ] {
            let half = console.form(HOME, &[(field, value)]);
            assert_eq!(half.status, 422);
            assert!(half.says(says), "{}", half.text());
        }
        let nothing = console.form(HOME, &[("new.501.level", "")]);
        assert_eq!(nothing.status, 422);
        assert!(nothing.says("Nothing was changed yet."), "{}", nothing.text());
        assert_eq!(app.get(&format!("{API}/plans")).json["items"], json!([]));
    }

    fn what_is_asked_for_twice_in_one_form_is_said_at_its_field(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.level("gold");
        let console = Console::sign_in(app);
        let twice = [("new.501.level", "gold"), ("add.product", "501"), ("add.level", "gold")];
        let refused = console.form(HOME, &twice);
        assert_eq!(refused.status, 422);
        assert!(refused.says("This form asks for the same mapping twice"), "{}", refused.text());
        assert!(refused.says("stands beside its field: “Gives”."), "{}", refused.text());
        let field = refused.html.split("id=\"add-level\"").nth(1).expect("a field");
        assert!(field.starts_with(" name=\"add.level\" aria-invalid=\"true\" autofocus"), "{}", refused.html);
        // What is there already is another matter.
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        let there = console.form(HOME, &twice[1..]);
        assert!(there.status == 422 && there.says("There is a mapping already that gives this level"), "{}", there.text());
    }

    fn without_javascript_the_picture_follows_by_a_button_and_nothing_is_saved(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.level("gold");
        let console = Console::sign_in(app);
        assert!(console.get(HOME).says("A subscription is cancelled. Access from day 0 until day 45."));
        let shown = console.form(HOME, &[
            ("do", "preview"), ("new.501.level", "gold"), ("add.product", "558475"), ("add.on_cancellation", "period_end"),
        ]);
        assert_eq!(shown.status, 200);
        assert!(shown.says("A subscription is cancelled. Access from day 0 until day 60."), "{}", shown.text());
        assert_eq!(shown.value_of("add.product").as_deref(), Some("558475"));
        assert!(shown.html.contains("<option value=\"gold\" selected>"));
        assert_eq!(app.get(&format!("{API}/plans")).json["items"], json!([]));
    }

    fn one_plan_takes_all_that_was_changed_on_the_page_and_no_more(app: &TestApp) {
        for (number, product) in (1..).zip(["501", "502", "503"]) {
            buys(app, product, number, &["dana"]);
        }
        app.level("gold");
        app.level("silver");
        let one = app.map(&json!({ "product_id": "501", "level": "gold" }))["id"].as_str().expect("an id").to_owned();
        let two = app.map(&json!({ "product_id": "502", "level": "gold" }))["id"].as_str().expect("an id").to_owned();
        // Somebody else turns the first off while its level is being chosen here.
        app.patch(&format!("{API}/mappings/{one}"), &json!({ "enabled": false }));
        let field = |id: &str, name: &str| format!("map.{id}.{name}");
        let saved = console_form(app, &[
            (field(&one, "level"), "silver"), (field(&one, "level_was"), "gold"),
            (field(&one, "state_was"), "on"), (field(&one, "state"), "on"),
            (field(&two, "level"), "gold"), (field(&two, "level_was"), "gold"),
            (field(&two, "state_was"), "on"), (field(&two, "state"), "delete"),
            ("new.503.level".to_owned(), "-"), ("new.503.price_point".to_owned(), ""),
        ]);
        let plan = planned(app, &saved);
        let id = plan.rsplit('/').next().expect("an id");
        assert_eq!(app.get(&format!("{API}/plans/{id}")).json["changes"], json!([
            { "op": "update_mapping", "id": one, "mapping": { "level": "silver" } },
            { "op": "delete_mapping", "id": two },
            { "op": "ignore_product", "product_id": "503" },
        ]));
        let console = Console::sign_in(app);
        let page = console.get(&plan);
        assert!(page.says("Apply: 1 level is lost"), "{}", page.text());
        applied(app, &console, &plan);
        let left = mappings(app);
        assert_eq!((left.len(), &left[0]["level"], &left[0]["enabled"]), (1, &json!("silver"), &json!(false)));
        assert_eq!(app.get(&format!("{API}/products/503")).json["status"], "ignored");
    }

    fn an_ignored_product_is_heeded_again(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.patch(&format!("{API}/products/501"), &json!({ "ignored": true }));
        let console = Console::sign_in(app);
        assert!(console.get(HOME).says("Stop ignoring"));
        let done = console.form(&format!("{HOME}/heeded"), &[("product_id", "501")]);
        assert_eq!(done.location, HOME);
        assert!(console.get(HOME).says("1 purchase waits for a mapping"));
        assert_eq!(console.form(&format!("{HOME}/heeded"), &[("product_id", "9")]).status, 404);
    }

    fn a_key_that_may_only_read_sees_no_form_and_can_send_none(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.level("gold");
        let id = app.map(&json!({ "product_id": "501", "level": "gold" }))["id"].as_str().expect("an id").to_owned();
        let made = app.post("/api/v1/keys", &json!({ "name": "r", "scopes": ["read"] }));
        let console = Console::sign_in_with(app, made.json["key"].as_str().expect("a key"));
        for path in [HOME.to_owned(), format!("/sites/default/mappings/{id}")] {
            let page = console.get(&path);
            assert_eq!(page.status, 200, "{}", page.text());
            assert!(!page.html.contains("<select") && !page.says("Save"), "{}", page.text());
        }
        let refused = [
            (HOME.to_owned(), vec![("new.501.level", "gold")]),
            (format!("{HOME}/heeded"), vec![("product_id", "501")]),
            ("/sites/default/levels".to_owned(), vec![("name", "Tin")]),
            ("/sites/default/levels/gold".to_owned(), vec![("name", "Tin")]),
            (format!("/sites/default/mappings/{id}"), vec![("do", "delete")]),
        ];
        for (path, fields) in refused {
            assert_eq!(console.form(&path, &fields).status, 403, "{path}");
        }
        assert_eq!(mappings(app).len(), 1);
    }

    fn markup_in_names_is_only_text(app: &TestApp) {
        let markup = "\"><script>alert(1)</script>";
        let sale = Ipn::new("sale", 1).of("dana@x.example").with("product_name", markup);
        app.receives(sale.with("product_price_point", markup).body());
        app.drain();
        app.post(&format!("{API}/levels"), &json!({ "id": "gold", "name": markup }));
        let console = Console::sign_in(app);
        let page = console.get(HOME);
        assert!(page.says(markup), "{}", page.text());
        let typed = console.form(HOME, &[("do", "preview"), ("add.product", markup), ("add.level_name", markup), ("add.trial", markup)]);
        let saved = console.form(HOME, &[("new.501.level", "gold"), ("new.501.price_point", markup)]);
        let plan = console.get(&planned(app, &saved));
        assert!(plan.says(markup), "{}", plan.text());
        for page in [page, typed, plan] {
            assert!(!page.html.contains("<script>alert"), "{}", page.html);
            assert!(!page.html.contains("\"><script"), "{}", page.html);
        }
    }

    fn many_products_come_page_by_page_and_each_once(app: &TestApp) {
        let names = ["dana"];
        for number in 1..=60 {
            let sale = Ipn::new("sale", number).product(format!("7{number:03}")).of(&format!("{}@x.example", names[0]));
            assert_eq!(app.receives(sale.body()).status, 200);
        }
        app.drain();
        app.level("gold");
        for number in 1..=20 {
            app.map(&json!({ "product_id": format!("7{number:03}"), "level": "gold" }));
        }
        app.map(&json!({ "product_id": "8000", "level": "gold" }));
        let console = Console::sign_in(app);
        let (mut path, mut seen, mut pages) = (HOME.to_owned(), Vec::new(), 0);
        loop {
            let page = console.get(&path);
            let here: Vec<String> =
                page.html.split("Product <code>").skip(1).map(|rest| rest[..4].to_owned()).collect();
            assert!((1..=25).contains(&here.len()), "{path}: {here:?}");
            seen.extend(here);
            pages += 1;
            let Some((before, _)) = page.html.split_once("rel=\"next\"") else { break };
            let href = before.rsplit_once("href=\"").expect("an address").1;
            path = href[..href.find('"').expect("its end")].replace("&#38;", "&").replace("&amp;", "&");
        }
        assert_eq!((pages, seen.len()), (3, 61), "{seen:?}");
        let once: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), 61);
        assert_eq!(seen.last().map(String::as_str), Some("8000"));
    }
}

/// Sends the form of the page.
fn console_form(app: &TestApp, fields: &[(String, &str)]) -> Page {
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    Console::sign_in(app).form(HOME, &fields)
}
