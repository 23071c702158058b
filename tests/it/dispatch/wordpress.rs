//! The whole way, from Kartra's webhook to a real WordPress and back.

use super::{SITE, carry, carry_after, gives_back, makes, on_both, push_of};
use crate::support::wordpress::Wordpress;
use crate::support::{ADMIN_KEY, Ipn, TestApp};
use chrono::TimeDelta;
use serde_json::json;

/// A destination of a real WordPress that knows the level under a role; answers its id.
fn site(app: &TestApp, wordpress: &Wordpress, role: &str) -> String {
    wordpress.add_roles(&[role]);
    let made = makes(
        app,
        &json!({
            "kind": "wordpress", "name": "The club", "config": wordpress.config(),
            "levels": [{ "level": "gold", "remote": role }],
            "limits": { "calls_per_second": 100, "concurrency": 4 },
        }),
    );
    made["id"].as_str().expect("an id").to_owned()
}

/// What tells two runs of a story apart, as they share one WordPress.
fn of_this_run(app: &TestApp) -> &'static str {
    if app.database_url.starts_with("sqlite") { "s" } else { "p" }
}

fn pays(app: &TestApp, kind: &str, id: u32, email: &str, subscription: u32) {
    let reply = app.receives(Ipn::new(kind, id).of(email).subscription(subscription).body());
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn a_buyer_gets_an_account_a_role_and_one_mail_and_loses_the_role_with_the_refund() {
    let Some(wordpress) = Wordpress::shared() else { return };
    on_both(|app| {
        let run = of_this_run(app);
        let (role, buyer) = (format!("whole_gold_{run}"), format!("whole-{run}@club.example"));
        let id = site(app, wordpress, &role);
        let tested = app.post(&format!("{SITE}/destinations/{id}/test"), &json!({}));
        assert_eq!((tested.status, &tested.json["ok"]), (200, &json!(true)), "{tested:?}");
        pays(app, "sale", 1, &buyer, 7);
        carry(app);
        let roles = || wordpress.user(&buyer).expect("an account");
        assert_eq!(roles(), [role.as_str()]);
        assert_eq!(wordpress.mails_to(&buyer).len(), 1, "welcomed");
        // Somebody else gives a role, too.
        wordpress.changes(&buyer, "add_role", "contributor");
        gives_back(app, 7, &buyer);
        carry_after(app, TimeDelta::seconds(1));
        assert_eq!(roles(), ["contributor"], "only what was ours is gone");
        pays(app, "rebill", 2, &buyer, 7);
        carry_after(app, TimeDelta::seconds(1));
        let mut regained = roles();
        regained.sort();
        assert_eq!(regained, ["contributor", role.as_str()]);
        // Everybody is pushed again: nobody is made or welcomed twice.
        let path = format!("{SITE}/destinations/{id}/resync");
        let resync = app.request("POST", &path, |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!(resync.status, 202, "{resync:?}");
        carry_after(app, TimeDelta::seconds(1));
        assert_eq!((wordpress.count(&buyer), wordpress.mails_to(&buyer).len()), (1, 1));
        let push = push_of(app, &id, &buyer);
        assert_eq!((push.status.as_str(), push.last_error), ("done", None));
    });
}

#[test]
fn whom_the_site_refuses_is_failed_with_its_own_words_and_nobody_else_waits() {
    let Some(wordpress) = Wordpress::shared() else { return };
    on_both(|app| {
        let run = of_this_run(app);
        let role = format!("whole_refused_{run}");
        let id = site(app, wordpress, &role);
        let (editor, buyer) =
            (format!("editor-{run}@club.example"), format!("fine-{run}@club.example"));
        wordpress.add_user(&format!("wholeeditor{run}"), &editor, &["editor"]);
        pays(app, "sale", 1, &editor, 7);
        pays(app, "sale", 2, &buyer, 8);
        carry(app);
        let push = push_of(app, &id, &editor);
        assert_eq!(push.status, "failed");
        assert!(push.last_error.as_deref().is_some_and(|why| why.contains("editor")), "{push:?}");
        assert_eq!(wordpress.user(&editor).expect("an account"), ["editor"]);
        assert_eq!(push_of(app, &id, &buyer).status, "done");
        let failed = app.get(&format!("{SITE}/pushes?status=failed"));
        assert_eq!(failed.json["items"][0]["email"], editor.as_str(), "{failed:?}");
    });
}

#[test]
fn while_the_site_is_down_nothing_is_lost_and_a_revoke_is_red_until_it_is_true() {
    let Some(wordpress) = Wordpress::shared() else { return };
    on_both(|app| {
        let run = of_this_run(app);
        let (role, buyer) = (format!("whole_down_{run}"), format!("down-{run}@club.example"));
        wordpress.add_roles(&[&role]);
        let mut front = wordpress.front("", &[]);
        let made = makes(
            app,
            &json!({
                "kind": "wordpress", "name": "The club", "config": wordpress.config_by(&front.url()),
                "levels": [{ "level": "gold", "remote": role }],
                "limits": { "calls_per_second": 100, "concurrency": 4 },
            }),
        );
        let id = made["id"].as_str().expect("an id").to_owned();
        pays(app, "sale", 1, &buyer, 7);
        carry(app);
        assert_eq!(wordpress.user(&buyer).expect("an account"), [role.as_str()]);
        front.down();
        gives_back(app, 7, &buyer);
        carry_after(app, TimeDelta::seconds(1));
        let push = push_of(app, &id, &buyer);
        assert_eq!((push.status.as_str(), push.confirmed < Some(push.wanted)), ("retrying", true));
        let shown = app.get(&format!("{SITE}/pushes/{}", push.id));
        assert_eq!(shown.json["status"], "retrying", "{shown:?}");
        front.back();
        carry_after(app, TimeDelta::minutes(30));
        let push = push_of(app, &id, &buyer);
        assert_eq!((push.status.as_str(), push.confirmed), ("done", Some(push.wanted)));
        assert_eq!(wordpress.user(&buyer).expect("an account"), Vec::<String>::new());
    });
}
