//! How a destination stands, in words. What the API calls `ok` is what nothing speaks against: whether a destination
//! works is only seen once it has confirmed something.

use super::{ACCESS, Destination, PUSHES_COUNTED, PUSHES_COUNTED_MAX, Run, runs};
use crate::console::desk::{Desk, Listed, query, segment};
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

/// One that has failed, and is called again only when there is something to say to it.
pub const UNREACHED: Standing = Standing {
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
    /// How a destination stands at an instant, and by whether it has ever confirmed anything.
    pub fn of(destination: &Destination, has_confirmed: bool, now: Instant) -> Self {
        match destination.state.as_str() {
            _ if !destination.enabled => OFF,
            "ok" if !has_confirmed => UNTRIED,
            "ok" => OK,
            "paused" if destination.is_pause_over(now) => UNREACHED,
            "paused" => PAUSED,
            _ => BROKEN,
        }
    }
}

/// Whether a destination, or any of a site (`None`), has ever confirmed one of its newest pushes. What is wanted anew is
/// no longer done, and still says when it was.
pub async fn ever_confirmed(desk: &Desk, site_id: &str, id: Option<&str>) -> Result<bool, Refused> {
    #[derive(Deserialize)]
    struct Push {
        done_at: Option<String>,
    }
    let limit = PUSHES_COUNTED_MAX.to_string();
    let asked = query(&[("destination", id.unwrap_or_default()), ("limit", &limit)]);
    let path = format!("/sites/{}/pushes{asked}", segment(site_id));
    let found: Listed<Push> = desk.get(&path).await?;
    Ok(found.items.iter().any(|push| push.done_at.is_some()))
}

/// How many members, at least, have access that a destination was never told of: they had it before the destination was
/// added. 0 also where a run is about to tell it, where one has found that they have it there already, and where it was
/// told of more members than are counted here.
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
    // There is one push for each member that it was ever to be told of, whatever became of it …
    let id = segment(&destination.id);
    let site = segment(site_id);
    let path = format!("/sites/{site}/pushes?destination={id}&limit={PUSHES_COUNTED}");
    let found: Listed<Push> = desk.get(&path).await?;
    let pushed = found.items.iter().filter(|push| push.what == ACCESS).count();
    let left = holders.saturating_sub(i64::try_from(pushed).unwrap_or(i64::MAX));
    if left <= 0 || found.next_cursor.is_some() {
        return Ok(0);
    }
    let runs = runs(desk, site_id, &destination.id).await?;
    if runs.iter().any(Run::is_open) {
        return Ok(0);
    }
    // … and none for who was looked at there and has it already.
    let left_out = runs.iter().filter(|_| destination.is_compared()).find_map(Run::left_out);
    Ok(left_out.map_or(left, |left_out| left.min(left_out)))
}
