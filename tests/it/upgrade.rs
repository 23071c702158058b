//! An upgrade rehearsed with a core that is changed on purpose: nobody's access moves before the yes.

use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Ipn, Reply, TestApp};
use latchkey::core::grant::{Core, Folded, Rules};
use latchkey::core::purchase::{Purchase, Status};
use latchkey::core::stretch::Stretch;
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";
const EVERYBODY: [&str; 4] = ["dana@x.example", "eva@x.example", "finn@x.example", "gus@x.example"];

/// Gives back what a cancellation has ended, and nothing for price point 2.
fn changed(purchase: &Purchase, rules: Rules<'_>) -> Option<Folded> {
    let mut folded = (Core::CURRENT.judge)(purchase, rules)?;
    let two = folded.price_point.as_deref() == Some("2");
    folded.grants.retain(|_| !two);
    if folded.status == Status::Canceled {
        for grant in &mut folded.grants {
            grant.end = None;
            grant.stretches = vec![Stretch { from: purchase.started_at, until: None }];
        }
    }
    Some(folded)
}

fn next(judge: fn(&Purchase, Rules<'_>) -> Option<Folded>) -> Core {
    Core { version: Core::CURRENT.version + 1, judge }
}

/// dana pays on, eva has cancelled, finn bought price point 2, gus pays on.
fn four(app: &TestApp) {
    app.level("gold");
    app.map(&json!({ "product_id": "501", "level": "gold" }));
    for (number, email) in (1..).zip(EVERYBODY) {
        let price_point = if number == 3 { "2" } else { "1" };
        let sale = Ipn::new("sale", number).of(email).with("product_price_point", price_point);
        app.receives(sale.subscription(100 + number).body());
    }
    app.receives(Ipn::new("cancellation", 11).of(EVERYBODY[1]).subscription(102).body());
    app.drain();
    assert_eq!(held(app), [true, false, true, true]);
}

/// Who holds the level, at the door and in the answer that says why.
fn held(app: &TestApp) -> [bool; 4] {
    EVERYBODY.map(|email| {
        let door =
            app.get(&format!("{SITE}/access?email={email}&level=gold")).json["allowed"].clone();
        let why = app.levels_of(email) == ["gold"];
        assert_eq!(door, why, "{email}");
        why
    })
}

fn plans(app: &TestApp) -> Vec<Value> {
    app.get(&format!("{SITE}/plans")).json["items"].as_array().expect("items").clone()
}

fn apply(app: &TestApp, plan: &Value) -> Reply {
    let path = format!("{SITE}/plans/{}/apply", plan["id"].as_str().expect("an id"));
    app.request("POST", &path, |request| request.bearer_auth(ADMIN_KEY))
}

on_both_databases! {
    fn nobody_s_access_moves_before_the_yes_and_then_exactly_what_was_seen(app: &TestApp) {
        four(app);
        let feed = app.changes().len();
        let new = app.beside_as(&[], Some(next(changed)));
        new.drain();
        assert_eq!((held(&new), new.changes().len()), ([true, false, true, true], feed), "nothing has moved");
        let plan = plans(&new).pop().expect("a plan");
        let counts = ["kind", "state", "total", "gains", "losses", "moves"].map(|key| plan[key].clone());
        assert_eq!(json!(counts), json!(["upgrade", "ready", 4, 1, 1, 0]));
        let steps = new.get(&format!("{SITE}/plans/{}/members", plan["id"].as_str().expect("an id"))).json["items"].clone();
        assert_eq!(steps, json!([
            { "email": EVERYBODY[1], "level": "gold", "before": null, "after": { "until": null } },
            { "email": EVERYBODY[2], "level": "gold", "before": { "until": null }, "after": null },
        ]));

        // New events are answered with the new rules, for whom they concern; an edit has the plan look again.
        new.receives(Ipn::new("rebill", 21).of(EVERYBODY[3]).subscription(104).with("product_price_point", "2").body());
        new.drain();
        assert_eq!(held(&new), [true, false, true, false]);
        new.level("silver");
        new.drain();
        let plan = plans(&new).pop().expect("a plan");
        let counts = ["kind", "state", "gains", "losses"].map(|key| plan[key].clone());
        assert_eq!(json!(counts), json!(["upgrade", "ready", 1, 1]));

        let applied = apply(&new, &plan);
        assert_eq!(applied.status, 200, "{applied:?}");
        assert_eq!(held(&new), [true, true, false, false]);
        let told: Vec<Value> = new.changes().into_iter().skip(feed + 1).map(|c| c["cause"].clone()).collect();
        let version = Core::CURRENT.version + 1;
        assert_eq!(told, vec![json!({ "kind": "upgrade", "id": version.to_string() }); 2]);
        new.is_as_the_events_say();
        assert_eq!(plans(&new).len(), 1);
        finally_as_it_was(app, new);
    }

    fn an_older_process_leaves_the_site_to_the_newer_one(app: &TestApp) {
        four(app);
        let new = app.beside_as(&[], Some(next(changed)));
        new.drain();
        // It stores what it is sent, and applies nothing; what is written to it is refused with a word on what to do.
        assert_eq!(app.receives(Ipn::new("refund", 31).of(EVERYBODY[0]).subscription(101).body()).status, 200);
        app.drain();
        assert_eq!(held(app), [true, false, true, true]);
        assert_eq!(app.get(&format!("{SITE}/webhooks?status=pending")).json["items"].as_array().expect("items").len(), 1);
        let refused = app.post(&format!("{SITE}/levels"), &json!({ "id": "silver" }));
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.json["detail"].as_str().expect("words").contains("A newer version of Latchkey"), "{refused:?}");
        new.drain();
        assert_eq!(held(app), [false, false, true, true]);
        assert_eq!(apply(&new, &plans(&new).pop().expect("a plan")).status, 200);
        new.is_as_the_events_say();
        finally_as_it_was(app, new);
    }

    fn what_the_older_core_has_shown_or_left_to_do_waits_for_the_same_yes(app: &TestApp) {
        four(app);
        let mappings = app.get(&format!("{SITE}/mappings")).json;
        let id = mappings["items"][0]["id"].as_str().expect("an id");
        let edit = json!({ "policy": { "duration_days": 3650 } });
        let change = json!({ "op": "update_mapping", "id": id, "mapping": edit });
        let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": [change] }));
        let plan = made.header("location").expect("a Location").to_owned();
        app.drain();
        assert_eq!(app.get(&plan).json["state"], "ready");
        // The upgrade comes before anybody has applied it …
        let new = app.beside_as(&[], Some(next(changed)));
        new.drain();
        let version = (Core::CURRENT.version + 1).to_string();
        let refused = new.request("POST", &format!("{plan}/apply"), |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!((refused.status, &refused.json["moved"][0]["what"]), (409, &json!("core")), "{refused:?}");
        assert_eq!(refused.json["moved"][0]["id"], version);
        // … and the next one while an edit is still being computed: what is left of it is no way around the yes.
        assert_eq!(apply(&new, &plans(&new)[0]).status, 200);
        drop(new);
        let middle = Core { version: Core::CURRENT.version + 1, judge: changed };
        let middle = app.beside_as(&[("flow.inline_members_max", "1"), ("flow.batch_purchases_max", "1")], Some(middle));
        assert_eq!(held(&middle), [true, true, false, true]);
        let edited = middle.patch(&format!("{SITE}/mappings/{id}"), &json!({ "policy": { "trial": "wait" } }));
        assert_eq!(edited.status, 202, "{edited:?}");
        drop(middle);
        let last = Core { version: Core::CURRENT.version + 2, judge: Core::CURRENT.judge };
        let last = app.beside_as(&[], Some(last));
        last.drain();
        assert_eq!(held(&last), [true, true, false, true], "nobody has said yes");
        let plan = plans(&last).into_iter().find(|plan| plan["state"] == "ready").expect("a plan");
        assert_eq!((&plan["gains"], &plan["losses"]), (&json!(1), &json!(1)), "{plan}");
        assert_eq!(apply(&last, &plan).status, 200);
        assert_eq!(held(&last), [true, false, true, true]);
        last.is_as_the_events_say();
        drop(last);
        let again = Core { version: Core::CURRENT.version + 3, judge: Core::CURRENT.judge };
        app.beside_as(&[], Some(again)).is_as_the_events_say();
    }

    fn a_version_that_answers_alike_asks_nobody(app: &TestApp) {
        four(app);
        let feed = app.changes().len();
        let new = app.beside_as(&[], Some(next(Core::CURRENT.judge)));
        new.is_as_the_events_say();
        assert_eq!(plans(&new)[0]["state"], "applied");
        assert_eq!((held(&new), new.changes().len()), ([true, false, true, true], feed));
        finally_as_it_was(app, new);
    }

    fn a_setting_says_yes_beforehand(app: &TestApp) {
        four(app);
        let new = app.beside_as(&[("flow.upgrades", "apply")], Some(next(changed)));
        new.is_as_the_events_say();
        assert_eq!(plans(&new)[0]["state"], "applied");
        assert_eq!(held(&new), [true, true, false, true]);
        finally_as_it_was(app, new);
    }

    fn what_came_since_is_looked_at_again_when_the_upgrade_is_applied(app: &TestApp) {
        four(app);
        let new = app.beside_as(&[], Some(next(changed)));
        new.drain();
        let plan = plans(&new).pop().expect("a plan");
        // finn is given the level by hand: the upgrade takes nothing from him any more.
        let grant = json!({ "level": "gold", "note": "a friend" });
        assert_eq!(new.post(&format!("{SITE}/members/{}/grants", EVERYBODY[2]), &grant).status, 201);
        // Whom the new core has answered already loses nothing by the plan.
        new.receives(Ipn::new("sale", 41).of("hal@x.example").with("product_price_point", "2").body());
        new.drain();
        assert_eq!(new.levels_of("hal@x.example"), Vec::<String>::new());
        assert_eq!(apply(&new, &plan).status, 200);
        assert_eq!(held(&new), [true, true, true, true]);
        new.is_as_the_events_say();
        finally_as_it_was(app, new);
    }

    fn a_loss_that_the_upgrade_does_not_name_is_named_before_it_happens(app: &TestApp) {
        four(app);
        let blocks = format!("{SITE}/members/{}/blocks", EVERYBODY[2]);
        let block = app.post(&blocks, &json!({ "level": "gold" })).json["id"].as_str().expect("an id").to_owned();
        let new = app.beside_as(&[], Some(next(changed)));
        new.drain();
        let plan = plans(&new).pop().expect("a plan");
        assert_eq!((&plan["gains"], &plan["losses"]), (&json!(1), &json!(0)), "finn is blocked either way");
        assert_eq!(new.delete(&format!("{blocks}/{block}")).status, 204);
        assert_eq!(held(&new), [true, false, true, true]);
        let refused = apply(&new, &plan);
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(refused.json["moved"], json!([{ "what": "member", "id": EVERYBODY[2], "level": "gold" }]));
        assert_eq!(held(&new), [true, false, true, true], "nothing of it has happened");
        new.drain();
        let plan = plans(&new).pop().expect("the same plan");
        assert_eq!((&plan["state"], &plan["gains"], &plan["losses"]), (&json!("ready"), &json!(1), &json!(1)));
        assert_eq!(apply(&new, &plan).status, 200);
        assert_eq!(held(&new), [true, true, false, true]);
        new.is_as_the_events_say();
        finally_as_it_was(app, new);
    }
}

/// The suite looks at what is recorded with the first process, which has to find its own version.
fn finally_as_it_was(app: &TestApp, new: TestApp) {
    drop(new);
    let again = app.beside_as(
        &[("flow.upgrades", "apply")],
        Some(Core { version: Core::CURRENT.version + 2, judge: Core::CURRENT.judge }),
    );
    again.is_as_the_events_say();
}
