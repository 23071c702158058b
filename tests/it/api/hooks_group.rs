//! Webhooks that are committed together: one that cannot be stored stops no other.

use crate::on_both_databases;
use crate::support::{START, instant, unreadable};
use latchkey::intake::commit;
use latchkey::store::webhooks::NewWebhook;

fn row(site_id: &str, number: usize) -> NewWebhook {
    unreadable(site_id, &format!("{number:03}"), instant(START).naive_utc())
}

on_both_databases! {
    fn a_webhook_of_a_site_that_is_gone_stops_no_other_of_its_group(app: &TestApp) {
        let flow = app.app.flow();
        let is_gone = |number: &usize| [0, 5, 6, 17].contains(number);
        let site = |number: &usize| if is_gone(number) { "gone" } else { "default" };
        let rows: Vec<NewWebhook> = (0..21).map(|number| row(site(&number), number)).collect();
        let stored: Vec<bool> = (0..21).map(|number| !is_gone(&number)).collect();
        assert_eq!(commit(flow, &rows), stored);
        let mut listed: Vec<String> =
            app.webhooks().iter().map(|w| w["id"].as_str().expect("an id").to_owned()).collect();
        listed.reverse();
        let expected: Vec<String> =
            rows.iter().filter(|row| row.site_id == "default").map(|row| row.id.clone()).collect();
        assert_eq!(listed, expected, "what is said to be stored is stored, and once");
        assert_eq!(commit(flow, &[row("gone", 90)]), [false], "alone, it is refused alone");
        assert_eq!(commit(flow, &[row("default", 91)]), [true]);
    }
}
