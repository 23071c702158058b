//! How a destination stands, in words. What the API calls `ok` is what nothing speaks against: whether a destination
//! works is only seen once it has confirmed something.

use super::{ACCESS, Destination, NONE, PUSHES_COUNTED, Run, runs};
use crate::console::desk::{Desk, Listed, segment};
use crate::console::refused::Refused;
use crate::core::Instant;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// `good`, `warn`, `bad`, `info` or `neutral`.
    pub tone: &'static str,
    /// The word for it.
    pub word: &'static str,
    /// What it means, and what happens next.
    pub meaning: &'static str,
}

const OFF: Standing = Standing {
    tone: "neutral",
    word: "switched off",
    meaning: "Nothing is sent. What changes meanwhile is kept, and sent once you switch it on.",
};

const OK: Standing = Standing {
    tone: "good",
    word: "ok",
    meaning: "It confirms what it is sent, and changes are sent at once.",
};

const UNTRIED: Standing = Standing {
    tone: "info",
    word: "nothing confirmed yet",
    meaning: "It has confirmed nobody's access yet, so it is not seen yet whether it works. Changes are sent at once.",
};

const UNREACHED: Standing = Standing {
    tone: "warn",
    word: "not reached yet",
    meaning: "It failed when it was last called, and has not been called since. It is called again with the next \
              change, or when you test it.",
};

const PAUSED: Standing = Standing {
    tone: "warn",
    word: "paused",
    meaning: "It has failed several times, so Latchkey leaves it alone for a while, and then tries again by itself.",
};

const BROKEN: Standing = Standing {
    tone: "bad",
    word: "broken",
    meaning: "It refuses Latchkey, so nothing is sent until you have mended that and tested it. Nothing is lost.",
};

impl Standing {
    /// How a destination stands at an instant; `confirmed` is how many pushes it has confirmed, in words.
    pub fn of(destination: &Destination, confirmed: &str, now: Instant) -> Self {
        match destination.state.as_str() {
            _ if !destination.enabled => OFF,
            "ok" if confirmed == NONE => UNTRIED,
            "ok" => OK,
            "paused" if destination.is_pause_over(now) => UNREACHED,
            "paused" => PAUSED,
            _ => BROKEN,
        }
    }
}

/// How many members, at least, have access that a destination was never told of: they had it before the destination was
/// added. 0 also where a run is about to tell it, and where it was told of more members than are counted here.
///
/// `held` says how many hold each level. Whoever holds several is one member, so only the level that most hold counts.
pub async fn untold(
    desk: &Desk,
    site_id: &str,
    destination: &Destination,
    held: &BTreeMap<String, i64>,
) -> Result<i64, Refused> {
    #[derive(Deserialize)]
    struct Push {
        what: String,
    }
    if !destination.enabled || !destination.is_told_of_access() {
        return Ok(0);
    }
    let told_of = held.iter().filter(|(level, _)| destination.is_told_of(level));
    let holders = told_of.map(|(_, members)| *members).max().unwrap_or_default();
    if holders == 0 {
        return Ok(0);
    }
    // There is one push for each member that it was ever to be told of, whatever became of it.
    let id = segment(&destination.id);
    let site = segment(site_id);
    let path = format!("/sites/{site}/pushes?destination={id}&limit={PUSHES_COUNTED}");
    let found: Listed<Push> = desk.get(&path).await?;
    let pushed = found.items.iter().filter(|push| push.what == ACCESS).count();
    let left = holders.saturating_sub(i64::try_from(pushed).unwrap_or(i64::MAX));
    if left <= 0 || found.next_cursor.is_some() {
        return Ok(0);
    }
    let is_being_told = runs(desk, site_id, &destination.id).await?.iter().any(Run::is_open);
    Ok(if is_being_told { 0 } else { left })
}
