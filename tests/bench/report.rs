//! The figures: as a table for people, as JSON for programs.

use serde_json::{Value, json};

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    tables: Vec<Table>,
}

/// The figures of one database.
pub struct Table {
    database: &'static str,
    figures: Vec<Figure>,
}

struct Figure {
    name: String,
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
            json!({ "database": table.database, "figures": figures })
        });
        json!({ "tables": tables.collect::<Vec<_>>() })
    }
}

impl Table {
    /// An empty one.
    pub fn of(database: &'static str) -> Self {
        eprintln!("— {database}");
        Self { database, figures: Vec::new() }
    }

    /// Notes a figure.
    pub fn note(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(Figure { name: name.into(), value, unit, target: None });
    }

    /// Notes a ratio and what it should be.
    pub fn ratio(&mut self, name: impl Into<String>, value: f64, target: Target) {
        self.push(Figure { name: name.into(), value, unit: "×", target: Some(target) });
    }

    /// Notes a figure that has a bound.
    pub fn bounded(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
    ) {
        self.push(Figure { name: name.into(), value, unit, target: Some(target) });
    }

    fn push(&mut self, figure: Figure) {
        // Whoever waits sees what is known so far.
        eprintln!("  {}", figure.line());
        self.figures.push(figure);
    }
}

impl Figure {
    fn line(&self) -> String {
        let digits = if self.value.abs() >= 100.0 { 0 } else { 2 };
        let judged = self.target.map(|target| {
            let word = if target.is_met(self.value) { "met" } else { "MISSED" };
            format!("   {} {word}", target.words())
        });
        let (name, value, unit) = (&self.name, self.value, self.unit);
        format!("{name:<62} {value:>12.digits$} {unit}{}", judged.unwrap_or_default())
    }

    fn json(&self) -> Value {
        let target = self.target.map(|target| match target {
            Target::AtLeast(least) => {
                json!({ "at_least": least, "met": target.is_met(self.value) })
            }
            Target::AtMost(most) => json!({ "at_most": most, "met": target.is_met(self.value) }),
        });
        json!({ "name": self.name, "value": self.value, "unit": self.unit, "target": target })
    }
}
