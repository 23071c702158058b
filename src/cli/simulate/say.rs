//! What is printed about a run.

use std::io::Write;

use serde_json::Value;

use super::check::Comparison;
use super::send::Tally;
use super::{Outcome, Simulate};

impl Simulate {
    /// Prints what became of the messages, what should come of them, and how that compares; then what to do.
    pub(super) fn say(&self, tally: &Tally, outcome: Option<&Outcome>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let comparison = outcome.and_then(|outcome| outcome.comparison.as_ref());
        if self.json {
            let mut answer = tally.json();
            if let Some(answer) = answer.as_object_mut() {
                let expected = outcome.map_or(Value::Null, |outcome| outcome.summary.json());
                answer.insert("expected".to_owned(), expected);
                let check = comparison.map_or(Value::Null, Comparison::json);
                answer.insert("check".to_owned(), check);
            }
            writeln!(out, "{answer}")?;
        } else {
            self.print(&mut out, tally)?;
            if let Some(outcome) = outcome {
                outcome.summary.print(&mut out, !self.check)?;
            }
            if let Some(comparison) = comparison {
                comparison.print(&mut out)?;
            }
        }
        for line in self.advice(tally, comparison) {
            writeln!(std::io::stderr(), "{line}")?;
        }
        Ok(())
    }

    fn print(&self, out: &mut impl Write, tally: &Tally) -> std::io::Result<()> {
        let (sent, seconds) = (tally.sent(), tally.seconds);
        let members = self.members;
        writeln!(out, "Sent {sent} messages about {members} members in {seconds:.1} seconds.")?;
        for (reading, count) in &tally.readings {
            writeln!(out, "  {count:>9}  {reading}")?;
        }
        if tally.duplicates > 0 {
            writeln!(out, "  {:>9}  of these were sent before", tally.duplicates)?;
        }
        if tally.waited > 0 {
            let waited = tally.waited;
            writeln!(out, "  {waited:>9}  times waited, as a 503 asked to")?;
        }
        writeln!(out, "  {:>9}  failed", tally.failed())?;
        for (why, count) in &tally.failures {
            writeln!(out, "  {count:>9}    {why}")?;
        }
        if tally.lost > 0 {
            writeln!(out, "  {:>9}  lost on purpose", tally.lost)?;
        }
        if tally.unsent > 0 {
            writeln!(out, "  {:>9}  not sent", tally.unsent)?;
        }
        Ok(())
    }

    fn advice(&self, tally: &Tally, comparison: Option<&Comparison>) -> Vec<String> {
        let mut lines = Vec::new();
        let origin = self.to.origin().ascii_serialization();
        if tally.refused {
            lines.push(format!(
                "The connection was refused: is Latchkey running at {origin}? Start it with `latchkey serve`."
            ));
        }
        if tally.failures.keys().any(|why| why.starts_with("404")) {
            lines.push(format!(
                "{origin} answered 404: copy the webhook URL of the site again, its token is not known there."
            ));
        }
        if tally.has_rejected() {
            lines.push(
                "The site has another IPN secret than these messages: pass it with --ipn-secret."
                    .to_owned(),
            );
        }
        if (self.check || self.expected.is_some()) && !tally.is_complete() {
            lines.push(
                "Not every message was accepted, so nobody can say what access should result."
                    .to_owned(),
            );
        }
        if comparison.is_some_and(|comparison| !comparison.is_equal()) {
            lines.push(
                "`latchkey explain <e-mail>` says why. What this seed told the site before, what was decided there by hand, \
                 and what is held open there because too many would have lost it at once counts there too: to begin \
                 anew, take another --seed, and a site whose max_revocations is null."
                    .to_owned(),
            );
        }
        lines
    }
}
