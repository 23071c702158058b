//! Deleting a site: at once for everybody, row by row behind the scenes.

use super::bodies::sale;
use super::{SITE, each, gold, items, problem};
use crate::on_both_databases;
use crate::support::TestApp;
use chrono::TimeDelta;
use serde_json::json;

/// Whether any body of the site is stored.
fn has_bodies(app: &TestApp) -> bool {
    let first = |conn: &mut _| latchkey::store::ageing::first_received_at(conn, "default", "");
    app.app.store().read(first).expect("read").is_some()
}

on_both_databases! {
    fn a_site_is_deleted_only_when_its_id_is_written_out(app: &TestApp) {
        problem(&app.delete(SITE), 400, "malformed");
        problem(&app.delete(&format!("{SITE}?confirm=")), 400, "malformed");
        problem(&app.delete(&format!("{SITE}?confirm=other")), 400, "malformed");
        problem(&app.delete("/api/v1/sites/nowhere?confirm=nowhere"), 404, "not-found");
        assert_eq!(app.get(SITE).status, 200, "it is still there");
    }

    fn a_deleted_site_is_gone_for_everybody_with_all_that_belongs_to_it(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        let made = gold(app);
        let recompute = format!("{SITE}/recomputes/{}", made["recompute"]["id"].as_str().expect("an id"));
        assert_eq!(app.get(&recompute).status, 200);
        (1..=3).for_each(|number| {
            app.receives(sale(number, "dana@x.example").json());
        });
        app.drain();
        let hook = app.hook();
        let asked = json!({ "name": "of the site", "scopes": ["read"], "site": "default" });
        let key = app.post("/api/v1/keys", &asked).json["key"].as_str().expect("a key").to_owned();

        assert!(has_bodies(app));
        assert_eq!(app.delete(&format!("{SITE}?confirm=default")).status, 204);
        problem(&app.get(SITE), 404, "not-found");
        problem(&app.delete(&format!("{SITE}?confirm=default")), 404, "not-found");
        problem(&app.get(&format!("{SITE}/members")), 404, "not-found");
        problem(&app.get(&recompute), 404, "not-found");
        problem(&app.post_raw(&hook, sale(4, "dana@x.example").json()), 404, "not-found");
        let with_key = app.request("GET", "/api/v1/sites/other", |ask| ask.bearer_auth(&key));
        problem(&with_key, 401, "unauthorized");
        assert_eq!(each(&items(&app.get("/api/v1/sites")), "id"), ["other"]);

        // Its id is free again once the last row is gone, and what comes then begins with nothing.
        let again = json!({ "id": "default" });
        problem(&app.post("/api/v1/sites", &again), 409, "conflict");
        app.drain();
        assert!(!has_bodies(app), "bodies stand apart, and go all the same");
        problem(&app.post("/api/v1/sites", &again), 409, "conflict");
        app.at(app.clock.now() + TimeDelta::seconds(61));
        assert_eq!(app.post("/api/v1/sites", &again).status, 201);
        for list in ["webhooks", "members", "levels", "mappings", "products", "changes"] {
            assert!(items(&app.get(&format!("{SITE}/{list}"))).is_empty(), "{list}");
        }
        assert_ne!(app.hook(), hook);
    }
}
