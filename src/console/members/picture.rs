//! Access over time as a picture: a band a level, with a mark for each event.

use super::let_in::LetIn;
use super::story::Item;
use crate::console::phrases;
use crate::console::rules::Levels;
use crate::core::Instant;
use chrono::TimeDelta;
use serde::Deserialize;

/// The shortest time that is shown, so that what happened within hours does not fill all of it.
const SHOWN_MIN: TimeDelta = TimeDelta::days(30);
/// How much of the picture lies behind now, at least, as a part of what lies before it.
const AHEAD_PARTS: i32 = 6;
/// The narrowest part of a band that can still be seen, in per cent.
const WIDTH_MIN: f64 = 0.4;
/// How many marks are put on a band.
const MARKS_MAX: usize = 40;

/// A level over time, as the API says it.
#[derive(Deserialize)]
pub struct History {
    pub level: String,
    /// When it is held by today's rules.
    pub stretches: Vec<Stretch>,
    /// When the member was let in, as it was recorded then.
    pub let_in: Vec<LetIn>,
}

/// An unbroken time.
#[derive(Deserialize)]
pub struct Stretch {
    pub since: String,
    pub until: Option<String>,
}

/// The picture of one level; places are in per cent of its width.
pub struct Band {
    /// The level by its name.
    pub name: String,
    /// What the picture shows, in a sentence.
    pub says: String,
    pub held: Vec<Held>,
    pub marks: Vec<Mark>,
    /// Where now is.
    pub now: String,
    /// The instant that was asked about.
    pub then: Option<Then>,
    /// The days at both ends.
    pub from: String,
}

/// A part of a band in which the level is held.
pub struct Held {
    pub x: String,
    pub width: String,
    pub says: String,
    /// Whether it goes on beyond the right edge of the picture.
    pub goes_on: bool,
}

/// The instant that was asked about, in the picture.
pub struct Then {
    pub x: String,
    /// Its day.
    pub label: String,
    /// How the label stands to the line, so that it stays inside: `start`, `middle` or `end`.
    pub anchor: &'static str,
}

/// An event.
pub struct Mark {
    pub x: String,
    pub says: String,
}

/// What of time is shown.
struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    /// Everything that has happened, and something of what is to come.
    fn around(known: &[Instant], ends: &[Instant], now: Instant) -> Self {
        let first = known.iter().min().copied().unwrap_or(now).min(now);
        let lasted = (now - first).max(SHOWN_MIN);
        let from = if now - first < SHOWN_MIN { now - SHOWN_MIN } else { first };
        // An end in many years must not press all that happened into a corner.
        let farthest = now + lasted;
        let last = ends.iter().copied().filter(|end| *end <= farthest).max().unwrap_or(now);
        Self { from, to: last.max(now) + lasted / AHEAD_PARTS }
    }

    /// Where an instant lies, in per cent.
    #[expect(clippy::cast_precision_loss, reason = "a picture is exact to a pixel")]
    fn place(&self, at: Instant) -> f64 {
        let whole = (self.to - self.from).num_seconds().max(1) as f64;
        let part = (at - self.from).num_seconds() as f64;
        (part / whole * 100.0).clamp(0.0, 100.0)
    }
}

impl Then {
    fn at(then: Instant, window: &Window) -> Self {
        let place = window.place(then);
        let anchor = if place < 20.0 {
            "start"
        } else if place > 80.0 {
            "end"
        } else {
            "middle"
        };
        Self { x: percent(place), label: then.format("%-d %b %Y").to_string(), anchor }
    }
}

fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// The bands of all levels that were ever held, over one and the same time.
pub fn bands(
    history: &[History],
    items: &[Item],
    levels: &Levels,
    now: Instant,
    then: Option<Instant>,
) -> Vec<Band> {
    let read = |at: &String| at.parse::<Instant>().ok();
    let stretches = || history.iter().flat_map(|history| &history.stretches);
    let events = items.iter().filter_map(|item| {
        let kind = item.event.as_ref().map(|event| event.kind.as_str())?;
        Some((kind, read(&item.at)?)).filter(|(kind, _)| *kind != "other")
    });
    let events: Vec<(&str, Instant)> = events.take(MARKS_MAX).collect();
    let begun = stretches().filter_map(|stretch| read(&stretch.since));
    let known: Vec<Instant> = begun.chain(events.iter().map(|(_, at)| *at)).chain(then).collect();
    let ends: Vec<Instant> = stretches()
        .filter_map(|stretch| stretch.until.as_ref().and_then(read))
        .chain(then)
        .collect();
    let window = Window::around(&known, &ends, now);
    let held = |stretch: &Stretch| {
        let from = window.place(read(&stretch.since)?);
        let end = stretch.until.as_ref().and_then(read);
        let to = end.map_or(100.0, |end| window.place(end));
        Some(Held {
            x: percent(from.min(100.0 - WIDTH_MIN)),
            width: percent((to - from).max(WIDTH_MIN)),
            says: said(stretch),
            goes_on: end.is_none_or(|end| end > window.to),
        })
    };
    let mark = |(kind, at): &(&str, Instant)| Mark {
        x: percent(window.place(*at)),
        says: format!("{} on {}", phrases::kind(kind), at.format("%-d %B %Y")),
    };
    let band = |history: &History| Band {
        name: levels.name(&history.level).to_owned(),
        says: history.stretches.iter().map(said).collect::<Vec<_>>().join("; "),
        held: history.stretches.iter().filter_map(held).collect(),
        marks: events.iter().map(mark).collect(),
        now: percent(window.place(now)),
        then: then.map(|then| Then::at(then, &window)),
        from: window.from.format("%-d %b %Y").to_string(),
    };
    // A level that today's rules never gave has nothing to be drawn.
    history.iter().filter(|history| !history.stretches.is_empty()).map(band).collect()
}

