//! Puts an answer into sentences that support can paste to a customer.
//!
//! The first line says what is held and when, with the time and its zone; from there on a day of UTC is
//! enough, but for what happens on that very day. One line a level says why it is had or is not, what
//! will end it, and that nothing else gives it; whatever else was considered has a line of its own. What
//! operators wrote for each other is left out.
//!
//! A level "counts from" an instant: whoever it is told of may have come through the door only later, when a mapping
//! was made that reaches back.

mod clause;
#[cfg(test)]
mod golden;

use super::Instant;
use super::access::{Answer, Block, Considered, Held};
use super::grant::Reason;
use chrono::NaiveTime;
use clause::{capitalised, clause, giver, held_purchase, is_to_come};
use std::collections::BTreeMap;

/// Names of levels by their id; a level that is not in here is called by its id.
pub type Names = BTreeMap<String, String>;

/// Why a member holds what they hold, one sentence a line; only about `level` where one is named.
#[must_use]
pub fn sentences(email: &str, answer: &Answer, names: &Names, level: Option<&str>) -> Vec<String> {
    let teller = Teller { answer, names };
    let levels: Vec<&str> = level.map_or_else(|| teller.levels(), |level| vec![level]);
    let mut lines = vec![teller.held_at(email, level)];
    let everything = answer.blocks.iter().filter(|block| block.level.is_none());
    if levels.is_empty() {
        lines.extend(everything.map(|b| format!("Every level is blocked {}.", teller.block(b))));
    }
    lines.extend(levels.into_iter().flat_map(|level| teller.about(level)));
    let held = answer.considered.iter().filter(|c| c.level.is_none());
    lines.extend(held.filter_map(|c| held_purchase(c, answer.at)));
    if answer.considered.is_empty() && level.is_none() {
        lines.push(format!(
            "No purchase that could give a level, and no manual grant, is known of {email}."
        ));
    }
    lines
}

/// Why a grant gives its level, or does not, without a full stop; in the words of [`sentences`].
#[must_use]
pub fn because(considered: &Considered, names: &Names, at: Instant) -> String {
    let level = considered.level.as_deref().unwrap_or_default();
    clause(considered, names.get(level).map_or(level, String::as_str), at)
}

struct Teller<'a> {
    answer: &'a Answer,
    names: &'a Names,
}

