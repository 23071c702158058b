//! When somebody was let in, beside when today's rules say that they have the level: what is worked out for then is
//! not always what the door did then.

use super::picture::History;
use crate::console::phrases;
use crate::core::Instant;
use chrono::TimeDelta;
use serde::Deserialize;

/// From what difference on it is told: a webhook is never there at once.
const LATE: TimeDelta = TimeDelta::hours(1);

/// A time in which somebody was let in, as the API says it.
#[derive(Deserialize)]
pub struct LetIn {
    from: Option<String>,
    until: Option<String>,
    cause: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    kind: String,
}

impl LetIn {
    /// Since when they are let in; `None` where they are not, and where that has aged out.
    pub fn since(&self) -> Option<&str> {
        self.from.as_deref().filter(|_| self.until.is_none())
    }

    /// What led to it, as the end of a sentence; empty where that is not known.
    pub fn cause(&self) -> &'static str {
        self.cause.as_ref().map_or("", |cause| phrases::cause(&cause.kind))
    }

    fn span(&self) -> Span {
        Span { from: read(self.from.as_ref()), until: read(self.until.as_ref()) }
    }

    /// The time in words.
    fn told(&self) -> String {
        let cause = match self.cause() {
            "" => String::new(),
            cause => format!(", {cause}"),
        };
        match (&self.from, &self.until) {
            (Some(from), Some(until)) => {
                format!("from {}{cause}, until {}", phrases::instant(from), phrases::instant(until))
            }
            (Some(from), None) => format!("from {} on{cause}", phrases::instant(from)),
            (None, Some(until)) => format!("until {}", phrases::instant(until)),
            (None, None) => "all the time that is still recorded".to_owned(),
        }
    }
}

/// A time, with an end that is not part of it; `None` where there is none on that side.
struct Span {
    from: Option<Instant>,
    until: Option<Instant>,
}

impl Span {
    fn contains(&self, at: Instant) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    fn ends(&self) -> impl Iterator<Item = Instant> {
        self.from.into_iter().chain(self.until)
    }
}

fn read(at: Option<&String>) -> Option<Instant> {
    at.and_then(|at| at.parse().ok())
}

/// Both accounts of one level, up to now and as far back as steps are recorded.
struct Accounts {
    by_rules: Vec<Span>,
    by_record: Vec<Span>,
    now: Instant,
    /// `None` where nothing has aged out.
    recorded_from: Option<Instant>,
}

impl Accounts {
    fn of(history: &History, recorded_from: Option<Instant>, now: Instant) -> Self {
        let stretches = history.stretches.iter().map(|stretch| Span {
            from: read(Some(&stretch.since)),
            until: read(stretch.until.as_ref()),
        });
        Self {
            by_rules: stretches.collect(),
            by_record: history.let_in.iter().map(LetIn::span).collect(),
            now,
            recorded_from,
        }
    }

    fn has(&self, at: Instant) -> bool {
        self.by_rules.iter().any(|span| span.contains(at))
    }

    fn was_let_in(&self, at: Instant) -> bool {
        self.by_record.iter().any(|span| span.contains(at))
    }

    fn is_recorded(&self, at: Instant) -> bool {
        at <= self.now && self.recorded_from.is_none_or(|from| from <= at)
    }

    /// Whether the two differ for longer than a webhook may take.
    fn differ(&self) -> bool {
        let spans = self.by_rules.iter().chain(&self.by_record);
        let ends = spans.flat_map(Span::ends).chain(self.recorded_from).chain([self.now]);
        let mut ends: Vec<Instant> = ends.filter(|at| self.is_recorded(*at)).collect();
        ends.sort_unstable();
        ends.windows(2).any(|pair| match pair {
            [from, until] => *until - *from > LATE && self.has(*from) != self.was_let_in(*from),
            _ => false,
        })
    }
}

/// What today's rules say of a level and what the door did, in a sentence; `None` where they agree.
pub fn told(
    history: &History,
    name: &str,
    recorded_from: Option<Instant>,
    now: Instant,
) -> Option<String> {
    if !Accounts::of(history, recorded_from, now).differ() {
        return None;
    }
    let door = match history.let_in.as_slice() {
        [] if recorded_from.is_some() => {
            "nobody was let in during the time that is still recorded".to_owned()
        }
        [] => "nobody was ever let in".to_owned(),
        all => {
            let times: Vec<String> = all.iter().map(LetIn::told).collect();
            format!("they were let in {}", times.join(", and "))
        }
    };
    Some(format!("By today's rules {}; {door}.", by_rules(history, name, now)))
}

/// What today's rules say of a level, as a part of a sentence.
fn by_rules(history: &History, name: &str, now: Instant) -> String {
    match history.stretches.as_slice() {
        [] => format!("{name} was never theirs"),
        [one] => match &one.until {
            Some(until) if read(Some(until)).is_some_and(|until| until <= now) => {
                format!("{name} ended on {}", phrases::instant(until))
            }
            _ => format!("{name} counts from {}", phrases::instant(&one.since)),
        },
        all => {
            let times = all.iter().map(|one| match &one.until {
                Some(until) => {
                    format!("from {} to {}", phrases::instant(&one.since), phrases::instant(until))
                }
                None => format!("from {} on", phrases::instant(&one.since)),
            });
            format!("{name} is theirs {}", times.collect::<Vec<_>>().join(", and "))
        }
    }
}

