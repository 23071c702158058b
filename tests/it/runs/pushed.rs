//! A resync pushes everybody, tells how far it is, and ends.

use super::{
    Club, asks, by_hand, carries, counts, destination, grants, on_both, push, resyncs, run,
    takes_back,
};
use crate::alarms::receiver::{Receiver, status};
use crate::support::ghost::Fault;
use serde_json::{Value, json};

#[test]
fn a_new_destination_hears_of_everybody_with_a_resync() {
    on_both(|app| {
        for number in 0..7 {
            grants(app, &format!("m{number}@example.com"), "gold");
        }
        let lent = grants(app, "gone@example.com", "gold");
        app.drain();
        takes_back(app, &lent);
        carries(app);
        let club = Club::of(app);
        carries(app);
        assert!(
            club.ghost.state().members.is_empty(),
            "a new destination gets changes from then on"
        );
        let asked = asks(app, &format!("/destinations/{}/resync", club.id), &json!({}));
        assert_eq!(counts(&asked), json!(["running", 0, 0, 0, 0, 0, 0]));
        assert_eq!(
            (&asked["kind"], &asked["adopt"], &asked["finished_at"]),
            (&json!("resync"), &json!(false), &Value::Null)
        );
        carries(app);
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 7, 7, 0, 0, 0, 0]));
        assert_eq!(club.ghost.state().members.len(), 7);
        assert_eq!(club.labels("m3@example.com"), ["Gold"]);
        assert_eq!(club.ghost.state().mails.len(), 7);
    });
}

#[test]
fn a_resync_ends_when_all_its_pushes_are_settled_and_says_how_many_failed() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        grants(app, "ben@example.com", "gold");
        carries(app);
        club.edits("ada@example.com", Vec::clear);
        club.edits("ben@example.com", Vec::clear);
        let path = format!("/destinations/{}/resync", club.id);
        // Of one the destination says no, and of the other nothing.
        club.ghost.fails(
            "PUT",
            Fault::Instead(
                422,
                "",
                r#"{"errors":[{"message":"No","type":"ValidationError"}]}"#.to_owned(),
            ),
        );
        club.ghost.fails("PUT", Fault::Instead(500, "", String::new()));
        let asked = asks(app, &path, &json!({ "adopt": false }));
        carries(app);
        let waits = run(app, &asked);
        assert_eq!(counts(&waits), json!(["running", 1, 2, 0, 0, 0, 1]), "one is still to come");
        let again = app.post(&format!("{}{path}", super::SITE), &json!({}));
        assert_eq!(again.status, 409, "{again:?}");
        club.after(app, 6);
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 2, 2, 0, 0, 0, 1]));
    });
}

#[test]
fn a_signed_webhook_is_told_of_everybody_again_and_its_versions_never_go_back() {
    on_both(|app| {
        let receiver = Receiver::start();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let config = json!({ "url": receiver.url("/told"), "secret": secret });
        let id = destination(app, "webhook", &config, &[]);
        grants(app, "ada@example.com", "gold");
        carries(app);
        let version = |told: &str| {
            serde_json::from_str::<Value>(told).expect("JSON")["data"]["version"]
                .as_i64()
                .expect("a number")
        };
        let first = version(&receiver.heard()[0].body);
        // As after a restore from a backup: what was counted is lost.
        super::sql(app, "DELETE FROM pushes");
        app.clock.set(app.clock.now() + chrono::TimeDelta::seconds(1));
        assert_eq!(counts(&resyncs(app, &id, false)), json!(["finished", 1, 1, 0, 0, 0, 0]));
        let heard = receiver.heard();
        assert_eq!(heard.len(), 2);
        let second = version(&heard[1].body);
        assert!(second > first, "{second} after {first}");
        assert_eq!(push(app, &id, "ada@example.com").version, second);
        resyncs(app, &id, false);
        assert!(version(&receiver.heard()[2].body) > second, "also at one and the same instant");
    });
}

#[test]
fn a_signed_webhook_cannot_be_looked_at_and_what_failed_is_told_again() {
    on_both(|app| {
        let receiver = Receiver::start();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let config = json!({ "url": receiver.url("/told"), "secret": secret });
        let id = destination(app, "webhook", &config, &[]);
        receiver.answers([status(422)]);
        grants(app, "ada@example.com", "gold");
        carries(app);
        super::sql(
            app,
            "UPDATE pushes SET status = 'failed', next_attempt_at = NULL, attempts = 10",
        );
        let looked = super::looks(app);
        assert_eq!(counts(&looked), json!(["finished", 0, 0, 0, 0, 0, 0]));
        assert!(
            looked["detail"].as_str().is_some_and(|why| why.contains("not looked at")),
            "{looked}"
        );
        assert_eq!(push(app, &id, "ada@example.com").status, "failed");
        super::repairs(app);
        let told = push(app, &id, "ada@example.com");
        assert_eq!((told.status.as_str(), told.attempts), ("done", 1));
        assert_eq!(receiver.heard().len(), 2);
    });
}

#[test]
fn an_account_that_was_made_by_hand_is_kept_and_gets_what_is_wanted() {
    on_both(|app| {
        grants(app, "ada@example.com", "gold");
        let club = Club::of(app);
        club.ghost.state().has(by_hand("ada@example.com", &["VIP"]));
        resyncs(app, &club.id, false);
        assert_eq!(club.labels("ada@example.com"), ["Gold", "VIP"]);
        assert!(club.ghost.state().mails.is_empty(), "nobody is welcomed who was there before");
    });
}
