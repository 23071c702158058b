//! A person with another address keeps their account where that is vouched for.

use super::{SITE, carry, carry_after, makes, on_both, push_of};
use crate::support::ghost::{Ghost, KEY, Member};
use crate::support::{Ipn, TestApp};
use chrono::TimeDelta;
use serde_json::json;

const SECRET: &str = "the IPN secret of the site";

/// A site whose IPNs are vouched for, and a Ghost that has a label for its level; answers the destination's id.
fn site(app: &TestApp) -> (Ghost, String) {
    assert_eq!(app.patch(SITE, &json!({ "ipn_secret": SECRET })).status, 200);
    let ghost = Ghost::start_by(app.clock.clone());
    let made = makes(
        app,
        &json!({
            "kind": "ghost", "name": "Ghost",
            "config": { "url": ghost.url(), "admin_api_key": KEY },
            "levels": [{ "level": "gold", "remote": "Gold" }],
            "limits": { "calls_per_second": 1000, "concurrency": 4 },
        }),
    );
    let id = made["id"].as_str().expect("an id").to_owned();
    (ghost, id)
}

fn pays(app: &TestApp, kind: &str, id: u32, email: &str, vouched: bool) {
    let ipn = Ipn::new(kind, id).of(email).subscription(7).with("lead_id", 77);
    let ipn = ipn.on(&app
        .clock
        .now()
        .with_timezone(&chrono_tz::America::New_York)
        .format("%Y-%m-%d %H:%M:%S")
        .to_string());
    let secret = if vouched { SECRET } else { "" };
    let ipn = if vouched { ipn.with("secret_key", secret) } else { ipn };
    let reply = app.receives(ipn.body());
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn the_account_goes_on_under_the_new_address() {
    on_both(|app| {
        let (ghost, id) = site(app);
        pays(app, "sale", 1, "old@example.com", true);
        carry(app);
        let account = ghost.member("old@example.com");
        assert_eq!(account.labels, ["Gold"]);
        app.clock.set(app.clock.now() + TimeDelta::days(30));
        pays(app, "rebill", 2, "new@example.com", true);
        carry(app);
        carry_after(app, TimeDelta::minutes(2));
        let renamed = ghost.member("new@example.com");
        assert_eq!((&renamed.id, &renamed.labels), (&account.id, &vec!["Gold".to_owned()]));
        assert_eq!(ghost.state().members.len(), 1, "no second account");
        assert_eq!(ghost.state().mails, ["old@example.com"], "nobody is welcomed twice");
        let (old, new) =
            (push_of(app, &id, "old@example.com"), push_of(app, &id, "new@example.com"));
        assert_eq!((old.status.as_str(), old.remote_id), ("done", None));
        assert_eq!((new.status.as_str(), new.remote_id.as_deref()), ("done", Some(&*account.id)));
        // What went along is ours as it was before.
        app.clock.set(app.clock.now() + TimeDelta::days(1));
        pays(app, "refund", 3, "new@example.com", true);
        carry(app);
        assert_eq!(ghost.member("new@example.com").labels, Vec::<String>::new());
    });
}

#[test]
fn where_the_new_address_has_an_account_the_levels_move_between_the_two() {
    on_both(|app| {
        let (ghost, _) = site(app);
        let theirs = Member {
            email: "new@example.com".to_owned(),
            labels: vec!["VIP".to_owned()],
            status: "free".to_owned(),
            ..Member::default()
        };
        ghost.state().has(theirs);
        pays(app, "sale", 1, "old@example.com", true);
        carry(app);
        app.clock.set(app.clock.now() + TimeDelta::days(30));
        pays(app, "rebill", 2, "new@example.com", true);
        carry(app);
        carry_after(app, TimeDelta::minutes(2));
        assert_eq!(ghost.member("old@example.com").labels, Vec::<String>::new());
        let mut labels = ghost.member("new@example.com").labels;
        labels.sort();
        assert_eq!(labels, ["Gold", "VIP"]);
    });
}

#[test]
fn an_address_that_nobody_vouches_for_gets_nobodys_account() {
    on_both(|app| {
        let ghost = Ghost::start_by(app.clock.clone());
        makes(
            app,
            &json!({
                "kind": "ghost", "name": "Ghost",
                "config": { "url": ghost.url(), "admin_api_key": KEY },
                "levels": [{ "level": "gold", "remote": "Gold" }],
                "limits": { "calls_per_second": 1000, "concurrency": 4 },
            }),
        );
        pays(app, "sale", 1, "old@example.com", false);
        carry(app);
        app.clock.set(app.clock.now() + TimeDelta::days(30));
        pays(app, "rebill", 2, "new@example.com", false);
        carry(app);
        carry_after(app, TimeDelta::minutes(2));
        let (old, new) = (ghost.member("old@example.com"), ghost.member("new@example.com"));
        assert_ne!(old.id, new.id);
        assert_eq!((old.labels, new.labels), (Vec::new(), vec!["Gold".to_owned()]));
    });
}
