//! Keys and sites in the console.

use super::story::HOSTILE;
use super::support::Console;
use crate::on_both_databases;
use crate::support::{Reply, TestApp};
use serde_json::json;

/// What the API answers to a key.
fn asks(app: &TestApp, key: &str, path: &str) -> Reply {
    app.request("GET", path, |request| request.bearer_auth(key))
}

/// The text that begins with `start`, as it stands on a page.
fn shown(html: &str, start: &str) -> String {
    let at = html.find(start).unwrap_or_else(|| panic!("no {start} in {html}"));
    html[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect()
}

on_both_databases! {
    fn a_key_is_made_shown_once_and_revoked(app: &TestApp) {
        let console = Console::sign_in(app);
        let fields = [("name", HOSTILE), ("scope", "support"), ("site", "default"), ("lasts", "30")];
        let made = console.form("/keys", &fields);
        assert_eq!(made.status, 200, "{}", made.text());
        assert!(made.reply.headers.get_all("set-cookie").iter().all(|it| !it.to_str().expect("text").contains("flash")));
        let key = shown(&made.html, "lk_");
        assert_eq!(asks(app, &key, "/api/v1/sites/default").status, 200);
        let page = console.get("/keys");
        assert!(page.says(HOSTILE) && !page.html.contains("<script>alert"), "{}", page.text());
        assert!(!page.html.contains(&key));
        let listed = app.get("/api/v1/keys").json["items"][0].clone();
        assert_eq!((&listed["scopes"], &listed["site"]), (&json!(["support"]), &json!("default")));
        assert_eq!(listed["expires_at"], "2026-01-31T00:00:00Z");
        let id = listed["id"].as_str().expect("an id");
        assert_eq!(console.form(&format!("/keys/{id}/revoke"), &[]).location, "/keys");
        assert_eq!(asks(app, &key, "/api/v1/sites/default").status, 401);
    }

    fn the_key_that_one_is_signed_in_with_is_marked_and_so_is_the_last_that_may_do_everything(app: &TestApp) {
        let settings = Console::sign_in(app).get("/keys");
        assert!(settings.says("first admin key the last admin key"), "{}", settings.text());
        assert!(settings.says("You are signed in with the key in the settings file"), "{}", settings.text());
        assert!(!settings.says("the key you are signed in with"), "{}", settings.text());
        let made = app.post("/api/v1/keys", &json!({ "name": "mine", "scopes": ["admin"] })).json;
        app.post("/api/v1/keys", &json!({ "name": "bound", "scopes": ["admin"], "site": "default" }));
        let console = Console::sign_in_with(app, made["key"].as_str().expect("a key"));
        let two = console.get("/keys");
        assert!(two.says("mine the key you are signed in with admin"), "{}", two.text());
        assert!(!two.says("the last admin key"), "there is another: {}", two.text());
        assert_eq!(two.text().matches("you are signed out").count(), 1, "{}", two.text());
        let first = app.get("/api/v1/keys").json["items"].as_array().expect("keys").last().expect("the first")["id"].clone();
        let first = first.as_str().expect("an id");
        assert_eq!(console.form_from("/keys", &format!("/keys/{first}/revoke"), &[]).location, "/keys");
        let one = console.get("/keys");
        assert!(one.says("mine the key you are signed in with the last admin key"), "{}", one.text());
        assert!(one.says("No other key of this list may do everything"), "{}", one.text());
        let mine = made["id"].as_str().expect("an id");
        let revoked = console.form_from("/keys", &format!("/keys/{mine}/revoke"), &[]);
        assert_eq!(revoked.location, "/sign-in");
        assert!(console.get("/sign-in").says("The key that you were signed in with is revoked."));
        assert_eq!(console.get("/keys").location, "/sign-in?next=%2Fkeys");
    }

    fn what_is_wrong_with_a_key_stands_beside_its_field(app: &TestApp) {
        let console = Console::sign_in(app);
        let refused = console.form("/keys", &[("name", " "), ("scope", "manage"), ("site", ""), ("lasts", "90")]);
        assert_eq!(refused.status, 422);
        assert!(refused.html.contains("id=\"name-error\""), "{}", refused.text());
        assert!(refused.html.contains("value=\"manage\" checked"), "what was chosen is kept");
        assert!(refused.html.contains("<option value=\"90\" selected>"));
        let keys = app.get("/api/v1/keys").json["items"].clone();
        assert_eq!(keys.as_array().map(Vec::len), Some(1), "there is the first key alone: {keys}");
    }

    fn who_may_not_make_keys_sees_none_and_who_is_bound_to_a_site_only_its_own(app: &TestApp) {
        let make = |name: &str, scope: &str, site: Option<&str>| {
            let made = app.post("/api/v1/keys", &json!({ "name": name, "scopes": [scope], "site": site }));
            made.json["key"].as_str().expect("a key").to_owned()
        };
        let (manager, bound) = (make("manager", "manage", None), make("bound", "admin", Some("default")));
        let console = Console::sign_in_with(app, &manager);
        assert_eq!(console.get("/keys").status, 403);
        assert!(!console.get("/sites").html.contains("href=\"/keys\""));
        let console = Console::sign_in_with(app, &bound);
        let page = console.get("/keys");
        assert!(page.says("bound") && !page.says("manager"), "{}", page.text());
        assert_eq!(page.value_of("site"), None, "there is nothing to choose");
        assert_eq!(console.form("/keys", &[("name", "mine"), ("scope", "read")]).status, 200);
        assert_eq!(app.get("/api/v1/keys").json["items"][0]["site"], "default");
    }

    fn a_site_is_made_by_its_form_and_deleted_once_its_id_is_typed(app: &TestApp) {
        let console = Console::sign_in(app);
        let refused = console.form("/sites", &[("id", "Not a slug"), ("name", HOSTILE), ("kartra_time_zone", "Asia/Tokyo")]);
        assert_eq!(refused.status, 422);
        assert!(refused.html.contains("id=\"id-error\""), "{}", refused.text());
        assert!(refused.html.contains("<option value=\"Asia/Tokyo\" selected>"));
        assert!(!refused.html.contains("<script>alert"));
        let made = console.form("/sites", &[("id", "club"), ("name", HOSTILE), ("kartra_time_zone", "Asia/Tokyo")]);
        assert_eq!((made.status, &*made.location), (303, "/sites/club/setup"), "{}", made.text());
        let site = app.get("/api/v1/sites/club").json;
        assert_eq!((&site["name"], &site["kartra_time_zone"]), (&json!(HOSTILE), &json!("Asia/Tokyo")));
        let page = console.get("/sites");
        assert!(page.says(HOSTILE) && page.says("waiting for the first webhook"), "{}", page.text());
        assert!(!page.html.contains("<script>alert"));
        let again = console.form("/sites", &[("id", "club"), ("name", "Club"), ("kartra_time_zone", "UTC")]);
        assert!(again.status == 422 && again.says("There is a site with this id already."), "{}", again.text());

        assert_eq!(console.form("/sites/club/delete", &[("confirm", "default")]).location, "/sites");
        assert!(console.get("/sites").says("Nothing is deleted"));
        assert_eq!(app.get("/api/v1/sites/club").status, 200);
        assert_eq!(console.form("/sites/club/delete", &[("confirm", "club")]).status, 303);
        assert_eq!(app.get("/api/v1/sites/club").status, 404);
    }

    fn who_may_not_make_sites_is_shown_no_form_for_it(app: &TestApp) {
        for asked in [json!({ "name": "m", "scopes": ["manage"] }), json!({ "name": "b", "scopes": ["admin"], "site": "default" })] {
            let key = app.post("/api/v1/keys", &asked);
            let console = Console::sign_in_with(app, key.json["key"].as_str().expect("a key"));
            let page = console.get("/sites");
            assert_eq!(page.html.matches("method=\"post\"").count(), 1, "{asked}");
            let fields = [("id", "club"), ("name", "Club"), ("kartra_time_zone", "UTC")];
            assert_eq!(console.form("/sites", &fields).status, 403, "{asked}");
        }
    }
}
