//! Bars, a pair for each day: what is up stands above the line, what is down hangs below it.

use std::fmt;

/// How high the picture is, in pixels; the labels of days stand below it.
const HEIGHT: i64 = 130;
/// How much of the width of a day its bar takes.
const BAR_SHARE: f64 = 0.7;

/// How many labels of days there are at most: more of them touch each other on a phone.
const LABELS_MAX: usize = 4;

/// A chart, ready to be drawn.
pub struct Chart {
    /// The bars, the first day first.
    pub bars: Vec<Bar>,
    /// Where the line is, in pixels from above.
    pub base: i64,
    /// The largest number above the line.
    pub up_max: i64,
    /// The largest number below it; 0 where nothing ever is.
    pub down_max: i64,
    /// Whether there is nothing at all.
    pub is_empty: bool,
}

/// The pair of bars of a day.
pub struct Bar {
    /// The day, as its label: `22 Nov`.
    pub label: String,
    /// Whether the label is written: on narrow screens not all of them have room.
    pub has_label: bool,
    /// Where it begins, and how wide it is.
    pub x: Percent,
    /// How wide it is.
    pub width: Percent,
    /// Where its label stands.
    pub middle: Percent,
    /// What is above the line.
    pub up: i64,
    /// What is below it.
    pub down: i64,
    /// Where the upper bar begins, in pixels from above.
    pub up_y: i64,
    /// How high it is, in pixels.
    pub up_height: i64,
    /// How high the lower bar is, in pixels.
    pub down_height: i64,
}

/// A share of the width.
pub struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}%", self.0)
    }
}

impl Chart {
    /// Of days, each with what is up and what is down.
    pub fn of<'a>(days: impl ExactSizeIterator<Item = (&'a str, (i64, i64))> + Clone) -> Self {
        let up_max = days.clone().map(|(_, (up, _))| up).max().unwrap_or(0);
        let down_max = days.clone().map(|(_, (_, down))| down).max().unwrap_or(0);
        let scale = |number: i64| match up_max + down_max {
            0 => 0,
            // What is there is seen, however little it is beside the rest.
            all => (number * HEIGHT / all).max(i64::from(number > 0) * 2),
        };
        let base = if down_max == 0 { HEIGHT } else { scale(up_max).max(1) };
        let count = days.len();
        #[expect(clippy::cast_precision_loss, reason = "there are at most 90 days")]
        let (share, of) = (100.0 / count.max(1) as f64, |index: usize| index as f64);
        let bar = |(index, (day, (up, down))): (usize, (&str, (i64, i64)))| Bar {
            label: label(day),
            has_label: (count - 1 - index).is_multiple_of(count.div_ceil(LABELS_MAX)),
            x: Percent(share * (of(index) + (1.0 - BAR_SHARE) / 2.0)),
            width: Percent(share * BAR_SHARE),
            middle: Percent(share * (of(index) + 0.5)),
            up,
            down,
            up_y: base - scale(up),
            up_height: scale(up),
            down_height: scale(down),
        };
        let bars = days.enumerate().map(bar).collect();
        Self { bars, base, up_max, down_max, is_empty: up_max + down_max == 0 }
    }
}

/// A day as people write it; what is no day stays as it is.
pub fn label(day: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = day.split('-').skip(1).filter_map(|part| part.parse::<usize>().ok());
    match (parts.next().and_then(|month| MONTHS.get(month.checked_sub(1)?)), parts.next()) {
        (Some(month), Some(day)) => format!("{day} {month}"),
        _ => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bars_fill_the_picture_and_the_smallest_is_seen() {
        let days = [("2026-11-21", (3_000, 1_000)), ("2026-11-22", (1, 0))];
        let chart = Chart::of(days.into_iter());
        let [first, second] = chart.bars.as_slice() else { panic!("two days") };
        assert_eq!((first.up_y, first.up_height, first.down_height), (0, 97, 32));
        assert_eq!((second.up_height, second.down_height), (2, 0));
        assert_eq!((&*first.label, &*second.label), ("21 Nov", "22 Nov"));
        assert_eq!(second.middle.to_string(), "75.00%");
    }

    #[test]
    fn few_days_are_labelled_and_the_last_is_among_them() {
        for count in [1, 4, 14, 90] {
            let days = vec![("2026-11-22", (1, 0)); count];
            let chart = Chart::of(days.into_iter());
            let labelled = chart.bars.iter().filter(|bar| bar.has_label).count();
            assert!((1..=LABELS_MAX).contains(&labelled), "{labelled} of {count}");
            assert!(chart.bars.last().is_some_and(|bar| bar.has_label), "{count}");
        }
    }

    #[test]
    fn nothing_at_all_is_no_bar() {
        let chart = Chart::of([("2026-11-22", (0, 0))].into_iter());
        assert!(chart.is_empty);
        assert_eq!(chart.bars.first().map(|bar| (bar.up_height, bar.down_height)), Some((0, 0)));
    }

    #[test]
    fn what_is_no_day_stays_as_it_is() {
        assert_eq!(label("2026-13-01"), "2026-13-01");
        assert_eq!(label("someday"), "someday");
    }
}