impl<'a> Teller<'a> {
    fn name(&self, level: &'a str) -> &'a str {
        self.names.get(level).map_or(level, String::as_str)
    }

    fn when(&self, instant: Instant) -> String {
        clause::when(instant, self.answer.at)
    }

    /// The end of a level, which is no part of it: at midnight, the day alone would be read as the last one.
    fn end(&self, instant: Instant) -> String {
        if instant.time() == NaiveTime::MIN {
            return format!("{} at 00:00 UTC", instant.format("%-d %B %Y"));
        }
        self.when(instant)
    }

    /// The levels that there is something to say of: those held, then the others.
    fn levels(&self) -> Vec<&'a str> {
        let considered = self.answer.considered.iter().filter_map(|c| c.level.as_deref());
        let blocked = self.answer.blocks.iter().filter_map(|block| block.level.as_deref());
        let mut levels = Vec::new();
        for level in considered.chain(blocked) {
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        levels
    }

    fn held_at(&self, email: &str, level: Option<&'a str>) -> String {
        let at = self.answer.at.format("%-d %B %Y at %H:%M UTC");
        let is_held = |level| self.answer.levels.iter().any(|held| held.level == level);
        let what = match level {
            Some(level) if is_held(level) => format!("has {}", self.name(level)),
            Some(level) => format!("does not have {}", self.name(level)),
            None if self.answer.levels.is_empty() => "has no level".to_owned(),
            None => {
                let names = self.answer.levels.iter().map(|held| self.name(&held.level));
                format!("has {}", names.collect::<Vec<_>>().join(" and "))
            }
        };
        format!("On {at}, {email} {what}.")
    }

    /// Everything about one level.
    fn about(&self, level: &str) -> Vec<String> {
        let of_level = |c: &&Considered| c.level.as_deref() == Some(level);
        let mine: Vec<&Considered> = self.answer.considered.iter().filter(of_level).collect();
        if let Some(held) = self.answer.levels.iter().find(|held| held.level == level) {
            let (givers, others): (Vec<_>, Vec<_>) = mine.into_iter().partition(|c| c.held);
            let main = self.is_held(held, &givers);
            return self.with_others(vec![main], &others, level);
        }
        let (blocked, others): (Vec<_>, Vec<_>) =
            mine.into_iter().partition(|c| c.reason == Reason::Blocked);
        let mut lines = self.is_blocked(level, &blocked);
        if !blocked.is_empty() {
            return self.with_others(lines, &others, level);
        }
        let Some(last) = last_of(&others) else {
            lines.push(format!(
                "No purchase and no manual grant is known that gives {}.",
                self.name(level)
            ));
            return lines;
        };
        lines.push(self.is_not_held(level, last));
        let others: Vec<&Considered> =
            others.into_iter().filter(|c| !std::ptr::eq(*c, last)).collect();
        self.with_others(lines, &others, level)
    }

    fn is_held(&self, held: &Held, givers: &[&Considered]) -> String {
        let name = self.name(&held.level);
        let until = held.until.map_or(", with no known end,".to_owned(), |until| {
            format!(" and ends on {},", self.end(until))
        });
        let why: Vec<String> = givers.iter().map(|c| clause(c, name, self.answer.at)).collect();
        format!(
            "{name} counts from {}{until} because {}; nothing else gives {name}.",
            self.when(held.since),
            why.join(", and because "),
        )
    }

    fn is_not_held(&self, level: &str, last: &Considered) -> String {
        let name = self.name(level);
        let why = clause(last, name, self.answer.at);
        let what = match last.gave.and_then(|gave| gave.until) {
            Some(ended) => format!("{name} ended on {}", self.end(ended)),
            None if is_to_come(last) => format!("{name} is not given yet"),
            None => format!("{name} was never given"),
        };
        format!("{what} because {why}; nothing else gives {name}.")
    }

    /// The blocks that lie on a level, and what they keep from giving it.
    fn is_blocked(&self, level: &str, blocked: &[&Considered]) -> Vec<String> {
        let blocks = self.answer.blocks.iter();
        let on_it = blocks.filter(|block| block.level.as_deref().is_none_or(|l| l == level));
        let blocks: Vec<String> = on_it.map(|block| self.block(block)).collect();
        if blocks.is_empty() {
            return Vec::new();
        }
        let line = format!("{} is blocked {}", self.name(level), blocks.join(", and "));
        if blocked.is_empty() {
            return vec![line + "."];
        }
        let givers: Vec<String> = blocked.iter().map(|c| giver(c, self.answer.at)).collect();
        vec![format!("{line}; without that, {} would give it.", givers.join(" and "))]
    }

    fn block(&self, block: &Block) -> String {
        let why = match block.chargeback.as_ref().map(|event| event.transaction_id.as_deref()) {
            None => "by hand".to_owned(),
            Some(None) => "because of a chargeback".to_owned(),
            Some(Some(id)) => format!("because of the chargeback {id}"),
        };
        let until = block.stretch.until.map(|until| format!(" until {}", self.end(until)));
        format!("{why} since {}{}", self.when(block.stretch.from), until.unwrap_or_default())
    }

    /// Adds a line for each grant that gives nothing.
    fn with_others(
        &self,
        mut lines: Vec<String>,
        others: &[&Considered],
        level: &str,
    ) -> Vec<String> {
        let name = self.name(level);
        lines.extend(others.iter().map(|c| {
            let why = capitalised(&clause(c, name, self.answer.at));
            match c.gave.and_then(|gave| gave.until) {
                Some(ended) => format!("{why}; since {} it gives no {name}.", self.when(ended)),
                None if is_to_come(c) => format!("{why}."),
                None => format!("{why}; it gives no {name}."),
            }
        }));
        lines
    }
}

/// The one that gave the level longest: the level went with it.
fn last_of<'a>(considered: &[&'a Considered]) -> Option<&'a Considered> {
    let ended = |c: &Considered| c.gave.and_then(|gave| gave.until);
    considered.iter().copied().max_by_key(|c| (ended(c), is_to_come(c)))
}
