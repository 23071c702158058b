//! `/sites/{site}/plans`: what other rules would do, seen before it happens, and applied once.

use super::bodies::{PRODUCT, sale};
use super::{SITE, applied, gold, problem};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Ipn, Reply, TestApp, instant};
use serde_json::{Value, json};

/// A plan that has been made, by its path.
fn planned(app: &TestApp, changes: &Value) -> String {
    let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": changes }));
    assert_eq!((made.status, &made.json["state"]), (202, &json!("computing")), "{made:?}");
    made.header("location").expect("a Location").to_owned()
}

/// A plan that is ready, by its path, and what it shows.
fn ready(app: &TestApp, changes: &Value) -> (String, Value) {
    let path = planned(app, changes);
    app.drain();
    let plan = app.get(&path).json;
    assert_eq!(plan["state"], "ready", "{plan}");
    assert_eq!((&plan["done"], &plan["moved"]), (&plan["total"], &json!([])), "{plan}");
    (path, plan)
}

fn counts(plan: &Value) -> [i64; 3] {
    ["gains", "losses", "moves"].map(|key| plan[key].as_i64().expect("a count"))
}

fn members(app: &TestApp, path: &str, query: &str) -> Vec<Value> {
    let page = app.get(&format!("{path}/members{query}"));
    assert_eq!(page.status, 200, "{page:?}");
    page.json["items"].as_array().expect("items").clone()
}

fn apply(app: &TestApp, path: &str) -> Reply {
    app.request("POST", &format!("{path}/apply"), |request| request.bearer_auth(ADMIN_KEY))
}

fn mapped(app: &TestApp, mapping: &Value) -> String {
    app.map(mapping)["id"].as_str().expect("an id").to_owned()
}

/// A refusal because of what has moved.
#[track_caller]
fn moved(reply: &Reply, what: &Value) {
    problem(reply, 409, "conflict");
    assert_eq!(&reply.json["moved"], what, "{reply:?}");
}

/// Three buyers of one product: dana pays on, eva has cancelled, finn is refunded.
fn three(app: &TestApp) {
    for (number, name) in (1..).zip(["dana", "eva", "finn"]) {
        app.receives(Ipn::new("sale", number).of(&format!("{name}@x.example")).body());
    }
    app.receives(Ipn::new("cancellation", 2).of("eva@x.example").body());
    app.receives(Ipn::new("refund", 3).of("finn@x.example").body());
    app.drain();
}

/// What moves, how, and what the refusal says of it.
type Moves<'a> = (&'a str, Box<dyn Fn() -> Reply + 'a>, Value);

