//! The table of what everything costs, as it is written down and as it is found.

use super::asked::{Asked, begins_to_write};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// Set, it writes down what is found instead of comparing; never in CI.
pub const MOVE: &str = "LATCHKEY_TEST_MOVE_COSTS";
/// A cost may differ from what is written down by one part in so many.
const TOLERANCE: u64 = 20;
/// How many statements a failing test names for each story: those that are asked most often.
const NAMED_MAX: usize = 12;
/// How much of a statement it shows.
const SHOWN_CHARS: usize = 110;

/// What one story asks of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// Transactions that may write: each is at most one flush of a log.
    writes: u64,
    /// Statements, those that begin and end transactions included: each is a round trip.
    statements: u64,
    /// Rows inserted, updated or deleted.
    rows: u64,
}

impl Cost {
    fn numbers(self) -> [(&'static str, u64); 3] {
        [("writes", self.writes), ("statements", self.statements), ("rows", self.rows)]
    }
}

/// What all stories cost.
#[derive(Debug, Default)]
pub struct Costs {
    found: Vec<(&'static str, Cost)>,
    details: String,
}

impl Costs {
    /// Takes a story down.
    pub fn note(&mut self, story: &'static str, asked: &Asked, rows: &BTreeMap<String, u64>) {
        let writes = asked.iter().filter(|(statement, _)| begins_to_write(statement));
        let cost = Cost {
            writes: writes.map(|(_, times)| times).sum(),
            statements: asked.values().sum(),
            rows: rows.values().sum(),
        };
        self.found.push((story, cost));
        let mut often: Vec<_> = asked.iter().collect();
        often.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        writeln!(self.details, "\n{story}: rows {rows:?}").expect("written");
        for (statement, times) in often.into_iter().take(NAMED_MAX) {
            let shown: String = statement.chars().take(SHOWN_CHARS).collect();
            writeln!(self.details, "{times:>8} × {shown}").expect("written");
        }
    }

    /// Holds them against what is written down for a database, or writes them down.
    pub fn are_as_written_down(&self, database: &str) {
        let (path, written) = written_down(&format!("{database}.txt"), &self.table());
        let differ = self.differences(&read(&written));
        assert!(
            differ.is_empty(),
            "{}\n\nIf that is what the change is about, move the numbers: {MOVE}=1, or write into {}:\n\n{}\n{}",
            differ.join("\n"),
            path.display(),
            self.table(),
            self.details,
        );
    }

    fn differences(&self, written: &BTreeMap<String, Cost>) -> Vec<String> {
        let mut differ = Vec::new();
        for (story, found) in &self.found {
            let Some(expected) = written.get(*story) else {
                differ.push(format!("{story}: not written down"));
                continue;
            };
            for ((name, found), (_, expected)) in
                found.numbers().into_iter().zip(expected.numbers())
            {
                if found.abs_diff(expected) * TOLERANCE > expected {
                    let judged = if found < expected { "BETTER" } else { "WORSE" };
                    differ.push(format!("{judged}: {story}: {expected} {name} are now {found}"));
                }
            }
        }
        let told = |story: &str| self.found.iter().any(|(found, _)| *found == story);
        let gone = written.keys().filter(|story| !told(story));
        differ.extend(gone.map(|story| format!("{story}: written down, and not told any more")));
        differ
    }

    fn table(&self) -> String {
        let mut table = format!(
            "# What 1,000 of each cost. Moved by {MOVE}=1; see mod.rs.\n#{:37} | {:>10} | {:>10} | {:>10}\n",
            " story", "writes", "statements", "rows"
        );
        for (story, cost) in &self.found {
            let Cost { writes, statements, rows } = cost;
            writeln!(table, "{story:38} | {writes:>10} | {statements:>10} | {rows:>10}")
                .expect("written");
        }
        table
    }
}

/// What a file beside this one says, and where that is; before, whoever moves numbers has what is found written into
/// it. Tests run at the same time, so each has files of its own.
#[expect(clippy::disallowed_methods, reason = "whoever moves a number says so by hand")]
pub fn written_down(file: &str, found: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/guard").join(file);
    if std::env::var(MOVE).is_ok() && std::env::var("CI").is_err() {
        std::fs::write(&path, found).expect("written down");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    (path, written)
}

fn read(table: &str) -> BTreeMap<String, Cost> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = |at: usize| cells[at].parse().expect("a number");
        let cost = Cost { writes: number(1), statements: number(2), rows: number(3) };
        (cells[0].to_owned(), cost)
    };
    lines.map(read).collect()
}

#[test]
fn what_is_worse_and_what_is_better_both_say_so() {
    let begin = |times| Asked::from([("BEGIN IMMEDIATE".to_owned(), times)]);
    let mut written = Costs::default();
    written.note("stored", &begin(100), &BTreeMap::from([("webhooks".to_owned(), 1_000)]));
    let written = read(&written.table());
    let differences = |times, rows| {
        let mut found = Costs::default();
        found.note("stored", &begin(times), &BTreeMap::from([("webhooks".to_owned(), rows)]));
        found.differences(&written)
    };
    assert_eq!(differences(100, 1_000), [""; 0]);
    assert_eq!(differences(105, 950), [""; 0], "within the tolerance");
    assert_eq!(
        differences(106, 949),
        [
            "WORSE: stored: 100 writes are now 106",
            "WORSE: stored: 100 statements are now 106",
            "BETTER: stored: 1000 rows are now 949",
        ]
    );
    let mut other = Costs::default();
    other.note("applied", &begin(1), &BTreeMap::new());
    assert_eq!(
        other.differences(&written),
        ["applied: not written down", "stored: written down, and not told any more"]
    );
}
