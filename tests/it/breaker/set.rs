//! The setting `max_revocations`.

use super::SITE;
use crate::on_both_databases;
use serde_json::json;

on_both_databases! {
    fn it_is_merged_key_by_key_and_null_takes_it_off(app: &TestApp) {
        let set = |body: serde_json::Value| {
            let set = app.patch(SITE, &json!({ "max_revocations": body }));
            assert_eq!(set.status, 200, "{set:?}");
            assert_eq!(app.get(SITE).json["max_revocations"], set.json["max_revocations"]);
            set.json["max_revocations"].clone()
        };
        assert_eq!(set(json!({ "percent": 5 })), json!({ "count": 20, "percent": 5, "window_minutes": 60 }));
        assert_eq!(set(json!({ "count": 7, "window_minutes": 1440 })), json!({ "count": 7, "percent": 5, "window_minutes": 1440 }));
        assert_eq!(set(json!(null)), json!(null));
        assert_eq!(set(json!({})), json!({ "count": 20, "percent": 20, "window_minutes": 60 }));
        let untouched = app.patch(SITE, &json!({ "name": "Another" }));
        assert_eq!(untouched.json["max_revocations"]["count"], 20);
        let before = app.get(SITE).header("etag").expect("an ETag").to_owned();
        set(json!({ "count": 21 }));
        assert_ne!(app.get(SITE).header("etag"), Some(&*before));
    }

    fn a_new_site_has_it_unless_told_otherwise(app: &TestApp) {
        let make = |id: &str, more: serde_json::Value| {
            let mut body = json!({ "id": id });
            if !more.is_null() {
                body["max_revocations"] = more["is"].clone();
            }
            let made = app.post("/api/v1/sites", &body);
            assert_eq!(made.status, 201, "{made:?}");
            made.json["max_revocations"].clone()
        };
        let default = json!({ "count": 20, "percent": 20, "window_minutes": 60 });
        assert_eq!(make("plain", json!(null)), default);
        assert_eq!(make("off", json!({ "is": null })), json!(null));
        let own = json!({ "count": 3, "percent": 20, "window_minutes": 60 });
        assert_eq!(make("own", json!({ "is": { "count": 3 } })), own);
    }

    fn what_cannot_be_is_refused_with_its_key(app: &TestApp) {
        let before = app.get(SITE).json["max_revocations"].clone();
        for (wrong, pointer) in [
            (json!({ "count": 1_000_001 }), "/max_revocations/count"),
            (json!({ "count": -1 }), "/max_revocations/count"),
            (json!({ "percent": 101 }), "/max_revocations/percent"),
            (json!({ "percent": null }), "/max_revocations/percent"),
            (json!({ "window_minutes": 0 }), "/max_revocations/window_minutes"),
            (json!({ "window_minutes": 1441 }), "/max_revocations/window_minutes"),
            (json!({ "hours": 1 }), "/max_revocations/hours"),
            (json!([20, 20, 60]), "/max_revocations"),
            (json!("off"), "/max_revocations"),
        ] {
            for (method, path, body) in [
                ("PATCH", SITE, json!({ "max_revocations": wrong })),
                ("POST", "/api/v1/sites", json!({ "id": "other", "max_revocations": wrong })),
            ] {
                let key = crate::support::ADMIN_KEY;
                let refused = app.request(method, path, |r| r.bearer_auth(key).body(body.to_string()));
                assert_eq!(refused.status, 422, "{wrong}: {refused:?}");
                assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{wrong}: {refused:?}");
            }
        }
        assert_eq!(app.get(SITE).json["max_revocations"], before);
    }
}
