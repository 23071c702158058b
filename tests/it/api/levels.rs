//! `/sites/{site}/levels`.

use super::bodies::{PRODUCT, sale};
use super::{
    SITE, applied, gold, honours_etags, items, made, next_good_webhook_is_applied, problem,
    refused_at, write_if,
};
use crate::on_both_databases;
use serde_json::json;

fn levels() -> String {
    format!("{SITE}/levels")
}

on_both_databases! {
    fn a_level_is_made_read_renamed_and_deleted(app: &TestApp) {
        let reply = app.post(&levels(), &json!({ "id": "gold", "name": "Gold members" }));
        let level = made(app, &reply);
        assert_eq!(level, json!({ "id": "gold", "name": "Gold members", "members": 0 }));
        assert_eq!(reply.header("location"), Some("/api/v1/sites/default/levels/gold"));

        let path = format!("{SITE}/levels/gold");
        let edited = app.patch(&path, &json!({ "name": "Gold \u{1f947}" }));
        assert_eq!((edited.status, &edited.json["name"]), (200, &json!("Gold \u{1f947}")));
        assert_eq!(app.patch(&path, &json!({})).json, edited.json, "a merge of nothing changes nothing");
        assert_eq!(items(&app.get(&levels())), [edited.json]);

        let gone = app.delete(&path);
        assert_eq!((gone.status, gone.text.as_str()), (204, ""));
        problem(&app.get(&path), 404, "not-found");
        problem(&app.patch(&path, &json!({ "name": "x" })), 404, "not-found");
        problem(&app.delete(&path), 404, "not-found");
        assert_eq!(items(&app.get(&levels())), [] as [serde_json::Value; 0]);
    }

    fn a_level_without_a_name_is_called_by_its_id(app: &TestApp) {
        let made = app.post(&levels(), &json!({ "id": "a-1_b", "name": null }));
        assert_eq!((made.status, &made.json["name"]), (201, &json!("a-1_b")));
    }

    fn a_level_counts_its_members(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "eva@x.example"));
        assert_eq!(app.get(&format!("{SITE}/levels/gold")).json["members"], 2);
    }

    fn a_level_honours_etags(app: &TestApp) {
        app.level("gold");
        let path = format!("{SITE}/levels/gold");
        honours_etags(app, &path, &json!({ "name": "Other" }));
        problem(&write_if(app, "DELETE", &path, "\"another\"", &json!(null)), 412, "changed-since");
        let tag = app.get(&path).header("etag").expect("an ETag").to_owned();
        assert_eq!(write_if(app, "DELETE", &path, &tag, &json!(null)).status, 204);
    }

    fn a_level_in_use_is_not_deleted(app: &TestApp) {
        let path = format!("{SITE}/levels/gold");
        let mapping = gold(app);
        problem(&app.delete(&path), 409, "conflict");
        let mapping = format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"));
        assert_eq!(app.patch(&mapping, &json!({ "enabled": false })).status, 200);
        problem(&app.delete(&path), 409, "conflict");
        assert_eq!(app.delete(&mapping).status, 204);
        for list in ["grants", "blocks"] {
            let of = format!("{SITE}/members/dana@x.example/{list}");
            let made = app.post(&of, &json!({ "level": "gold" }));
            assert_eq!(made.status, 201, "{made:?}");
            let refused = app.delete(&path);
            problem(&refused, 409, "conflict");
            assert!(refused.json["detail"].as_str().expect("words").contains("Remove those first"));
            assert_eq!(app.delete(made.header("location").expect("a Location")).status, 204);
        }
        assert_eq!(app.delete(&path).status, 204, "nothing uses it any more");
        gold(app);
        next_good_webhook_is_applied(app);
    }

    fn a_level_that_expired_overrides_name_is_not_in_use(app: &TestApp) {
        app.level("gold");
        let until = json!({ "level": "gold", "until": "2026-01-02T00:00:00Z" });
        assert_eq!(app.post(&format!("{SITE}/members/dana@x.example/grants"), &until).status, 201);
        assert_eq!(app.post(&format!("{SITE}/members/dana@x.example/blocks"), &until).status, 201);
        problem(&app.delete(&format!("{SITE}/levels/gold")), 409, "conflict");
        app.at(crate::support::instant("2026-01-02T00:00:00Z"));
        assert_eq!(app.delete(&format!("{SITE}/levels/gold")).status, 204);
    }

    fn what_cannot_be_a_level_is_refused(app: &TestApp) {
        gold(app);
        let over = "x".repeat(201);
        let cases = [
            (json!({}), ""), (json!({ "id": null }), "/id"), (json!({ "id": 7 }), "/id"),
            (json!({ "id": "" }), "/id"), (json!({ "id": "Gold" }), "/id"), (json!({ "id": "-a" }), "/id"),
            (json!({ "id": "a b" }), "/id"), (json!({ "id": "a/b" }), "/id"), (json!({ "id": "ä" }), "/id"),
            (json!({ "id": "a".repeat(64) }), "/id"), (json!({ "id": "a".repeat(100_000) }), "/id"),
            (json!({ "id": "a\u{0}" }), "/id"), (json!({ "id": "a", "name": "" }), "/name"),
            (json!({ "id": "a", "name": " " }), "/name"), (json!({ "id": "a", "name": over }), "/name"),
            (json!({ "id": "a", "name": "b\u{7}" }), "/name"), (json!({ "id": "a", "name": [] }), "/name"),
            (json!({ "id": "a", "colour": "red" }), "/colour"), (json!({ "id": "a", "members": 1 }), "/members"),
            (json!([]), ""), (json!("gold"), ""), (json!(null), ""),
        ];
        for (body, pointer) in cases {
            println!("{body}");
            refused_at(&app.post(&levels(), &body), &[pointer]);
        }
        refused_at(&app.post(&levels(), &json!({ "id": "A", "name": "" })), &["/id", "/name"]);
        problem(&app.post(&levels(), &json!({ "id": "gold" })), 409, "conflict");
        for (body, pointer) in [
            (json!({ "name": null }), "/name"), (json!({ "name": 1 }), "/name"),
            (json!({ "name": "" }), "/name"), (json!({ "id": "b" }), "/id"),
        ] {
            refused_at(&app.patch(&format!("{SITE}/levels/gold"), &body), &[pointer]);
        }
        assert_eq!(app.post(&levels(), &json!({ "id": "a".repeat(63), "name": "é".repeat(200) })).status, 201);
        let unknown = json!({ "product_id": PRODUCT, "level": "nonsense" });
        refused_at(&app.post(&format!("{SITE}/mappings"), &unknown), &["/level"]);
        next_good_webhook_is_applied(app);
    }
}