/// What the door did at an instant that is over, where today's rules say otherwise; `None` where they agree, and where
/// nothing is recorded of then.
pub fn told_at(
    history: &History,
    name: &str,
    recorded_from: Option<Instant>,
    (at, now): (Instant, Instant),
) -> Option<String> {
    let accounts = Accounts::of(history, recorded_from, now);
    if at >= now || !accounts.is_recorded(at) || !accounts.differ() {
        return None;
    }
    match (accounts.has(at), accounts.was_let_in(at)) {
        (true, false) => Some(format!(
            "They were not let in with {name} at that instant. By today's rules they had it then, as this page shows, \
             but that was worked out only later."
        )),
        (false, true) => Some(format!(
            "They were let in with {name} at that instant. By today's rules they did not have it then, as this page \
             shows, but that was worked out only later."
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn instant(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    fn history(told: &serde_json::Value) -> History {
        serde_json::from_value(told.clone()).expect("a history")
    }

    fn told_of(stretches: &serde_json::Value, let_in: &serde_json::Value) -> Option<String> {
        let all = serde_json::json!({ "level": "gold", "stretches": stretches, "let_in": let_in });
        told(&history(&all), "Gold", None, instant(NOW))
    }

    #[test]
    fn where_the_door_did_what_the_rules_say_nothing_is_told() {
        let begun = "2026-10-15T09:00:00Z";
        let open = serde_json::json!([{ "since": begun, "until": null }]);
        let soon = serde_json::json!([{ "from": "2026-10-15T09:00:05Z", "until": null, "cause": { "kind": "event" } }]);
        assert_eq!(told_of(&open, &soon), None);
        let to_come = serde_json::json!([{ "since": begun, "until": "2027-01-01T00:00:00Z" }]);
        assert_eq!(told_of(&to_come, &soon), None, "what is to come has not been told from");
        assert_eq!(told_of(&serde_json::json!([]), &serde_json::json!([])), None);
    }

    #[test]
    fn an_end_that_a_policy_set_back_is_told_with_what_the_door_did() {
        let held = serde_json::json!([{ "since": "2026-10-15T09:00:00Z", "until": "2026-10-22T09:00:00Z" }]);
        let let_in = serde_json::json!([{ "from": "2026-10-15T09:00:00Z", "until": "2026-11-23T00:12:00Z",
            "cause": { "kind": "event" } }]);
        let said = "By today's rules Gold ended on 22 October 2026, 09:00 UTC; they were let in from 15 October 2026, \
                    09:00 UTC, because of what Kartra told, until 23 November 2026, 00:12 UTC.";
        assert_eq!(told_of(&held, &let_in).as_deref(), Some(said));
        let nobody =
            "By today's rules Gold ended on 22 October 2026, 09:00 UTC; nobody was ever let in.";
        assert_eq!(told_of(&held, &serde_json::json!([])).as_deref(), Some(nobody));
        let never = told_of(&serde_json::json!([]), &let_in).expect("a difference");
        assert!(
            never.starts_with("By today's rules Gold was never theirs; they were let in from"),
            "{never}"
        );
    }

    #[test]
    fn an_instant_is_told_by_the_door_only_where_that_differs_and_is_recorded() {
        let all = serde_json::json!({ "level": "gold",
            "stretches": [{ "since": "2026-10-15T09:00:00Z", "until": null }],
            "let_in": [{ "from": "2026-11-20T00:00:00Z", "until": null, "cause": { "kind": "mapping" } }] });
        let all = history(&all);
        let at = |at: &str, recorded_from: Option<&str>| {
            told_at(&all, "Gold", recorded_from.map(instant), (instant(at), instant(NOW)))
        };
        let said = at("2026-11-10T00:00:00Z", None).expect("a difference");
        assert!(said.starts_with("They were not let in with Gold at that instant."), "{said}");
        assert_eq!(at("2026-11-21T00:00:00Z", None), None, "both say yes");
        assert_eq!(at("2026-10-01T00:00:00Z", None), None, "both say no");
        assert_eq!(
            at("2026-11-10T00:00:00Z", Some("2026-11-15T00:00:00Z")),
            None,
            "that has aged out"
        );
    }

    #[test]
    fn what_has_aged_out_is_no_difference() {
        let all = serde_json::json!({ "level": "gold",
            "stretches": [{ "since": "2025-01-01T00:00:00Z", "until": null }],
            "let_in": [{ "from": null, "until": null, "cause": null }] });
        let kept = Some(instant("2026-01-01T00:00:00Z"));
        assert_eq!(told(&history(&all), "Gold", kept, instant(NOW)), None);
    }
}
