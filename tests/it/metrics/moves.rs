//! Each number moves when the thing happens.

use super::{LOOK_EVERY, scraped, scraped_anew, stands};
use crate::on_both_databases;
use crate::support::{Ipn, TestApp, instant};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use latchkey::store::StoreError;
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";

fn sql(app: &TestApp, statement: &str) {
    let done = app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(statement)?));
    done.expect("done");
}

fn sale(number: u32) -> Ipn {
    Ipn::new("sale", number).of(&format!("buyer-{number}@example.com")).on("2025-12-31 00:00:00")
}

fn received(feed: &str, reading: &str) -> String {
    format!("latchkey_webhooks_received_total{{feed=\"{feed}\",reading=\"{reading}\"}}")
}

fn of_status(status: &str) -> String {
    format!("latchkey_webhooks{{status=\"{status}\"}}")
}

on_both_databases! {
    fn what_comes_in_is_counted_by_feed_and_reading(app: &TestApp) {
        app.receives(sale(1).body());
        app.receives(sale(2).body());
        app.receives(Ipn::new("failed", 3).of("c@example.com").body());
        app.receives("neither");
        app.receives(r#"{"lead":{"id":1,"email":"d@example.com"},"action":"assign_tag","action_details":{}}"#);
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        app.receives(sale(4).body());
        let now = scraped(app);
        stands(&now, &received("ipn", "sale"), 2.0);
        stands(&now, &received("ipn", "payment_failed"), 1.0);
        stands(&now, &received("ipn", "rejected"), 1.0);
        stands(&now, &received("unknown", "unreadable"), 1.0);
        stands(&now, &received("outbound", "other"), 1.0);
        stands(&now, "latchkey_intake_commit_seconds_count", 6.0);
        stands(&now, "latchkey_intake_commit_webhooks_count", 6.0);
        stands(&now, "latchkey_intake_commit_webhooks_sum", 6.0);
    }

    fn what_is_refused_is_counted_by_reason(app: &TestApp) {
        let refused = |reason: &str| format!("latchkey_webhooks_refused_total{{reason=\"{reason}\"}}");
        let reasons = ["unknown_url", "too_large", "incomplete", "queue_full", "not_stored"];
        let first = scraped(app);
        reasons.iter().for_each(|reason| stands(&first, &refused(reason), 0.0));
        assert_eq!(app.post_raw("/hooks/kartra/nobodys", sale(1).body()).status, 404);
        assert_eq!(app.receives(vec![b'x'; 1024 * 1024 + 1]).status, 413);
        let hook = app.hook();
        sql(app, "ALTER TABLE webhooks RENAME TO hidden");
        assert_eq!(app.post_raw(&hook, sale(2).body()).status, 503);
        sql(app, "ALTER TABLE hidden RENAME TO webhooks");
        let now = scraped(app);
        stands(&now, &refused("unknown_url"), 1.0);
        stands(&now, &refused("too_large"), 1.0);
        stands(&now, &refused("not_stored"), 1.0);
        stands(&now, &refused("queue_full"), 0.0);
        stands(&now, "latchkey_intake_commit_seconds_count", 0.0);
    }

    fn each_batch_of_the_flow_is_timed_and_sized(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold", "policy": { "duration_days": 10 } }));
        let of = |what: &str, work: &str| format!("latchkey_flow_batch_{what}{{work=\"{work}\"}}");
        app.receives(sale(1).body());
        app.receives(sale(2).body());
        app.drain();
        let now = scraped(app);
        stands(&now, &of("size_count", "webhooks"), 1.0);
        stands(&now, &of("size_sum", "webhooks"), 2.0);
        stands(&now, &of("seconds_count", "webhooks"), 1.0);
        stands(&now, &of("seconds_count", "timers"), 0.0);
        app.at(instant("2026-02-01T00:00:00Z"));
        stands(&scraped(app), &of("size_sum", "timers"), 2.0);
        let before = scraped(app)[&of("size_sum", "recompute")];
        assert_eq!(app.patch(SITE, &json!({ "policy": { "trial": "wait" } })).status, 200);
        stands(&scraped(app), &of("size_sum", "recompute"), before + 2.0);
    }

    fn a_failure_is_counted_and_what_failed_is_told(app: &TestApp) {
        let failures = "latchkey_flow_failures_total{work=\"webhooks\"}";
        stands(&scraped(app), failures, 0.0);
        let hook = app.hook();
        sql(app, "ALTER TABLE purchases RENAME TO hidden");
        assert_eq!(app.post_raw(&hook, sale(1).body()).status, 200);
        app.drain();
        sql(app, "ALTER TABLE hidden RENAME TO purchases");
        let now = scraped_anew(app);
        stands(&now, failures, 2.0);
        stands(&now, &of_status("failed"), 1.0);
        app.drain();
        stands(&scraped_anew(app), &of_status("failed"), 0.0);
    }

    fn what_keeps_failing_has_waited_since_it_was_received(app: &TestApp) {
        let hook = app.hook();
        let received_at = app.clock.now();
        sql(app, "ALTER TABLE purchases RENAME TO hidden");
        app.post_raw(&hook, sale(1).body());
        app.post_raw(&hook, sale(2).body());
        for seconds in [0, 2, 10, 60, 300] {
            app.at(received_at + TimeDelta::seconds(seconds));
        }
        // What comes now waits as well, but not for as long.
        app.post_raw(&hook, sale(3).body());
        let now = scraped_anew(app);
        stands(&now, &of_status("failed"), 2.0);
        stands(&now, "latchkey_oldest_pending_seconds", 305.0);
        stands(&now, "latchkey_site_oldest_pending_seconds{site=\"default\"}", 305.0);
        sql(app, "ALTER TABLE hidden RENAME TO purchases");
        app.at(received_at + TimeDelta::hours(1));
        stands(&scraped_anew(app), "latchkey_oldest_pending_seconds", 0.0);
    }

    fn a_site_that_was_deleted_is_counted_no_more(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        app.post_raw(&app.hook_of("other"), sale(1).body());
        app.post_raw(&app.hook_of("other"), "neither");
        let now = scraped_anew(app);
        stands(&now, "latchkey_sites", 2.0);
        stands(&now, "latchkey_webhooks_pending", 1.0);
        stands(&now, &of_status("unreadable"), 1.0);
        assert_eq!(app.delete("/api/v1/sites/other?confirm=other").status, 204);
        let now = scraped_anew(app);
        stands(&now, "latchkey_sites", 1.0);
        stands(&now, "latchkey_webhooks_pending", 0.0);
        stands(&now, &of_status("unreadable"), 0.0);
        assert!(!now.contains_key("latchkey_site_webhooks_pending{site=\"other\"}"));
    }

    fn what_waits_and_what_needs_somebody_is_told(app: &TestApp) {
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" })).status, 200);
        app.receives(sale(1).body());
        app.receives(Ipn::new("refund", 2).of("b@example.com").subscription(9).body());
        app.receives("neither");
        app.receives(sale(3).with("secret_key", "wrong").body());
        let now = scraped_anew(app);
        stands(&now, "latchkey_webhooks_pending", 2.0);
        stands(&now, "latchkey_oldest_pending_seconds", 5.0);
        stands(&now, "latchkey_site_webhooks_pending{site=\"default\"}", 2.0);
        app.drain();
        let now = scraped_anew(app);
        stands(&now, "latchkey_webhooks_pending", 0.0);
        stands(&now, "latchkey_oldest_pending_seconds", 0.0);
        for status in ["held", "unmatched", "unreadable", "rejected"] {
            stands(&now, &of_status(status), 1.0);
            let of_site = format!("latchkey_site_webhooks{{site=\"default\",status=\"{status}\"}}");
            stands(&now, &of_site, 1.0);
        }
        stands(&now, &of_status("failed"), 0.0);
    }

    fn a_late_timer_is_told_by_how_late_it_is(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold", "policy": { "duration_days": 10 } }));
        app.receives(sale(1).body());
        app.drain();
        let late = "latchkey_timers_late_seconds";
        // 31 December 00:00 in New York and ten days.
        let end = instant("2026-01-10T05:00:00Z");
        app.clock.set(end);
        stands(&scraped(app), late, 0.0);
        app.clock.set(end + TimeDelta::seconds(90));
        stands(&scraped(app), late, 90.0);
        // Nothing is worked on at a disabled site, so nothing is late there.
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        stands(&scraped_anew(app), late, 0.0);
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        app.drain();
        stands(&scraped_anew(app), late, 0.0);
    }

    fn pushes_that_are_not_done_are_counted_and_destinations_by_how_they_stand(app: &TestApp) {
        let pushes = |status: &str| format!("latchkey_pushes{{status=\"{status}\"}}");
        let destinations = |state: &str| format!("latchkey_destinations{{state=\"{state}\"}}");
        let first = scraped(app);
        ["pending", "retrying", "failed"].iter().for_each(|status| stands(&first, &pushes(status), 0.0));
        ["ok", "paused", "broken"].iter().for_each(|state| stands(&first, &destinations(state), 0.0));
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        let config = json!({ "url": "https://a.example/in", "types": ["access.changed"] });
        for enabled in [true, true, false] {
            let asked = json!({ "kind": "webhook", "name": "x", "config": config, "enabled": enabled });
            assert_eq!(app.post(&format!("{SITE}/destinations"), &asked).status, 201);
        }
        app.receives(sale(1).body());
        app.receives(sale(2).body());
        app.drain();
        let now = scraped_anew(app);
        stands(&now, &pushes("pending"), 6.0);
        stands(&now, &destinations("ok"), 2.0);
        sql(app, "UPDATE destinations SET state = 'broken' WHERE enabled");
        sql(app, "UPDATE pushes SET status = 'failed' WHERE email = 'buyer-1@example.com'");
        let now = scraped_anew(app);
        stands(&now, &pushes("pending"), 3.0);
        stands(&now, &pushes("failed"), 3.0);
        stands(&now, &destinations("ok"), 0.0);
        stands(&now, &destinations("broken"), 2.0);
    }

    fn a_request_is_counted_by_its_route_and_never_by_its_path(app: &TestApp) {
        let of = |route: &str, method: &str, status: &str| {
            format!("latchkey_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
        };
        app.get("/api/v1/sites/default/members/dana@x.example/access");
        app.get("/api/v1/sites/default/members/erin@x.example/access");
        app.get("/api/v1/sites/nowhere");
        app.request("GET", "/api/v1/keys", |request| request);
        app.get("/dana@x.example");
        app.request("BREW", "/livez", |request| request);
        app.request("HEAD", "/livez", |request| request);
        let now = scraped(app);
        stands(&now, &of("/api/v1/sites/{site}/members/{member}/access", "GET", "2xx"), 2.0);
        stands(&now, &of("/api/v1/sites/{site}", "GET", "4xx"), 1.0);
        stands(&now, &of("/api/v1/keys", "GET", "4xx"), 1.0);
        stands(&now, &of("other", "GET", "4xx"), 1.0);
        stands(&now, &of("/livez", "other", "4xx"), 1.0);
        stands(&now, &of("/livez", "GET", "2xx"), 1.0);
    }

    fn a_scraper_in_a_hurry_costs_the_database_nothing(app: &TestApp) {
        stands(&scraped(app), "latchkey_webhooks_pending", 0.0);
        app.receives(sale(1).body());
        app.clock.set(app.clock.now() + LOOK_EVERY - TimeDelta::microseconds(1));
        stands(&scraped(app), "latchkey_webhooks_pending", 0.0);
        app.clock.set(app.clock.now() + TimeDelta::microseconds(1));
        stands(&scraped(app), "latchkey_webhooks_pending", 1.0);
    }

    fn a_database_that_cannot_be_asked_is_told_as_well(app: &TestApp) {
        app.receives(sale(1).body());
        stands(&scraped(app), "latchkey_database_up", 1.0);
        sql(app, "ALTER TABLE webhooks RENAME TO hidden");
        let now = scraped_anew(app);
        sql(app, "ALTER TABLE hidden RENAME TO webhooks");
        stands(&now, "latchkey_database_up", 0.0);
        stands(&now, &received("ipn", "sale"), 1.0);
        assert!(!now.contains_key(&of_status("held")), "what is not known is not told");
        stands(&scraped_anew(app), "latchkey_database_up", 1.0);
    }
}
