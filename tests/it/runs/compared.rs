//! What differs is found, and repaired; what is not ours is nobody's business.

use super::{
    Club, by_hand, carries, counts, drift, grants, line, looks, on_both, push, repairs, takes_back,
};
use crate::support::ghost::Fault;
use serde_json::json;

#[test]
fn what_is_missing_and_what_is_too_much_is_found_and_repaired() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        let lent = grants(app, "ben@example.com", "silver");
        grants(app, "cleo@example.com", "gold");
        carries(app);
        takes_back(app, &lent);
        carries(app);
        assert_eq!(looks(app)["missing"], 0);
        assert_eq!(drift(app), []);
        // Somebody takes a label away, gives one back that was ours, and removes an account.
        club.edits("ben@example.com", |labels| labels.push("Silver".to_owned()));
        assert_eq!(push(app, &club.id, "ben@example.com").owned, "[]", "it is ours no more");
        club.edits("ada@example.com", Vec::clear);
        club.ghost.state().members.retain(|member| member.email != "cleo@example.com");
        let before = club.ghost.count("PUT");
        let looked = looks(app);
        assert_eq!(counts(&looked), json!(["finished", 3, 3, 2, 0, 0, 0]));
        let missing = [
            line("ada@example.com", "Gold", "missing"),
            line("cleo@example.com", "Gold", "missing"),
        ];
        assert_eq!(drift(app), missing);
        assert_eq!(club.ghost.count("PUT"), before, "who only looks writes nothing");

        let repaired = repairs(app);
        assert_eq!(counts(&repaired), json!(["finished", 3, 3, 2, 0, 0, 0]));
        assert_eq!(club.labels("ada@example.com"), ["Gold"]);
        assert_eq!(club.labels("cleo@example.com"), ["Gold"]);
        assert_eq!(counts(&looks(app)), json!(["finished", 3, 3, 0, 0, 0, 0]));
        assert_eq!(drift(app), []);
    });
}

#[test]
fn what_is_ours_and_not_wanted_any_more_is_too_much_and_goes() {
    on_both(|app| {
        let club = Club::of(app);
        club.ghost.state().has(by_hand("ada@example.com", &["VIP"]));
        let lent = grants(app, "ada@example.com", "gold");
        carries(app);
        assert_eq!(club.labels("ada@example.com"), ["Gold", "VIP"]);
        takes_back(app, &lent);
        // The push of it is lost, as by a hand at the database.
        app.drain();
        super::sql(app, "UPDATE pushes SET next_attempt_at = NULL, status = 'done'");
        carries(app);
        assert_eq!(counts(&looks(app)), json!(["finished", 1, 1, 0, 1, 0, 0]));
        assert_eq!(drift(app), [line("ada@example.com", "Gold", "surplus")]);
        assert_eq!(club.labels("ada@example.com"), ["Gold", "VIP"]);
        repairs(app);
        assert_eq!(club.labels("ada@example.com"), ["VIP"]);
        looks(app);
        assert_eq!(drift(app), []);
    });
}

#[test]
fn what_others_have_given_is_neither_reported_nor_touched() {
    on_both(|app| {
        let club = Club::of(app);
        // Labels of the very names that we give, given by somebody else: to a stranger, and to a member.
        club.ghost.state().has(by_hand("stranger@example.com", &["Gold"]));
        club.ghost.state().has(by_hand("ada@example.com", &["Silver", "VIP"]));
        grants(app, "ada@example.com", "gold");
        carries(app);
        assert_eq!(counts(&looks(app)), json!(["finished", 1, 1, 0, 0, 0, 0]));
        assert_eq!(counts(&repairs(app)), json!(["finished", 1, 1, 0, 0, 0, 0]));
        assert_eq!(drift(app), []);
        assert_eq!(club.labels("stranger@example.com"), ["Gold"]);
        assert_eq!(club.labels("ada@example.com"), ["Gold", "Silver", "VIP"]);
    });
}

#[test]
fn a_member_whose_push_is_open_is_no_drift() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        grants(app, "ben@example.com", "gold");
        carries(app);
        club.edits("ada@example.com", Vec::clear);
        club.edits("ben@example.com", Vec::clear);
        // Ada's next push fails, and waits for its next attempt.
        club.ghost.fails("PUT", Fault::Instead(500, "", String::new()));
        grants(app, "ada@example.com", "silver");
        carries(app);
        assert_eq!(push(app, &club.id, "ada@example.com").status, "retrying");
        assert_eq!(counts(&looks(app)), json!(["finished", 2, 2, 1, 0, 0, 0]));
        assert_eq!(drift(app), [line("ben@example.com", "Gold", "missing")]);
    });
}

