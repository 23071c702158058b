//! How many flushes 1,000 webhooks cost, as it is written down and as it is found.

use super::costs::{MOVE, written_down};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A number may differ from what is written down by one part in so many. Which webhooks share a flush is chance, and so
/// is which commit leaves a log behind that is to be carried over; but groups come close to as many webhooks as there are
/// senders, and batches are full, so that a third is more than chance makes of either.
const TOLERANCE: u64 = 3;
/// By so much a number may differ however small it is: some flushes come by the clock, as that of a lease which is
/// renewed, and of few flushes one is a large part.
const BY_THE_CLOCK: u64 = 2;

/// Flushes for 1,000 webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushes {
    /// To store them.
    pub stored: u64,
    /// To apply them.
    pub applied: u64,
}

impl Flushes {
    fn numbers(self) -> [(&'static str, u64); 2] {
        [("stored", self.stored), ("applied", self.applied)]
    }

    /// Holds them against what is written down for a database, or writes them down.
    pub fn are_as_written_down(self, database: &str) {
        let (path, written) = written_down(&format!("fsyncs_{database}.txt"), &self.table());
        let differ = self.differences(&read(&written));
        assert!(
            differ.is_empty(),
            "{}\n\nIf that is what the change is about, move the numbers: {MOVE}=1, or write into {}:\n\n{}",
            differ.join("\n"),
            path.display(),
            self.table(),
        );
    }

    fn differences(self, written: &BTreeMap<String, u64>) -> Vec<String> {
        let mut differ = Vec::new();
        for (what, found) in self.numbers() {
            let Some(expected) = written.get(what).copied() else {
                differ.push(format!("{what}: not written down"));
                continue;
            };
            if found.abs_diff(expected) > (expected / TOLERANCE).max(BY_THE_CLOCK) {
                let judged = if found < expected { "BETTER" } else { "WORSE" };
                differ.push(format!("{judged}: {what}: {expected} flushes are now {found}"));
            }
        }
        differ
    }

    fn table(self) -> String {
        let mut table = format!("# Flushes for 1,000 webhooks. Moved by {MOVE}=1; see mod.rs.\n");
        for (what, flushes) in self.numbers() {
            writeln!(table, "{what:7} | {flushes:>3}").expect("written");
        }
        table
    }
}

fn read(table: &str) -> BTreeMap<String, u64> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (what, flushes) = line.split_once('|').expect("two cells");
        (what.trim().to_owned(), flushes.trim().parse().expect("a number"))
    };
    lines.map(read).collect()
}

#[test]
fn more_flushes_and_fewer_both_say_so() {
    let written = read(&Flushes { stored: 30, applied: 3 }.table());
    let differences = |stored, applied| Flushes { stored, applied }.differences(&written);
    assert_eq!(differences(30, 3), [""; 0]);
    assert_eq!(differences(40, 5), [""; 0], "within the tolerance");
    assert_eq!(differences(20, 1), [""; 0], "within the tolerance");
    assert_eq!(
        differences(41, 6),
        ["WORSE: stored: 30 flushes are now 41", "WORSE: applied: 3 flushes are now 6"]
    );
    assert_eq!(
        differences(19, 0),
        ["BETTER: stored: 30 flushes are now 19", "BETTER: applied: 3 flushes are now 0"]
    );
    assert_eq!(
        Flushes { stored: 30, applied: 3 }.differences(&BTreeMap::new()),
        ["stored: not written down", "applied: not written down"]
    );
}
