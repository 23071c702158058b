//! The page of a plan.

use super::{API, HOME, applied, back, buys, mappings, planned};
use crate::console::support::Console;
use crate::on_both_databases;
use crate::support::{Database, TestApp};
use serde_json::json;

const GOLD: [(&str, &str); 1] = [("new.501.level", "gold")];

fn three(app: &TestApp) {
    buys(app, "501", 1, &["dana", "eva", "finn"]);
    app.level("gold");
}

on_both_databases! {
    fn while_it_is_computed_the_page_says_how_far_it_is_and_changes_by_itself(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let saved = console.form(HOME, &GOLD);
        let page = console.get(&saved.location);
        assert!(page.says("working it out") && page.says("Members looked at"), "{}", page.text());
        assert!(page.html.contains("data-refresh") && page.says("Reload"), "{}", page.html);
        assert!(!page.html.contains("/apply\""), "it cannot be applied yet");
        app.drain();
        let page = console.get(&saved.location);
        assert!(!page.html.contains("data-refresh"), "{}", page.html);
        assert!(page.html.contains("/apply\""), "{}", page.html);
    }

    fn members_are_found_by_address_and_by_what_happens_to_them(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form(HOME, &GOLD));
        let found = |query: &str| {
            let page = console.get(&format!("{plan}{query}"));
            ["dana", "eva", "finn"].map(|name| page.says(&format!("{name}@x.example")))
        };
        assert_eq!(found(""), [true, true, true]);
        assert_eq!(found("?q=EVA"), [false, true, false]);
        assert_eq!(found("?what=gain&q=n"), [true, false, true]);
        assert_eq!(found("?what=loss"), [false, false, false]);
        assert!(console.get(&format!("{plan}?what=loss")).says("No member like this gains or loses anything."));
        assert_eq!(console.get(&format!("{plan}?what=love")).status, 400);
        assert_eq!(console.get("/sites/default/plans/none").status, 404);
    }

    fn of_two_operators_the_second_is_told_what_moved_and_makes_the_plan_again(app: &TestApp) {
        three(app);
        app.level("silver");
        let console = Console::sign_in(app);
        let mine = planned(app, &console.form(HOME, &[("new.501.level", "+"), ("new.501.level_name", "Tin")]));
        let theirs = planned(app, &Console::sign_in(app).form(HOME, &[("new.501.level", "+"), ("new.501.level_name", "Tin"), ("add.product", "9"), ("add.level", "silver")]));
        applied(app, &console, &theirs);
        let refused = console.form(&format!("{mine}/apply"), &[]);
        assert_eq!(refused.status, 422);
        assert!(refused.says("out of date") && refused.says("What has moved"), "{}", refused.text());
        assert!(refused.says("A mapping was made, changed or deleted."), "{}", refused.text());
        assert!(refused.says("The level Tin was made, renamed or deleted."), "{}", refused.text());

        // The level is there by now, and so is the mapping: that cannot be made again, and the page says so.
        let again = console.form(&format!("{mine}/again"), &[]);
        assert_eq!(again.status, 422);
        assert!(again.says("The plan cannot be made again as it was."), "{}", again.text());
        assert!(again.says("has the same product, price point, level and window"), "{}", again.text());
        let id = app.get(&format!("{API}/mappings?product_id=501")).json["items"][0]["id"].as_str().expect("an id").to_owned();
        app.delete(&format!("{API}/mappings/{id}"));
        let plan = planned(app, &console.form(&format!("{mine}/again"), &[]));
        assert_ne!(plan, mine);
        assert!(console.get(&plan).says("gains Tin"), "{}", console.get(&plan).text());
        applied(app, &console, &plan);
        assert_eq!(app.levels_of("eva@x.example"), ["tin"]);
    }

    fn a_plan_that_takes_levels_says_that_the_limit_does_not_hold_it_back(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let told = "the limit for losing a level does not hold back what you have seen here.";
        let plan = planned(app, &console.form(HOME, &GOLD));
        assert!(!console.get(&plan).says(told), "nobody loses anything");
        applied(app, &console, &plan);
        let id = mappings(app)[0]["id"].as_str().expect("an id").to_owned();
        let path = format!("/sites/default/mappings/{id}");
        let plan = planned(app, &console.form(&path, &[("do", "delete"), ("version", "1")]));
        assert!(console.get(&plan).says(told), "{}", console.get(&plan).text());
    }

    fn the_way_back_leads_to_the_choices_as_they_were(app: &TestApp) {
        for (number, product) in (1..).zip(["501", "502", "503"]) {
            buys(app, product, number, &["dana"]);
        }
        app.level("gold");
        app.level("silver");
        let id = app.map(&json!({ "product_id": "502", "level": "gold" }))["id"].as_str().expect("an id").to_owned();
        let field = |name: &str| format!("map.{id}.{name}");
        let of_mapping = [("level", "silver"), ("level_was", "gold"), ("state_was", "on"), ("state", "off")];
        let of_mapping = of_mapping.map(|(name, value)| (field(name), value));
        let mut fields: Vec<(&str, &str)> = of_mapping.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        fields.extend([
            ("new.501.level", "+"), ("new.501.level_name", "Tin"),
            ("add.product", "558475"), ("add.level", "gold"), ("add.price_point", "2"), ("add.on_cancellation", "period_end"),
            ("add.purchased_from", "2026-01-01T00:00"), ("add.duration_days", "days"), ("add.duration_days.n", "30"),
        ]);
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form(HOME, &fields));
        let shown = back(&console, &plan);
        for (name, value) in [
            ("new.501.level_name", "Tin"), ("add.product", "558475"), ("add.price_point", "2"),
            ("add.purchased_from", "2026-01-01T00:00:00"), ("add.duration_days.n", "30"),
        ] {
            assert_eq!(shown.value_of(name).as_deref(), Some(value), "{name}: {}", shown.html);
        }
        for chosen in [
            "<option value=\"+\" selected", "<option value=\"silver\" selected", "<option value=\"off\" selected",
            "value=\"period_end\" checked", "value=\"days\" checked",
        ] {
            assert!(shown.html.contains(chosen), "{chosen}: {}", shown.html);
        }
        assert!(!shown.says("Product 503"), "only what the plan is about is shown: {}", shown.text());
        assert_eq!((mappings(app).len(), &mappings(app)[0]["level"]), (1, &json!("gold")));
        // What is saved from there is kept with what was typed, too, where it is refused.
        let action = format!("{HOME}?plan={}", plan.rsplit('/').next().expect("an id"));
        let refused = console.form(&action, &[("new.501.level", "+"), ("new.501.level_name", " ")]);
        assert!(refused.status == 422 && refused.says("Product 502") && !refused.says("Product 503"), "{}", refused.text());
        applied(app, &console, &plan);
        assert!(!console.get(&plan).says("Back to the choices"), "it is done");
    }

    fn a_plan_that_no_form_makes_has_no_way_back(app: &TestApp) {
        three(app);
        let added = |product: &str| json!({ "op": "create_mapping", "mapping": { "product_id": product, "level": "gold" } });
        let made = app.post(&format!("{API}/plans"), &json!({ "changes": [added("8"), added("9")] }));
        assert_eq!(made.status, 202, "{made:?}");
        let page = Console::sign_in(app).get(&format!("/sites/default/plans/{}", made.json["id"].as_str().expect("an id")));
        assert!(page.says("All products") && !page.says("Back to the choices"), "{}", page.text());
    }

    fn whose_purchases_wait_for_a_product_that_is_to_be_ignored_the_plan_says(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form(HOME, &[("new.501.level", "-")]));
        let page = console.get(&plan);
        let told = "Product 501: 3 purchases wait for a mapping. Ignoring the product means that they give nothing.";
        assert!(page.says(told), "{}", page.text());
        assert!(page.html.contains("href=\"/sites/default/activity?status=held&amp;q=501\""), "{}", page.html);
        let whose = console.get("/sites/default/activity?status=held&q=501");
        for name in ["dana", "eva", "finn"] {
            assert!(whose.says(&format!("{name}@x.example")), "{}", whose.text());
        }
        applied(app, &console, &plan);
        assert!(!console.get(&plan).says("wait for a mapping"), "it is done");
    }

    fn a_plan_that_changes_nothing_says_so_and_cannot_be_applied(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form("/sites/default/settings/policy", &[("do", "plan")]));
        let page = console.get(&plan);
        assert!(page.says("This plan changes nothing: everything is already as you chose."), "{}", page.text());
        assert!(!page.html.contains("/apply\""), "{}", page.html);
    }

    fn that_nobody_gains_by_the_end_of_what_was_paid_is_explained(app: &TestApp) {
        three(app);
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        let console = Console::sign_in(app);
        let fields = [("policy.on_cancellation", "period_end"), ("do", "plan")];
        let page = console.get(&planned(app, &console.form("/sites/default/settings/policy", &fields)));
        assert!(page.says("Nobody gains or loses anything by this."), "{}", page.text());
        assert!(page.says("Why nobody gains by “until the end of what was paid”"), "{}", page.text());
        let fields = [("policy.on_cancellation", "keep"), ("do", "plan")];
        let page = console.get(&planned(app, &console.form("/sites/default/settings/policy", &fields)));
        assert!(!page.says("Why nobody gains"), "{}", page.text());
    }

    fn nothing_is_applied_twice(app: &TestApp) {
        three(app);
        let console = Console::sign_in(app);
        let plan = planned(app, &console.form(HOME, &GOLD));
        applied(app, &console, &plan);
        let page = console.get(&plan);
        assert!(page.says("What was changed") && page.says("What was written"), "{}", page.text());
        assert!(!page.html.contains("/apply\""), "{}", page.html);
        let twice = console.form(&format!("{plan}/apply"), &[]);
        assert_eq!(twice.status, 422);
        assert!(twice.says("Nothing is applied twice."), "{}", twice.text());
    }

    fn a_key_that_may_only_read_sees_the_plan_and_cannot_apply_it(app: &TestApp) {
        three(app);
        let plan = planned(app, &Console::sign_in(app).form(HOME, &GOLD));
        let made = app.post("/api/v1/keys", &json!({ "name": "r", "scopes": ["read"] }));
        let console = Console::sign_in_with(app, made.json["key"].as_str().expect("a key"));
        let page = console.get(&plan);
        assert!(page.says("gains gold") && !page.html.contains("/apply\""), "{}", page.html);
        assert_eq!(console.form(&format!("{plan}/apply"), &[]).status, 403);
        assert_eq!(console.form(&format!("{plan}/again"), &[]).status, 403);
    }
}

#[test]
fn where_many_are_concerned_the_page_follows_until_all_are_in_line() {
    let small = [("flow.inline_members_max", "1"), ("flow.batch_purchases_max", "1")];
    let app = TestApp::start_with(Database::sqlite(), &small);
    three(&app);
    let console = Console::sign_in(&app);
    let plan = planned(&app, &console.form(HOME, &GOLD));
    let done = console.form(&format!("{plan}/apply"), &[]);
    assert_eq!(done.status, 303);
    assert!(done.location.starts_with(&format!("{plan}?recompute=")), "{}", done.location);
    let page = console.get(&done.location);
    assert!(page.says("Members brought in line 0 of 3"), "{}", page.text());
    assert!(page.html.contains("data-refresh"), "{}", page.html);
    app.drain();
    let page = console.get(&done.location);
    assert!(
        page.says("Everybody is in line with it.") && page.says("Back to the products"),
        "{}",
        page.text()
    );
    assert!(!page.html.contains("data-refresh"), "{}", page.html);
}