fn said(stretch: &Stretch) -> String {
    let since = phrases::day(&stretch.since);
    match &stretch.until {
        Some(until) => format!("from {since} to {}", phrases::day(until)),
        None => format!("from {since} on, with no known end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site of whose levels no name is known.
    fn nameless() -> Levels {
        Levels { items: Vec::new(), more: false }
    }

    fn instant(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    fn history(stretches: &[(&str, Option<&str>)]) -> Vec<History> {
        let stretch = |(since, until): &(&str, Option<&str>)| Stretch {
            since: (*since).to_owned(),
            until: until.map(str::to_owned),
        };
        vec![History {
            level: "gold".to_owned(),
            stretches: stretches.iter().map(stretch).collect(),
            let_in: Vec::new(),
        }]
    }

    fn places(band: &Band) -> Vec<(f64, f64)> {
        let number = |text: &str| text.trim_end_matches('%').parse::<f64>().expect("a number");
        band.held.iter().map(|held| (number(&held.x), number(&held.width))).collect()
    }

    #[test]
    fn every_part_lies_inside_and_in_the_order_of_time() {
        let held = history(&[
            ("2025-01-01T00:00:00Z", Some("2025-06-01T00:00:00Z")),
            ("2025-07-01T00:00:00Z", Some("2025-07-01T01:00:00Z")),
            ("2025-12-01T00:00:00Z", None),
        ]);
        let bands = bands(&held, &[], &nameless(), instant("2026-01-01T00:00:00Z"), None);
        let places = places(&bands[0]);
        assert_eq!(places.len(), 3);
        assert!(places[0].0.abs() < 0.01, "it begins with what happened first: {places:?}");
        for (x, width) in &places {
            assert!(*width > 0.0 && x + width <= 100.5, "{places:?}");
        }
        assert!(places[0].0 + places[0].1 < places[1].0 && places[1].0 < places[2].0, "{places:?}");
        assert!((places[2].0 + places[2].1 - 100.0).abs() < 0.1, "no end: {places:?}");
        assert_eq!(bands[0].name, "gold", "a level that is not known is called by its id");
        assert!(bands[0].says.ends_with("from 1 December 2025 on, with no known end"));
    }

    #[test]
    fn an_end_in_many_years_presses_nothing_into_a_corner() {
        let held = history(&[("2025-01-01T00:00:00Z", Some("2099-01-01T00:00:00Z"))]);
        let bands = bands(&held, &[], &nameless(), instant("2026-01-01T00:00:00Z"), None);
        let now: f64 = bands[0].now.trim_end_matches('%').parse().expect("a number");
        assert!(now > 40.0, "{now}");
        assert!(bands[0].held[0].goes_on, "it ends beyond the picture");
    }

    #[test]
    fn what_ends_inside_the_picture_does_not_go_on_and_the_day_asked_about_is_named() {
        let held = history(&[("2025-01-01T00:00:00Z", Some("2025-06-01T00:00:00Z"))]);
        let then = Some(instant("2025-01-01T12:00:00Z"));
        let bands = bands(&held, &[], &nameless(), instant("2026-01-01T00:00:00Z"), then);
        assert!(!bands[0].held[0].goes_on);
        let then = bands[0].then.as_ref().expect("the day");
        assert_eq!((&*then.label, then.anchor), ("1 Jan 2025", "start"));
    }

    #[test]
    fn nothing_known_is_no_picture() {
        let now = instant("2026-01-01T00:00:00Z");
        assert!(bands(&[], &[], &nameless(), now, None).is_empty());
        assert!(bands(&history(&[]), &[], &nameless(), now, None).is_empty(), "never held");
    }
}
