//! The figures: as a table for people, as JSON for programs.

use super::load::count;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// What the name of a figure begins with that goes on about the one before it.
const GOES_ON: char = '…';
/// The unit of a ratio.
const TIMES: &str = "×";
/// What is told of latencies, and which quantile each is.
const QUANTILES: [(&str, f64); 5] =
    [("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)];
/// Where the first bucket of a histogram ends in microseconds, and how many times as far each next one does.
const FIRST_BUCKET_MICROS: u64 = 100;
const BUCKETS_GROW: f64 = 1.1;

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    tables: Vec<Table>,
}

/// The figures of one database.
pub struct Table {
    database: &'static str,
    figures: Vec<Figure>,
    histograms: Vec<Value>,
    /// The last name that did not go on about another one.
    begun: Option<String>,
}

struct Figure {
    name: String,
    /// What it goes on about, so that a program can tell it from others of the same name.
    of: Option<String>,
    value: f64,
    unit: &'static str,
    target: Option<Target>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

impl Report {
    /// Takes a table that is full.
    pub fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Prints all tables.
    pub fn print(&self) {
        for table in &self.tables {
            println!("\n{}", table.database);
            for figure in &table.figures {
                println!("  {}", figure.line());
            }
        }
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let tables = self.tables.iter().map(|table| {
            let figures = table.figures.iter().map(Figure::json).collect::<Vec<_>>();
            json!({
                "database": table.database, "figures": figures, "histograms": table.histograms,
            })
        });
        json!({ "tables": tables.collect::<Vec<_>>() })
    }

    /// Every figure that missed its bound, in words.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.tables.iter().flat_map(|table| {
            let missed = table.figures.iter().filter_map(Figure::missed);
            missed.map(move |figure| format!("{}: {figure}", table.database))
        });
        missed.collect()
    }
}

impl Table {
    /// An empty one.
    pub fn of(database: &'static str) -> Self {
        eprintln!("— {database}");
        Self { database, figures: Vec::new(), histograms: Vec::new(), begun: None }
    }

    /// Notes a figure.
    pub fn note(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(name.into(), value, unit, None);
    }

    /// Notes a ratio that may be what it likes.
    pub fn compared(&mut self, name: impl Into<String>, value: f64) {
        self.push(name.into(), value, TIMES, None);
    }

    /// Notes a ratio and what it should be.
    pub fn ratio(&mut self, name: impl Into<String>, value: f64, target: Target) {
        self.push(name.into(), value, TIMES, Some(target));
    }

    /// Notes a figure that has a bound.
    pub fn bounded(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
    ) {
        self.push(name.into(), value, unit, Some(target));
    }

    /// Notes how long answers took, and keeps their histogram for programs.
    pub fn latencies(&mut self, name: &str, latencies: &Histogram<u64>) {
        for (which, quantile) in QUANTILES {
            let took = millis(latencies.value_at_quantile(quantile));
            self.note(format!("{name}: {which}"), took, "ms");
        }
        let buckets = latencies.iter_log(FIRST_BUCKET_MICROS, BUCKETS_GROW);
        let buckets = buckets.filter(|bucket| bucket.count_since_last_iteration() > 0);
        let buckets = buckets.map(|bucket| {
            let up_to = millis(bucket.value_iterated_to());
            json!({ "up_to_ms": up_to, "answers": bucket.count_since_last_iteration() })
        });
        self.histograms.push(json!({ "name": name, "buckets": buckets.collect::<Vec<_>>() }));
    }

    fn push(&mut self, name: String, value: f64, unit: &'static str, target: Option<Target>) {
        let of = if name.starts_with(GOES_ON) {
            self.begun.clone()
        } else {
            self.begun = Some(name.clone());
            None
        };
        let figure = Figure { name, of, value, unit, target };
        // Whoever waits sees what is known so far.
        eprintln!("  {}", figure.line());
        self.figures.push(figure);
    }
}

impl Figure {
    fn line(&self) -> String {
        let judged = self.target.map(|target| {
            let word = if target.is_met(self.value) { "met" } else { "MISSED" };
            format!("   {} {word}", target.words())
        });
        let (name, unit, digits) = (&self.name, self.unit, self.digits());
        format!("{name:<62} {:>12.digits$} {unit}{}", self.value, judged.unwrap_or_default())
    }

    /// What it missed; `None` where it has no bound or keeps it.
    fn missed(&self) -> Option<String> {
        let target = self.target.filter(|target| !target.is_met(self.value))?;
        let of = self.of.as_ref().map(|of| format!("{of} ")).unwrap_or_default();
        let (name, unit, digits) = (&self.name, self.unit, self.digits());
        Some(format!("{of}{name}: {:.digits$} {unit}, wanted {}", self.value, target.words()))
    }

    fn digits(&self) -> usize {
        if self.value.abs() >= 100.0 { 0 } else { 2 }
    }

    fn json(&self) -> Value {
        let target = self.target.map(|target| match target {
            Target::AtLeast(least) => {
                json!({ "at_least": least, "met": target.is_met(self.value) })
            }
            Target::AtMost(most) => json!({ "at_most": most, "met": target.is_met(self.value) }),
        });
        json!({
            "name": self.name, "of": self.of, "value": self.value, "unit": self.unit,
            "target": target,
        })
    }
}

/// Milliseconds, of which histograms count the thousandths.
fn millis(micros: u64) -> f64 {
    count(micros) / 1_000.0
}
