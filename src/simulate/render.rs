//! How an event reads on the wire: outbound as JSON, the IPN as a form.
//!
//! JSON is written by hand and not through a map, because a map would order the keys, and how it does so depends on
//! which other crates are in the build; the same seed must give the same bytes in every build.

use chrono::NaiveDateTime;
use serde_json::Value;

use super::Feed;
use super::cells::{Cell, Telling};
use super::person::Person;
use super::profile::Profile;
use super::story::{Event, Story, What};

/// What stands in place of a value that there is none of.
const NONE: &str = "N/A";

/// The body of one event on one feed; none where that feed does not tell such an event.
pub fn body(story: &Story, event: &Event, feed: Feed, secret: &str) -> Option<Vec<u8>> {
    let person = &story.person;
    let new_email = story
        .email_changed_at
        .is_some_and(|changed| changed <= event.at)
        .then(|| person.new_email());
    let email = new_email.as_deref().unwrap_or(&person.email);
    let joined = story.events.first().map_or(event.at, |first| first.at);
    let money = match &event.what {
        What::Profile(profile) => {
            let details = profile_details(profile, person.stringly);
            let lead = lead(person, email, joined);
            return (feed == Feed::Outbound).then(|| outbound(lead, profile.action, &details));
        }
        What::Money(money) => money,
    };
    let telling = Telling { money, at: event.at, person, email, joined, secret, feed };
    match feed {
        Feed::Ipn => Some(form(&telling)),
        Feed::Outbound => {
            let details = object([("transaction_details", transaction_details(&telling))]);
            let lead = lead(person, email, joined);
            Some(outbound(lead, money.kind.action()?, &details))
        }
    }
}

fn outbound(lead: String, action: &str, details: &str) -> Vec<u8> {
    object([("lead", lead), ("action", quoted(action)), ("action_details", details.to_owned())])
        .into_bytes()
}

fn profile_details(profile: &Profile, stringly: bool) -> String {
    let ids = profile.ids.iter().map(|(key, id)| (*key, number(*id, stringly)));
    let names = profile.names.iter().map(|(key, name)| (*key, quoted(name)));
    let mut fields: Vec<_> = ids.chain(names).collect();
    // A membership names itself before its level; the keys happen to sort the other way round.
    fields.sort_by_key(|(key, _)| key.starts_with("level"));
    object([(profile.subject, object(fields))])
}

fn transaction_details(telling: &Telling<'_>) -> String {
    let stringly = telling.person.stringly;
    object(telling.keys().into_iter().map(|key| {
        let value = match telling.cell(key) {
            Cell::Text(words) => quoted(&words),
            Cell::Number(n) => number(n, stringly),
            Cell::Bare(n) => number(n, false),
            Cell::Cents(cents) if stringly => quoted(&decimal(cents)),
            Cell::Cents(cents) => float(cents),
            Cell::Absent => quoted(NONE),
        };
        (key, value)
    }))
}

fn form(telling: &Telling<'_>) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for key in telling.keys() {
        let value = match telling.cell(key) {
            Cell::Text(words) if words.is_empty() => NONE.to_owned(),
            Cell::Text(words) => words.into_owned(),
            Cell::Number(n) | Cell::Bare(n) => n.to_string(),
            Cell::Cents(cents) => decimal(cents),
            Cell::Absent => NONE.to_owned(),
        };
        form.append_pair(key, &value);
    }
    form.finish().into_bytes()
}

/// The whole lead, which stands on every outbound message.
fn lead(person: &Person, email: &str, joined: NaiveDateTime) -> String {
    let joined = quoted(&joined.format("%Y-%m-%d %H:%M:%S").to_string());
    let id = |n: u64| number(n, !person.typed_lead);
    let empty = || quoted("");
    let place = &person.place;
    let mut fields = vec![
        ("id", id(person.lead_id)),
        ("first_name", quoted(person.first_name)),
        ("middle_name", empty()),
        ("last_name", quoted(person.last_name)),
        ("last_name2", empty()),
        ("email", quoted(email)),
        ("phone_country_code", quoted(&format!("+{}", place.calling_code))),
        ("phone", quoted(&person.phone)),
        ("company", empty()),
        ("address", quoted(&person.address)),
        ("city", quoted(place.city)),
        ("zip", quoted(place.zip)),
        ("state", quoted(place.state_code)),
        ("country", quoted(place.country)),
        ("date_joined", joined.clone()),
        ("website", empty()),
        ("ip", quoted(&person.ip)),
        ("ip_country", quoted(place.country)),
        ("facebook", empty()),
        ("twitter", empty()),
        ("linkedin", empty()),
        ("sales_tax_id", empty()),
        ("lead_picture", quoted("https://cdn.example.com/default_user.png")),
        ("source", quoted("checkout")),
        ("score", id(person.flavour % 60)),
        ("referring_id", id(0)),
        ("blacklisted", id(0)),
        ("source_id", id(558_001)),
        ("gdpr_lead_status", number(1, false)),
        ("gdpr_lead_status_date", joined),
        ("gdpr_lead_status_ip", quoted(&person.ip)),
        ("gdpr_lead_communications", number(1, false)),
    ];
    if person.older_lead {
        fields.push(("google_plus", empty()));
        fields.push(("lead_deleted", id(0)));
        fields.push(("lead_deleted_date", quoted("0000-00-00 00:00:00")));
    } else {
        fields.push(("lead_preferred_time_zone", quoted(place.time_zone)));
    }
    fields.push(("custom_fields", custom_fields(person)));
    object(fields)
}

fn custom_fields(person: &Person) -> String {
    let option = |option_id: u64, value: &str| {
        let option_id = number(option_id, !person.typed_lead);
        let option = object([("option_id", option_id), ("option_value", quoted(value))]);
        format!("[{option}]")
    };
    let field = |id: u64, identifier: &str, kind: &str, value: String| {
        object([
            ("field_id", number(id, !person.typed_lead)),
            ("field_identifier", quoted(identifier)),
            ("field_type", quoted(kind)),
            ("field_value", value),
        ])
    };
    let diet = if person.flavour.is_multiple_of(3) {
        option(612, "vegetarian")
    } else {
        option(614, "eats everything")
    };
    let wish = "More \"thirty minute\" dinners, please,\nand lists that fit one shop.";
    let fields = [
        field(323, "diet", "drop_down", diet),
        field(325, "favorite_dish", "input_field", quoted("lentil soup")),
        field(
            331,
            "household",
            "radio_button",
            option(700 + person.flavour % 6, "persons at the table"),
        ),
        field(340, "wishes", "text_area", quoted(wish)),
    ];
    format!("[{}]", fields.join(","))
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn quoted(words: &str) -> String {
    Value::from(words).to_string()
}

fn number(n: u64, stringly: bool) -> String {
    if stringly { format!("\"{n}\"") } else { n.to_string() }
}

fn decimal(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// As PHP and Python print a float: no more digits than it needs, but at least one.
fn float(cents: u64) -> String {
    let decimal = decimal(cents);
    decimal.strip_suffix('0').unwrap_or(&decimal).to_owned()
}
