//! What operators write down for a Ghost.

use super::{Site, member, open};
use crate::support::ghost::{Ghost, KEY};
use latchkey::core::token::TokenKey;
use latchkey::destinations::{Wrong, kind};
use serde_json::{Value, json};

fn wrong(config: &Value) -> Wrong {
    open(&Ghost::start(), config).expect_err("refused")
}

#[test]
fn what_cannot_be_is_named_where_it_stands() {
    let url = "https://www.example.com";
    let key =
        "must be the Admin API key of a custom integration: an id, a colon, and hexadecimal digits";
    let tier = |remote: &str, tier: &str| json!({ "remote": remote, "tier": tier });
    let with = |tiers: &[Value]| json!({ "url": url, "admin_api_key": KEY, "tiers": tiers });
    for (config, pointer, detail) in [
        (json!({ "url": url }), "", "missing field `admin_api_key`"),
        (
            json!({ "url": url, "admin_api_key": "22444f78447824223cefc48062" }),
            "/admin_api_key",
            key,
        ),
        (json!({ "url": url, "admin_api_key": "id:not hexadecimal" }), "/admin_api_key", key),
        (
            json!({ "url": "www.example.com", "admin_api_key": KEY }),
            "/url",
            "must be whole, such as https://hooks.example.com/latchkey",
        ),
        (
            json!({ "url": "http://10.0.0.1", "admin_api_key": KEY }),
            "/url",
            "must not lead to an address of this machine or of a private network, unless egress.allow in the configuration names it: two lines in config/local.toml, [egress] and allow = [\"127.0.0.0/8\"], say so of this machine",
        ),
        (
            json!({ "url": "https://www.example.com/?a=b", "admin_api_key": KEY }),
            "/url",
            "must be the site's own address, without ? and #",
        ),
        (with(&[tier("Gold", "gold"), tier("", "silver")]), "/tiers/1/remote", "must not be empty"),
        (with(&[tier("Gold", " ")]), "/tiers/0/tier", "must not be empty"),
        (
            with(&[tier("Gold", "gold"), tier("gold", "silver")]),
            "/tiers/1/remote",
            "gold stands further up already; one tier each",
        ),
    ] {
        let expected = Wrong { pointer: pointer.to_owned(), detail: detail.to_owned() };
        assert_eq!(wrong(&config), expected, "{config}");
    }
    let unknown = wrong(&json!({ "url": url, "admin_api_key": KEY, "label": "Gold" }));
    assert_eq!(unknown.pointer, "/label");
    let half = wrong(&with(&[tier("Gold", "gold"), json!({ "remote": "Silver", "tier": 5 })]));
    assert_eq!(half.pointer, "/tiers/1/tier");
    assert!(!format!("{unknown:?}").contains(KEY));
}

#[test]
fn the_address_of_the_site_is_taken_with_whatever_was_copied_along() {
    for end in ["", "/", "/ghost", "/ghost/", "/ghost/api/admin", "/ghost/api/admin/"] {
        let ghost = Ghost::start();
        let url = format!("{}{end}", ghost.url());
        let site = Site::with(ghost, &json!({ "url": url }));
        assert_eq!(site.find("jo@example.com"), Ok(None), "{end}");
    }
}

#[test]
fn the_key_is_a_secret() {
    assert_eq!(kind("ghost").expect("a kind").secrets, ["admin_api_key"]);
}

#[test]
#[should_panic(expected = "comped is sent back")]
fn the_stand_in_lets_nobody_send_back_what_would_make_a_subscription() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &[]));
    let key = TokenKey::from_written(KEY).expect("a key");
    let now = site.ghost.clock().now().timestamp();
    let token = format!("Ghost {}", key.token("/admin/", now, now + 300));
    let echoed = json!({ "members": [{ "labels": [], "comped": true }] }).to_string();
    let path = format!("{}/ghost/api/admin/members/{}/", site.ghost.url(), there.remote_id);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let call = client.put(path).header("authorization", token).header("accept-version", "v5.0");
    let call = call.header("content-type", "application/json").body(echoed);
    assert_eq!(site.run(call.send()).expect("an answer").status(), 200);
}
