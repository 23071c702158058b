//! The page of one mapping.

use super::{API, applied, applied_to, back, buys, mappings, planned};
use crate::console::support::Console;
use crate::on_both_databases;
use crate::support::TestApp;
use serde_json::{Value, json};

/// A mapping of product 501 to gold, and the address of its page.
fn mapped(app: &TestApp, more: &Value) -> String {
    app.level("gold");
    let mut mapping = json!({ "product_id": "501", "level": "gold" });
    for (key, value) in more.as_object().expect("keys") {
        mapping[key] = value.clone();
    }
    let mapping = app.map(&mapping);
    format!("/sites/default/mappings/{}", mapping["id"].as_str().expect("an id"))
}

/// What the page holds where nothing is changed.
fn as_it_is(version: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("version", version), ("mapping.level", "gold"), ("mapping.state", "on")]
}

on_both_databases! {
    fn a_policy_is_changed_and_the_plan_says_what_that_does(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        let path = mapped(app, &json!({}));
        let console = Console::sign_in(app);
        let page = console.get(&path);
        assert!(page.says("As the site says: access ends at once"), "{}", page.text());
        let mut fields = as_it_is("1");
        fields.extend([("mapping.duration_days", "days"), ("mapping.duration_days.n", "30"), ("mapping.price_point", "1")]);
        let plan = planned(app, &console.form(&path, &fields));
        let page = console.get(&plan);
        assert!(page.says("keeps gold"), "{}", page.text());
        assert!(page.says("at price point 1 gives gold; Lasts: 30 days at most."), "{}", page.text());
        applied_to(app, &console, &plan, &path);
        let mapping = &mappings(app)[0];
        assert_eq!((&mapping["policy"], &mapping["price_point"]), (&json!({ "duration_days": 30 }), &json!("1")));
        assert!(console.get(&path).says("Access from day 0 until day 30."));
    }

    fn what_is_left_as_it_is_stays_to_the_microsecond(app: &TestApp) {
        let path = mapped(app, &json!({
            "purchased_from": "2025-01-01T01:02:03.000004Z", "price_point": "1", "policy": { "trial": "wait" },
        }));
        let console = Console::sign_in(app);
        let page = console.get(&path);
        assert_eq!(page.value_of("mapping.purchased_from").as_deref(), Some("2025-01-01T01:02:03.000004"));
        let mut fields = as_it_is("1");
        fields.extend([
            ("mapping.purchased_from", "2025-01-01T01:02:03.000004"), ("mapping.price_point", "1"), ("mapping.trial", "wait"),
        ]);
        let nothing = console.form(&path, &fields);
        assert_eq!(nothing.status, 422);
        assert!(nothing.says("Nothing was changed yet."), "{}", nothing.text());
        fields.push(("mapping.purchased_before", "2025-06-01T00:00"));
        let plan = planned(app, &console.form(&path, &fields));
        let told = "only if bought on 2025-01-01 01:02 UTC or later, and before 2025-06-01 00:00 UTC; Trial";
        assert!(console.get(&plan).says(told), "{}", console.get(&plan).text());
        let page = applied_to(app, &console, &plan, &path);
        assert!(page.says("Kartra's own dates are in America/New_York; here they are in UTC."), "{}", page.text());
        let mapping = &mappings(app)[0];
        assert_eq!(mapping["purchased_from"], "2025-01-01T01:02:03.000004Z");
        assert_eq!(mapping["purchased_before"], "2025-06-01T00:00:00Z");
        assert_eq!(mapping["policy"], json!({ "trial": "wait" }));
    }

    fn two_operators_at_one_mapping_do_not_undo_each_other_unseen(app: &TestApp) {
        let path = mapped(app, &json!({}));
        let console = Console::sign_in(app);
        let id = mappings(app)[0]["id"].as_str().expect("an id").to_owned();
        app.patch(&format!("{API}/mappings/{id}"), &json!({ "policy": { "on_refund": "keep" } }));
        let mut fields = as_it_is("1");
        fields.push(("mapping.trial", "wait"));
        let told = console.form(&path, &fields);
        assert_eq!(told.status, 422);
        assert!(told.says("Somebody changed this mapping while you were at it."), "{}", told.text());
        assert_eq!(told.value_of("version").as_deref(), Some("2"), "sent again it is meant");
        assert_eq!(mappings(app)[0]["policy"], json!({ "on_refund": "keep" }));
    }

    fn the_way_back_from_its_plan_leads_to_what_was_chosen_and_typed(app: &TestApp) {
        let path = mapped(app, &json!({}));
        let console = Console::sign_in(app);
        let mut fields = vec![("version", "1"), ("mapping.level", "+"), ("mapping.level_name", "Tin"), ("mapping.state", "off")];
        fields.extend([("mapping.price_point", "1"), ("mapping.on_payment_failed", "grace_days"), ("mapping.on_payment_failed.n", "7")]);
        let plan = planned(app, &console.form(&path, &fields));
        let shown = back(&console, &plan);
        for (name, value) in [("mapping.level_name", "Tin"), ("mapping.price_point", "1"), ("mapping.on_payment_failed.n", "7"), ("version", "1")] {
            assert_eq!(shown.value_of(name).as_deref(), Some(value), "{name}: {}", shown.html);
        }
        for chosen in ["<option value=\"+\" selected", "<option value=\"off\" selected", "value=\"grace_days\" checked"] {
            assert!(shown.html.contains(chosen), "{chosen}: {}", shown.html);
        }
        assert_eq!((&mappings(app)[0]["level"], &mappings(app)[0]["policy"]), (&json!("gold"), &json!({})), "nothing was saved");
        // What somebody else has changed meanwhile is not undone unseen from there either.
        let id = mappings(app)[0]["id"].as_str().expect("an id").to_owned();
        app.patch(&format!("{API}/mappings/{id}"), &json!({ "policy": { "on_refund": "keep" } }));
        let version = back(&console, &plan).value_of("version").expect("a version");
        fields[0] = ("version", &version);
        let told = console.form(&path, &fields);
        assert!(told.status == 422 && told.says("Somebody changed this mapping while you were at it."), "{}", told.text());
    }

    fn what_is_changed_here_leads_back_here_also_where_the_page_of_the_products_could_have_changed_it(app: &TestApp) {
        let path = mapped(app, &json!({}));
        app.level("silver");
        let console = Console::sign_in(app);
        let fields = [("version", "1"), ("mapping.level", "silver"), ("mapping.state", "on")];
        let plan = planned(app, &console.form(&path, &fields));
        let page = console.get(&plan);
        assert!(page.html.contains(&format!("href=\"{path}\">The mapping<")), "{}", page.html);
        let shown = back(&console, &plan);
        assert!(shown.html.contains("<option value=\"silver\" selected"), "{}", shown.html);
        assert_eq!(shown.value_of("version").as_deref(), Some("1"));
        let saved = applied_to(app, &console, &plan, &path);
        assert!(saved.says("Saved. Nobody's access has changed."), "{}", saved.text());
        assert_eq!(mappings(app)[0]["level"], "silver");
    }

    fn faults_stand_beside_their_fields(app: &TestApp) {
        let path = mapped(app, &json!({}));
        let console = Console::sign_in(app);
        let with = |more: &[(&'static str, &'static str)]| {
            let fields: Vec<_> = as_it_is("1").into_iter().chain(more.iter().copied()).collect();
            let page = console.form(&path, &fields);
            assert_eq!(page.status, 422, "{}", page.text());
            page
        };
        let window = with(&[("mapping.purchased_from", "2026-01-02T00:00"), ("mapping.purchased_before", "2026-01-01T00:00")]);
        assert!(window.says("It has to be later than “Bought on or after (UTC)”."), "{}", window.text());
        assert!(window.says("What it is stands beside its field: “Bought before (UTC)”."), "{}", window.text());
        assert_eq!(window.value_of("mapping.purchased_from").as_deref(), Some("2026-01-02T00:00"));
        let far = with(&[("mapping.purchased_before", "99999-01-01T00:00")]);
        assert!(far.says("Choose a day before 31 December 9999"), "{}", far.text());
        let none = console.form(&path, &[("version", "1"), ("mapping.level", "tin"), ("mapping.state", "on")]);
        assert!(none.says("stands beside its field: “Gives”."), "{}", none.text());
        let grace = with(&[("mapping.on_payment_failed", "grace_days"), ("mapping.on_payment_failed.n", "-1")]);
        assert!(grace.says("Write a whole number."), "{}", grace.text());
        assert!(grace.says("Nothing was saved or changed: something in the form has to be put right."), "{}", grace.text());
    }

    fn a_mapping_is_deleted_by_a_plan(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        let path = mapped(app, &json!({}));
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form(&path, &[("do", "delete"), ("version", "1")]));
        assert!(console.get(&plan).says("loses gold"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        applied(app, &console, &plan);
        assert!(app.levels_of("dana@x.example").is_empty());
        assert_eq!(console.get(&path).status, 404);
    }
}