on_both_databases! {
    fn a_plan_says_who_gains_and_who_loses_and_applying_it_does_just_that_once(app: &TestApp) {
        three(app);
        app.level("gold");
        app.level("silver");
        let old = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let keeps = json!({ "on_cancellation": "keep" });
        let changes = json!([
            { "op": "delete_mapping", "id": old },
            { "op": "create_level", "level": { "id": "tin" } },
            { "op": "create_mapping", "mapping": { "product_id": 501, "level": "tin", "policy": { "duration_days": 365 } } },
            { "op": "create_mapping", "mapping": { "product_id": "501", "level": "silver", "policy": keeps } },
        ]);
        let before = app.changes().len();
        let (path, plan) = ready(app, &changes);
        assert_eq!(counts(&plan), [3, 1, 0]);
        let rules = &plan["rules"];
        assert_eq!((&rules["levels"], &rules["policy"], &rules["gone"][0]["id"]), (&json!(["tin"]), &Value::Null, &json!(old)));
        let gives: Vec<&Value> = rules["new"].as_array().expect("mappings").iter().map(|mapping| &mapping["level"]).collect();
        assert_eq!(gives, [&json!("tin"), &json!("silver")]);
        let (dana, eva) = ("dana@x.example", "eva@x.example");
        let held = json!({ "until": null });
        let steps = members(app, &path, "");
        let until = steps[2]["after"]["until"].clone();
        assert_eq!(steps, [
            json!({ "email": dana, "level": "gold", "before": held, "after": null }),
            json!({ "email": dana, "level": "silver", "before": null, "after": held }),
            json!({ "email": dana, "level": "tin", "before": null, "after": { "until": until } }),
            json!({ "email": eva, "level": "silver", "before": null, "after": held }),
        ]);
        assert!(until.is_string(), "{steps:?}");
        assert_eq!(members(app, &path, "?what=loss"), steps[..1]);
        assert_eq!(members(app, &path, "?q=EVA@"), steps[3..]);
        assert_eq!(app.levels_of(dana), ["gold"], "nothing has happened yet");
        assert_eq!(app.changes().len(), before);

        let done = apply(app, &path);
        assert_eq!((done.status, &done.json["state"]), (200, &json!("applied")), "{done:?}");
        assert_eq!(done.json["recompute"]["done"], done.json["recompute"]["members"]);
        assert_eq!(app.levels_of(dana), ["silver", "tin"]);
        assert_eq!(app.levels_of(eva), ["silver"]);
        assert!(app.levels_of("finn@x.example").is_empty());
        assert_eq!(app.changes().len(), before + 4);
        problem(&apply(app, &path), 409, "conflict");
        assert_eq!(app.changes().len(), before + 4, "nothing is applied twice");
        assert_eq!(app.get(&path).json["state"], "applied");
    }

    fn a_plan_tells_the_changes_that_it_was_made_from_so_that_it_can_be_made_again(app: &TestApp) {
        three(app);
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let changes = json!([
            { "op": "create_level", "level": { "id": "tin", "name": "Tin & more" } },
            { "op": "create_level", "level": { "id": "lead" } },
            { "op": "update_mapping", "id": id, "mapping": { "level": "tin", "price_point": null } },
            { "op": "create_mapping", "mapping": { "product_id": 502, "level": "lead" } },
            { "op": "set_policy", "policy": { "duration_days": null, "trial": "wait" } },
        ]);
        let (path, plan) = ready(app, &changes);
        assert_eq!(plan["changes"], changes);
        app.patch(&format!("{SITE}/mappings/{id}"), &json!({ "enabled": false }));
        assert_eq!(apply(app, &path).status, 409);
        let (path, _) = ready(app, &app.get(&path).json["changes"]);
        assert_eq!(apply(app, &path).status, 200);
        let mapping = app.get(&format!("{SITE}/mappings/{id}")).json;
        assert_eq!((&mapping["level"], &mapping["enabled"]), (&json!("tin"), &json!(false)));
        assert_eq!(ready(app, &json!([{ "op": "set_policy", "policy": null }])).1["changes"][0]["policy"], Value::Null);
        assert_eq!(ready(app, &json!([{ "op": "ignore_product", "product_id": 501 }])).1["changes"], json!([{ "op": "ignore_product", "product_id": "501" }]));
    }

    fn a_member_who_has_several_of_the_products_is_counted_once(app: &TestApp) {
        three(app);
        app.receives(Ipn::new("sale", 11).product("502").of("dana@x.example").body());
        app.drain();
        app.level("gold");
        let gives = |product: &str| json!({ "op": "create_mapping", "mapping": { "product_id": product, "level": "gold" } });
        let (path, plan) = ready(app, &json!([gives("501"), gives("502")]));
        assert_eq!(plan["total"], 3, "dana, eva and finn");
        assert_eq!(apply(app, &path).status, 200);
    }

    fn a_move_is_a_level_that_is_kept_with_another_end(app: &TestApp) {
        three(app);
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let changes = json!([{ "op": "update_mapping", "id": id, "mapping": { "policy": { "duration_days": 365 } } }]);
        let (path, plan) = ready(app, &changes);
        assert_eq!(counts(&plan), [0, 0, 1]);
        let step = &members(app, &path, "?what=move")[0];
        assert_eq!(step["before"], json!({ "until": null }));
        assert_eq!(apply(app, &path).status, 200);
        assert_eq!(app.access_of("dana@x.example")["levels"][0]["until"], step["after"]["until"]);
        assert_eq!(app.get(&format!("{SITE}/mappings/{id}")).json["version"], 2);
    }

    fn the_plan_says_how_many_purchases_each_side_of_a_window_holds(app: &TestApp) {
        three(app);
        app.at(instant("2026-06-01T00:00:00Z"));
        app.receives(Ipn::new("sale", 4).of("gus@x.example").on("2026-05-20 12:00:00").body());
        app.drain();
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let cut = "2026-05-01T00:00:00Z";
        let changes = json!([
            { "op": "update_mapping", "id": id, "mapping": { "purchased_before": cut } },
            { "op": "create_mapping", "mapping": {
                "product_id": "501", "level": "gold", "purchased_from": cut, "policy": { "on_cancellation": "keep" } } },
        ]);
        let (_, plan) = ready(app, &changes);
        assert_eq!(counts(&plan), [0, 0, 0], "the old buyers keep the old rule");
        let sides: Vec<_> = plan["windows"].as_array().expect("windows").iter()
            .map(|w| (w["purchased_from"].is_null(), w["purchases"].as_i64().expect("a count"))).collect();
        assert_eq!(sides, [(true, 3), (false, 1)]);
    }

    fn what_moves_meanwhile_makes_a_plan_stale_and_the_refusal_says_what(app: &TestApp) {
        three(app);
        gold(app);
        app.level("silver");
        let other = mapped(app, &json!({ "product_id": "777", "level": "silver" }));
        let change = json!([{ "op": "create_mapping", "mapping": { "product_id": "501", "level": "gold" } }]);
        let at = |what: &str, id: &str| json!([{ "what": what, "id": id, "level": null }]);
        let moves: [Moves<'_>; 5] = [
            ("mapping", Box::new(|| app.patch(&format!("{SITE}/mappings/{other}"), &json!({ "enabled": false }))), at("mapping", &other)),
            ("level", Box::new(|| app.post(&format!("{SITE}/levels"), &json!({ "id": "tin" }))), at("level", "tin")),
            ("policy", Box::new(|| app.patch(SITE, &json!({ "policy": { "on_refund": "keep" } }))), at("settings", "policy")),
            ("zone", Box::new(|| app.patch(SITE, &json!({ "kartra_time_zone": "UTC" }))), at("settings", "kartra_time_zone")),
            ("product", Box::new(|| app.patch(&format!("{SITE}/products/501"), &json!({ "ignored": true }))), at("product", "501")),
        ];
        for (name, moves, what) in moves {
            let (path, _) = ready(app, &change);
            let computing = planned(app, &change);
            let done = moves();
            assert!(done.status < 300, "{name}: {done:?}");
            for path in [path, computing] {
                moved(&apply(app, &path), &what);
                let plan = app.get(&path).json;
                assert_eq!((&plan["state"], &plan["moved"]), (&json!("stale"), &what), "{name}");
            }
        }
        // What plans are not computed from moves none of them.
        app.patch(&format!("{SITE}/products/501"), &json!({ "ignored": false }));
        let (path, _) = ready(app, &change);
        assert_eq!(app.patch(SITE, &json!({ "name": "Another name" })).status, 200);
        assert_eq!(apply(app, &path).status, 200);
    }

    fn whoever_gains_meanwhile_gains_and_nobody_loses_whom_the_plan_does_not_name(app: &TestApp) {
        three(app);
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let ends = json!([{ "op": "update_mapping", "id": id, "mapping": { "policy": { "trial": "wait" } } }]);
        // A sale that gains nothing by the plan, one that would gain all the same, and one that would lose.
        let (path, plan) = ready(app, &ends);
        assert_eq!(counts(&plan), [0, 0, 0]);
        app.receives(Ipn::new("sale", 11).of("gus@x.example").body());
        app.drain();
        assert_eq!(apply(app, &path).status, 200, "new gains pass");
        assert_eq!(app.levels_of("gus@x.example"), ["gold"]);

        let gone = json!([{ "op": "delete_mapping", "id": id }]);
        let (path, plan) = ready(app, &gone);
        assert_eq!(counts(&plan), [0, 2, 0]);
        app.receives(Ipn::new("sale", 12).of("hal@x.example").body());
        app.drain();
        let hal = json!([{ "what": "member", "id": "hal@x.example", "level": "gold" }]);
        moved(&apply(app, &path), &hal);
        assert_eq!(app.levels_of("hal@x.example"), ["gold"], "nothing of it has happened");
        // Made again, it names him; a loss that has come about by itself meanwhile is nobody's surprise.
        let (path, plan) = ready(app, &gone);
        assert_eq!(counts(&plan), [0, 3, 0]);
        app.receives(Ipn::new("refund", 12).of("hal@x.example").body());
        app.drain();
        assert_eq!(apply(app, &path).status, 200);
        assert!(app.levels_of("gus@x.example").is_empty());
    }

    fn an_end_that_moves_is_no_loss_that_was_seen(app: &TestApp) {
        three(app);
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold", "policy": { "on_refund": "keep" } }));
        let shorter = json!([{ "op": "update_mapping", "id": id, "mapping": { "policy": { "duration_days": 365 } } }]);
        let (path, plan) = ready(app, &shorter);
        // finn's refund is kept by the policy that there is, and would not be by the planned one.
        assert_eq!(counts(&plan), [0, 1, 1]);
        app.receives(Ipn::new("refund", 1).of("dana@x.example").body());
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        moved(&apply(app, &path), &json!([{ "what": "member", "id": "dana@x.example", "level": "gold" }]));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn time_that_passes_is_no_surprise_but_what_it_brings_is(app: &TestApp) {
        three(app);
        app.level("gold");
        let id = mapped(app, &json!({ "product_id": "501", "level": "gold" }));
        let dana = format!("{SITE}/members/dana@x.example");
        let block = json!({ "level": "gold", "until": "2026-02-01T00:00:00Z" });
        assert_eq!(app.post(&format!("{dana}/blocks"), &block).status, 201);
        let (path, plan) = ready(app, &json!([{ "op": "delete_mapping", "id": id }]));
        assert_eq!(counts(&plan), [0, 0, 0], "she is blocked either way");
        // The block ends by itself: now she would lose what the plan does not name.
        app.clock.set(instant("2026-02-01T12:00:00Z"));
        let her = json!([{ "what": "member", "id": "dana@x.example", "level": "gold" }]);
        moved(&apply(app, &path), &her);
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        // Nobody has to apply a plan that has become old.
        let (path, _) = ready(app, &json!([{ "op": "delete_mapping", "id": id }]));
        app.at(instant("2026-02-03T00:00:00Z"));
        moved(&apply(app, &path), &json!([{ "what": "age", "id": "24 hours", "level": null }]));
        app.at(instant("2026-04-01T00:00:00Z"));
        problem(&app.get(&path), 404, "not-found");
        assert_eq!(app.get(&format!("{SITE}/plans")).json["items"], json!([]));
    }

    fn a_plan_that_is_not_ready_is_not_applied_and_the_oldest_of_too_many_is_given_up(app: &TestApp) {
        three(app);
        app.level("gold");
        let change = json!([{ "op": "create_mapping", "mapping": { "product_id": "501", "level": "gold" } }]);
        let first = planned(app, &change);
        problem(&apply(app, &first), 409, "conflict");
        assert!(app.get(&format!("{first}/members")).json["items"].as_array().expect("items").is_empty());
        let more: Vec<String> = (0..10).map(|_| planned(app, &change)).collect();
        app.drain();
        assert_eq!(app.get(&first).json["state"], "stale");
        assert!(more.iter().all(|path| app.get(path).json["state"] == "ready"));
        let listed = app.get(&format!("{SITE}/plans?limit=500")).json["items"].clone();
        let ids: Vec<&str> = listed.as_array().expect("items").iter().map(|p| p["id"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), 11);
        assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
        assert_eq!(apply(app, &more[3]).status, 200);
        assert!(more.iter().filter(|path| **path != more[3]).all(|path| app.get(path).json["state"] == "stale"));
    }

    fn what_a_plan_cannot_be_is_told_with_its_place(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let mapping = app.get(&format!("{SITE}/mappings")).json["items"][0]["id"].as_str().expect("an id").to_owned();
        let make = |product: &str, level: &str| json!({ "op": "create_mapping", "mapping": { "product_id": product, "level": level } });
        let rows = [
            (json!([]), "/changes"),
            (json!([{}]), "/changes/0"),
            (json!([{ "op": "explode" }]), "/changes/0/op"),
            (json!([make("1", "nowhere")]), "/changes/0/mapping/level"),
            (json!([{ "op": "create_mapping", "mapping": { "level": "gold" } }]), "/changes/0/mapping"),
            (json!([{ "op": "create_mapping", "mapping": { "product_id": 1, "level": "gold", "enabled": "x" } }]), "/changes/0/mapping/enabled"),
            (json!([{ "op": "create_mapping", "mapping": { "product_id": "a b", "level": "gold" } }]), "/changes/0/mapping/product_id"),
            (json!([make("1", "gold"), make("1", "gold")]), "/changes/1/mapping"),
            (json!([make(PRODUCT, "gold")]), "/changes/0/mapping"),
            (json!([{ "op": "create_mapping" }]), "/changes/0/mapping"),
            (json!([{ "op": "create_mapping", "id": "x", "mapping": {} }]), "/changes/0/id"),
            (json!([{ "op": "update_mapping", "mapping": {} }]), "/changes/0/id"),
            (json!([{ "op": "update_mapping", "id": "x", "mapping": {} }]), "/changes/0/id"),
            (json!([{ "op": "update_mapping", "id": mapping, "mapping": { "surprise": 1 } }]), "/changes/0/mapping/surprise"),
            (json!([{ "op": "delete_mapping", "id": mapping }, { "op": "delete_mapping", "id": mapping }]), "/changes/1/id"),
            (json!([{ "op": "set_policy" }]), "/changes/0/policy"),
            (json!([{ "op": "set_policy", "policy": { "on_refund": "perhaps" } }]), "/changes/0/policy/on_refund"),
            (json!([{ "op": "set_policy", "policy": { "duration_days": 0 } }]), "/changes/0/policy/duration_days"),
            (json!([{ "op": "create_level", "level": { "id": "gold" } }]), "/changes/0/level/id"),
            (json!([{ "op": "create_level", "level": { "id": "No slug" } }]), "/changes/0/level/id"),
            (json!([{ "op": "create_level" }]), "/changes/0/level"),
            (json!([{ "op": "ignore_product", "product_id": PRODUCT }]), "/changes/0/product_id"),
            (json!([{ "op": "ignore_product", "product_id": "31337" }]), "/changes/0/product_id"),
            (json!([{ "op": "ignore_product" }]), "/changes/0/product_id"),
        ];
        for (changes, pointer) in rows {
            let reply = app.post(&format!("{SITE}/plans"), &json!({ "changes": changes }));
            problem(&reply, 422, "invalid");
            assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{changes}: {reply:?}");
        }
        // What only this plan makes has no id that anybody could look up.
        let twice = app.post(&format!("{SITE}/plans"), &json!({ "changes": [make("8", "gold"), make("8", "gold")] }));
        problem(&twice, 422, "invalid");
        let fault = &twice.json["errors"][0];
        assert_eq!(fault["pointer"], "/changes/1/mapping", "{twice:?}");
        assert!(fault["detail"].as_str().expect("words").starts_with("Another change of this plan"), "{twice:?}");
        let both = json!([{ "op": "delete_mapping", "id": mapping }, { "op": "ignore_product", "product_id": PRODUCT }]);
        let (path, plan) = ready(app, &both);
        assert_eq!(counts(&plan), [0, 1, 0]);
        assert_eq!(apply(app, &path).status, 200);
        assert_eq!(app.get(&format!("{SITE}/products/{PRODUCT}")).json["status"], "ignored");
        // Mapping it in a plan ends the ignoring, as it does elsewhere.
        let (path, _) = ready(app, &json!([make(PRODUCT, "gold")]));
        assert_eq!(apply(app, &path).status, 200);
        assert_eq!(app.get(&format!("{SITE}/products/{PRODUCT}")).json["status"], "mapped");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }
}