#[test]
fn what_differs_is_paged_and_asked_for_by_destination() {
    on_both(|app| {
        let (club, other) = (Club::of(app), Club::of(app));
        for email in ["ada@example.com", "ben@example.com", "cleo@example.com"] {
            grants(app, email, "gold");
        }
        carries(app);
        for of in [&club, &other] {
            of.edits("ada@example.com", Vec::clear);
            of.edits("ben@example.com", Vec::clear);
        }
        looks(app);
        let of = |query: &str| {
            let page = app.get(&format!("{}/drift?{query}", super::SITE));
            assert_eq!(page.status, 200, "{page:?}");
            page.json
        };
        let (mut seen, mut query) = (Vec::new(), "limit=1".to_owned());
        loop {
            let page = of(&query);
            assert_eq!(page["runs"].as_array().map(Vec::len), Some(2));
            let items = page["items"].as_array().expect("items");
            seen.extend(
                items.iter().map(|item| (item["destination"].clone(), item["email"].clone())),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            query = format!("limit=1&cursor={next}");
        }
        seen.sort_by_key(|(destination, email)| format!("{destination}{email}"));
        let mut expected: Vec<_> = [&club.id, &other.id]
            .iter()
            .flat_map(|id| {
                ["ada", "ben"].map(|name| (json!(id), json!(format!("{name}@example.com"))))
            })
            .collect();
        expected.sort_by_key(|(destination, email)| format!("{destination}{email}"));
        assert_eq!(seen, expected);
        let one = of(&format!("destination={}", club.id));
        assert_eq!(one["runs"][0]["destination"], json!(club.id));
        assert_eq!(one["items"].as_array().map(Vec::len), Some(2));
        let nowhere = app.get(&format!("{}/drift?destination=nowhere", super::SITE));
        assert_eq!(nowhere.status, 404, "{nowhere:?}");
    });
}

#[test]
fn who_cannot_be_looked_at_is_unseen_with_the_reason_and_keeps_nobody_waiting() {
    on_both(|app| {
        let club = Club::of(app);
        for email in ["ada@example.com", "ben@example.com", "cleo@example.com"] {
            grants(app, email, "gold");
        }
        carries(app);
        club.edits("ben@example.com", Vec::clear);
        for _ in 0..3 {
            club.ghost.fails("GET", Fault::Instead(500, "", "oops".to_owned()));
        }
        let first = looks(app);
        assert_eq!((&first["state"], &first["done"]), (&json!("running"), &json!(0)), "{first}");
        assert!(first["detail"].as_str().is_some_and(|why| why.contains("500")), "{first}");
        club.after(app, 5);
        club.after(app, 5);
        club.after(app, 5);
        let run = super::run(app, &first);
        assert_eq!(counts(&run), json!(["finished", 3, 3, 1, 0, 1, 0]));
        assert_eq!(
            drift(app),
            [line("ada@example.com", "", "unseen"), line("ben@example.com", "Gold", "missing")]
        );
        let items = app.get(&format!("{}/drift", super::SITE)).json["items"].clone();
        let why = items.as_array().expect("items").iter().find(|item| item["what"] == "unseen");
        let why = why.expect("one")["detail"].as_str().expect("words").to_owned();
        assert!(why.contains("500"), "{why}");
    });
}

#[test]
fn one_destination_alone_is_looked_at_and_repaired_where_it_is_named() {
    on_both(|app| {
        let (club, other) = (Club::of(app), Club::of(app));
        let begin = |path: &str, body: &serde_json::Value| {
            app.post(&format!("{}/drift{path}", super::SITE), body)
        };
        for path in ["", "/repair"] {
            let begun = begin(path, &json!({ "destination": club.id }));
            assert_eq!(begun.status, 202, "{begun:?}");
            let of = |run: &serde_json::Value| run["destination"].clone();
            let items: Vec<_> =
                begun.json["items"].as_array().expect("runs").iter().map(of).collect();
            assert_eq!(items, [json!(club.id)], "{path}");
            carries(app);
        }
        let runs = app.get(&format!("{}/runs?destination={}", super::SITE, other.id));
        assert_eq!(runs.json["items"], json!([]));
        let nowhere = begin("", &json!({ "destination": "nowhere" }));
        assert_eq!(
            (nowhere.status, &nowhere.json["errors"][0]["pointer"]),
            (422, &json!("/destination"))
        );
        let path = format!("{}/destinations/{}", super::SITE, club.id);
        assert_eq!(app.patch(&path, &json!({ "enabled": false })).status, 200);
        assert_eq!(begin("/repair", &json!({ "destination": club.id })).status, 409);
        assert_eq!(begin("", &json!({})).json["items"].as_array().map(Vec::len), Some(1));
    });
}
