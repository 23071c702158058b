//! Kartra's dates: naive, in the site's time zone, and often not there.

use super::{Event, NEW_YORK, Tz, Value, event, json, received_at, sale_with, sale_without};
use super::{says, says_by_either_feed};
use chrono_tz::{America, Asia, Australia, EST, Europe, UTC};

fn dated(date: Value, zone: Tz) -> Event {
    event(says_by_either_feed(sale_with("transaction_date", date)), zone)
}

#[test]
fn a_date_is_read_in_the_time_zone_of_the_site() {
    let winter = "2025-01-15 12:00:00";
    let summer = "2025-07-15 12:00:00";
    for (zone, date, instant) in [
        (NEW_YORK, winter, "2025-01-15T17:00:00+00:00"),
        (NEW_YORK, summer, "2025-07-15T16:00:00+00:00"),
        // A fixed zone for those who find that Kartra's EST never moves.
        (EST, winter, "2025-01-15T17:00:00+00:00"),
        (EST, summer, "2025-07-15T17:00:00+00:00"),
        (UTC, summer, "2025-07-15T12:00:00+00:00"),
        (Asia::Kathmandu, summer, "2025-07-15T06:15:00+00:00"),
        (Europe::Berlin, winter, "2025-01-15T11:00:00+00:00"),
        // The day and the year may differ.
        (NEW_YORK, "2024-12-31 23:59:59", "2025-01-01T04:59:59+00:00"),
        (America::St_Johns, "2024-02-29 00:00:00", "2024-02-29T03:30:00+00:00"),
    ] {
        let event = dated(json!(date), zone);
        assert_eq!(event.date.to_rfc3339(), instant, "{date} {zone}");
        assert_eq!(event.occurred_at, event.date);
    }
}

#[test]
fn an_hour_that_came_twice_is_the_earlier_and_one_that_never_came_is_the_jump() {
    for (zone, date, instant) in [
        (NEW_YORK, "2025-03-09 01:59:59", "2025-03-09T06:59:59+00:00"),
        (NEW_YORK, "2025-03-09 02:00:00", "2025-03-09T07:00:00+00:00"),
        (NEW_YORK, "2025-03-09 02:59:59", "2025-03-09T07:00:00+00:00"),
        (NEW_YORK, "2025-03-09 03:00:00", "2025-03-09T07:00:00+00:00"),
        (NEW_YORK, "2025-11-02 00:59:59", "2025-11-02T04:59:59+00:00"),
        (NEW_YORK, "2025-11-02 01:00:00", "2025-11-02T05:00:00+00:00"),
        (NEW_YORK, "2025-11-02 01:59:59", "2025-11-02T05:59:59+00:00"),
        (NEW_YORK, "2025-11-02 02:00:00", "2025-11-02T07:00:00+00:00"),
        (Europe::Berlin, "2025-03-30 02:30:00", "2025-03-30T01:00:00+00:00"),
        (Europe::Berlin, "2025-10-26 02:30:00", "2025-10-26T00:30:00+00:00"),
        // Lord Howe moves its clocks by half an hour.
        (Australia::Lord_Howe, "2025-10-05 02:15:00", "2025-10-04T15:30:00+00:00"),
        (Australia::Lord_Howe, "2025-04-06 01:45:00", "2025-04-05T14:45:00+00:00"),
    ] {
        assert_eq!(dated(json!(date), zone).date.to_rfc3339(), instant, "{date} {zone}");
    }
}

#[test]
fn a_date_that_is_missing_zero_or_unreadable_is_the_receipt() {
    let odd = [
        json!("0000-00-00 00:00:00"),
        json!("0000-00-00"),
        json!(0),
        json!("0"),
        json!(""),
        json!("N/A"),
        Value::Null,
        json!("04 Mar 2025 09:14:51"),
        json!("2025-03-04"),
        json!("03/04/2025 09:20:03"),
        json!("2025-02-30 09:20:03"),
        json!("2025-03-04 24:00:00"),
        json!("2025-03-04 09:20:03Z"),
        json!(1_741_080_003),
        json!("tomorrow"),
    ];
    for date in odd {
        let event = dated(date.clone(), NEW_YORK);
        assert_eq!((event.date, event.occurred_at), (received_at(), received_at()), "{date}");
    }
    let undated = event(says_by_either_feed(sale_without(&["transaction_date"])), NEW_YORK);
    assert_eq!(undated.occurred_at, received_at());
}

/// No clock of Kartra's shows them, and neither database keeps them in order.
#[test]
fn a_date_that_no_clock_shows_is_unreadable() {
    for date in [
        "2025-03-04 09:20:60",
        "-001-03-04 09:20:03",
        "+999-03-04 09:20:03",
        "0000-03-04 09:20:03",
        "9999-12-31 23:59:59",
    ] {
        let said = says_by_either_feed(sale_with("transaction_date", json!(date)));
        assert_eq!(said.date, None, "{date}");
    }
}

#[test]
fn a_date_after_its_receipt_orders_the_event_and_does_not_delay_it() {
    let event = dated(json!("2030-01-01 00:00:00"), NEW_YORK);
    assert_eq!(event.date.to_rfc3339(), "2030-01-01T05:00:00+00:00");
    assert_eq!(event.occurred_at, received_at());
}

#[test]
fn an_event_that_is_about_no_money_occurred_when_it_was_received() {
    let details = json!({ "transaction_details": { "transaction_date": "2025-03-04 09:20:03" } });
    let body = json!({ "action": "assign_tag", "action_details": details });
    assert_eq!(event(says(body.to_string()), NEW_YORK).occurred_at, received_at());
}
