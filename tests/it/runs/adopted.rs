//! After a restore from a backup: what is remembered of a destination is lost, and taken over again.

use super::{Club, by_hand, carries, counts, grants, on_both, push, resyncs, sql, takes_back};
use serde_json::json;

#[test]
fn what_was_lost_is_taken_over_and_goes_when_it_is_not_wanted_any_more() {
    on_both(|app| {
        let club = Club::of(app);
        club.ghost.state().has(by_hand("ben@example.com", &["VIP"]));
        let of_ada = grants(app, "ada@example.com", "gold");
        let of_ben = grants(app, "ben@example.com", "gold");
        carries(app);
        sql(app, "DELETE FROM pushes");
        assert_eq!(counts(&resyncs(app, &club.id, true)), json!(["finished", 2, 2, 0, 0, 0, 0]));
        assert_eq!(push(app, &club.id, "ada@example.com").owned, r#"["Gold"]"#);
        assert_eq!(club.ghost.state().mails, ["ada@example.com"], "nobody is welcomed twice");
        assert_eq!(club.ghost.state().members.len(), 2, "no account is made twice");
        takes_back(app, &of_ada);
        takes_back(app, &of_ben);
        carries(app);
        assert!(club.labels("ada@example.com").is_empty());
        assert_eq!(club.labels("ben@example.com"), ["VIP"]);
    });
}

#[test]
fn without_adopting_what_was_there_before_stays_there() {
    on_both(|app| {
        let club = Club::of(app);
        let lent = grants(app, "ada@example.com", "gold");
        carries(app);
        sql(app, "DELETE FROM pushes");
        resyncs(app, &club.id, false);
        assert_eq!(push(app, &club.id, "ada@example.com").owned, "[]");
        takes_back(app, &lent);
        carries(app);
        assert_eq!(club.labels("ada@example.com"), ["Gold"]);
    });
}
