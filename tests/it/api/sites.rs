//! `/sites`.

use super::bodies::{cancellation, sale};
use super::{
    SITE, applied, gold, honours_etags, items, made, next_good_webhook_is_applied, problem,
    refused_at,
};
use crate::on_both_databases;
use crate::support::instant;
use serde_json::json;

on_both_databases! {
    fn the_default_site_is_there_from_the_first_start(app: &TestApp) {
        let site = app.get(SITE).json;
        let url = site["webhook_url"].as_str().expect("a URL").to_owned();
        assert!(url.starts_with("http://127.0.0.1:") && url.contains("/hooks/kartra/"), "{url}");
        let next = site["connection"]["next_step"].as_str().expect("a next step").to_owned();
        assert!(next.contains("Paste webhook_url into Kartra"), "{next}");
        assert_eq!(site, json!({
            "id": "default", "name": "Default site", "kartra_time_zone": "America/New_York",
            "enabled": true, "webhook_url": url, "previous_webhook_urls_end_at": null, "ipn_secret_set": false, "policy": {},
            "max_revocations": { "count": 20, "percent": 20, "window_minutes": 60 },
            "connection": {
                "state": "waiting_for_first_webhook", "last_webhook_at": null,
                "feeds_seen": [], "next_step": next,
            },
            "alarms": {
                "url": null, "secret_set": false, "gone_at": null, "heartbeat_url": null, "held_hours": 24,
                "unmatched_hours": 1, "timers_late_minutes": 15, "overdue_days": 3, "off": [],
            },
            "created_at": app.clock.now(),
        }));
    }

    fn a_site_is_made_and_edited_and_owns_its_own_doors(app: &TestApp) {
        let reply = app.post("/api/v1/sites", &json!({
            "id": "second", "name": "Second", "kartra_time_zone": "Europe/Berlin",
        }));
        let site = made(app, &reply);
        assert_eq!(reply.header("location"), Some("/api/v1/sites/second"));
        assert_eq!((&site["name"], &site["kartra_time_zone"]), (&json!("Second"), &json!("Europe/Berlin")));
        let path = "/api/v1/sites/second";
        let edited = app.patch(path, &json!({ "name": "Zweite" }));
        assert_eq!((edited.status, &edited.json["name"]), (200, &json!("Zweite")));
        assert_eq!(edited.json["kartra_time_zone"], "Europe/Berlin", "a merge leaves the rest");
        assert_ne!(app.hook_of("second"), app.hook());

        gold(app);
        app.post_raw(&app.hook_of("second"), sale(1001, "dana@x.example").json());
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0], "it came to the other site");
        assert_eq!(items(&app.get(&format!("{path}/webhooks"))).len(), 1);
        assert_eq!(items(&app.get(&format!("{path}/levels"))).len(), 0);
        problem(&app.get(&format!("{path}/access?email=dana@x.example&level=gold")), 404, "not-found");
    }

    fn a_site_without_name_and_zone_has_the_defaults(app: &TestApp) {
        let site = app.post("/api/v1/sites", &json!({ "id": "s" })).json;
        assert_eq!((&site["name"], &site["kartra_time_zone"]), (&json!("s"), &json!("America/New_York")));
    }

    fn a_site_honours_etags(app: &TestApp) {
        honours_etags(app, SITE, &json!({ "name": "Other" }));
    }

    fn the_connection_says_when_kartra_was_heard_last(app: &TestApp) {
        app.clock.set(instant("2026-01-01T08:00:00Z"));
        applied(app, &sale(1001, "dana@x.example"));
        let connection = app.get(SITE).json["connection"].clone();
        assert_eq!(connection["state"], "receiving");
        assert_eq!(connection["last_webhook_at"], "2026-01-01T08:00:00Z");
        app.patch(SITE, &json!({ "enabled": false }));
        assert_eq!(app.get(SITE).json["connection"]["state"], "disabled");
    }

    fn the_policy_is_replaced_whole_and_reaches_what_was_there_before(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &cancellation(1002, 1001, "dana@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let kept = json!({ "on_cancellation": "keep", "duration_days": null });
        let set = app.patch(SITE, &json!({ "policy": kept }));
        assert_eq!((set.status, &set.json["policy"]), (200, &kept));
        let recompute = &set.json["recompute"];
        assert_eq!((&recompute["members"], &recompute["done"]), (&json!(1), &json!(1)));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);

        let other = json!({ "on_refund": "keep" });
        assert_eq!(app.patch(SITE, &json!({ "policy": other })).json["policy"], other, "not merged");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        assert_eq!(app.patch(SITE, &json!({ "policy": null })).json["policy"], json!({}));
        let changes = app.changes();
        let causes: Vec<&str> =
            changes.iter().map(|change| change["cause"]["kind"].as_str().expect("a kind")).collect();
        assert_eq!(causes, ["event", "event", "settings", "settings"]);
    }

    fn every_policy_is_given_back_as_it_was_set(app: &TestApp) {
        for policy in [
            json!({ "trial": "wait" }), json!({ "trial": "grant" }),
            json!({ "on_payment_failed": "keep" }), json!({ "on_payment_failed": { "grace_days": 0 } }),
            json!({ "on_cancellation": "period_end" }), json!({ "on_refund": "revoke_if_latest_payment" }),
            json!({ "on_partial_refund": { "revoke_at_percent": 100 } }), json!({ "on_chargeback": "block" }),
            json!({ "duration_days": 36_500 }), json!({ "billing_period": { "months": 1 } }),
            json!({ "billing_period": { "days": 30 } }), json!({ "billing_period": null }),
        ] {
            let set = app.patch(SITE, &json!({ "policy": policy }));
            assert_eq!((set.status, &set.json["policy"]), (200, &policy), "{set:?}");
            assert_eq!(app.get(SITE).json["policy"], policy);
        }
    }

    fn the_time_zone_says_when_kartra_dates_are(app: &TestApp) {
        gold(app);
        // 2025-12-01 09:00:00 on Kartra's clock.
        applied(app, &sale(1001, "dana@x.example"));
        assert_eq!(app.access_of("dana@x.example")["levels"][0]["since"], "2025-12-01T14:00:00Z");
        let set = app.patch(SITE, &json!({ "kartra_time_zone": "UTC" }));
        assert_eq!((set.status, &set.json["kartra_time_zone"]), (200, &json!("UTC")));
        assert_eq!(app.access_of("dana@x.example")["levels"][0]["since"], "2025-12-01T09:00:00Z");
    }

    fn what_cannot_be_a_site_is_refused(app: &TestApp) {
        gold(app);
        let cases = [
            (json!({}), ""), (json!({ "id": 1 }), "/id"), (json!({ "id": "A" }), "/id"),
            (json!({ "id": "a".repeat(64) }), "/id"), (json!({ "id": "a", "name": "" }), "/name"),
            (json!({ "id": "a", "name": "b".repeat(201) }), "/name"),
            (json!({ "id": "a", "kartra_time_zone": "Mars/Base" }), "/kartra_time_zone"),
            (json!({ "id": "a", "kartra_time_zone": "" }), "/kartra_time_zone"),
            (json!({ "id": "a", "kartra_time_zone": -5 }), "/kartra_time_zone"),
            (json!({ "id": "a", "enabled": true }), "/enabled"), (json!({ "id": "a", "x": 1 }), "/x"),
        ];
        for (body, pointer) in cases {
            println!("{body}");
            refused_at(&app.post("/api/v1/sites", &body), &[pointer]);
        }
        let all = json!({ "id": "A", "name": "", "kartra_time_zone": "x" });
        refused_at(&app.post("/api/v1/sites", &all), &["/id", "/name", "/kartra_time_zone"]);
        problem(&app.post("/api/v1/sites", &json!({ "id": "default" })), 409, "conflict");
        next_good_webhook_is_applied(app);
    }

    fn an_edit_that_is_wrong_anywhere_changes_nothing(app: &TestApp) {
        gold(app);
        let before = app.get(SITE).json;
        let cases = [
            (json!({ "id": "b" }), "/id"), (json!({ "webhook_url": "x" }), "/webhook_url"),
            (json!({ "name": null }), "/name"), (json!({ "name": "n", "enabled": "yes" }), "/enabled"),
            (json!({ "name": "n", "enabled": null }), "/enabled"), (json!({ "name": "n", "ipn_secret": "" }), "/ipn_secret"),
            (json!({ "ipn_secret": " " }), "/ipn_secret"), (json!({ "ipn_secret": 5 }), "/ipn_secret"),
            (json!({ "ipn_secret": "s".repeat(256) }), "/ipn_secret"),
            (json!({ "kartra_time_zone": "EST5EDT4" }), "/kartra_time_zone"),
            (json!({ "policy": [] }), "/policy"), (json!({ "policy": "keep" }), "/policy"),
            (json!({ "policy": { "on_refund": "sometimes" } }), "/policy/on_refund"),
            (json!({ "policy": { "on_moon": "keep" } }), "/policy/on_moon"),
            (json!({ "policy": { "on_payment_failed": { "grace_days": -1 } } }), "/policy/on_payment_failed/grace_days"),
            (json!({ "policy": { "on_payment_failed": { "grace_days": 36_501 } } }), "/policy/on_payment_failed/grace_days"),
            (json!({ "policy": { "on_partial_refund": { "revoke_at_percent": 101 } } }), "/policy/on_partial_refund/revoke_at_percent"),
            (json!({ "policy": { "on_partial_refund": { "revoke_at_percent": 0 } } }), "/policy/on_partial_refund/revoke_at_percent"),
            (json!({ "policy": { "duration_days": 0 } }), "/policy/duration_days"),
            (json!({ "policy": { "duration_days": 1.5 } }), "/policy/duration_days"),
            (json!({ "policy": { "duration_days": 4_294_967_296_u64 } }), "/policy/duration_days"),
            (json!({ "policy": { "billing_period": { "months": 0 } } }), "/policy/billing_period/months"),
            (json!({ "policy": { "billing_period": { "days": 1_000_000 } } }), "/policy/billing_period/days"),
        ];
        for (body, pointer) in cases {
            println!("{body}");
            refused_at(&app.patch(SITE, &body), &[pointer]);
            assert_eq!(app.get(SITE).json, before, "{body}");
        }
        problem(&app.patch("/api/v1/sites/nowhere", &json!({ "name": "n" })), 404, "not-found");
        next_good_webhook_is_applied(app);
    }
}
