//! `latchkey serve` where the default site is no more, or no site at all.

use super::on_each;
use crate::support::ADMIN_KEY;
use crate::support::daemon::{Daemon, Home};
use serde_json::json;

fn delete(daemon: &Daemon, site: &str) {
    let url = format!("{}/api/v1/sites/{site}?confirm={site}", daemon.base);
    let deleted = daemon.send(daemon.client.delete(url).bearer_auth(ADMIN_KEY));
    assert_eq!(deleted.status, 204, "{deleted:?}");
}

/// At its start it said these words and the webhook URL of this site.
fn shows_the_url_of(daemon: &Daemon, site: &str, words: &str) {
    let url = daemon.get(&format!("/api/v1/sites/{site}")).json["webhook_url"].clone();
    assert_eq!(daemon.greeting, format!("{words}: {}", url.as_str().expect("a URL")));
}

on_each! {
    fn a_daemon_without_its_default_site_starts_and_shows_the_url_of_another(home: &mut Home) {
        let daemon = home.serve();
        shows_the_url_of(&daemon, "default", "Webhook URL to paste into Kartra");
        daemon.make("/api/v1/sites", &json!({"id": "other"}));
        daemon.make("/api/v1/sites", &json!({"id": "third"}));
        delete(&daemon, "default");
        daemon.stop();
        let again = home.serve();
        shows_the_url_of(&again, "other", "Webhook URL of the site other to paste into Kartra");
        again.stop();
    }

    fn a_daemon_whose_only_site_was_deleted_starts_without_one_and_says_how_to_make_one(home: &mut Home) {
        let daemon = home.serve();
        delete(&daemon, "default");
        daemon.stop();
        // However long the start takes, its rows are still there.
        home.sql("UPDATE sites SET deleted_at = '2999-01-01 00:00:00'");
        let again = home.serve();
        let make = format!("POST {}/api/v1/sites {{\"id\": \"default\"}}", again.base);
        assert_eq!(again.greeting, format!("There is no site: make one with {make}"));
        assert_eq!(again.all("/api/v1/sites").len(), 0);
        again.make("/api/v1/sites", &json!({"id": "next"}));
        again.stop();
        let third = home.serve();
        shows_the_url_of(&third, "next", "Webhook URL of the site next to paste into Kartra");
        third.stop();
    }
}
