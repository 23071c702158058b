//! How a destination stands, in words. What the API calls `ok` is what nothing speaks against: whether a destination
//! works is only seen once it has confirmed something.

use super::{ACCESS, Destination, PUSHES_COUNTED, PUSHES_COUNTED_MAX, Run, runs};
use crate::console::desk::{Desk, Listed, query, segment};
use crate::console::phrases;
use crate::console::refused::Refused;
use crate::core::Instant;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How a destination stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `good`, `warn`, `bad`, `info` or `neutral`.
    pub tone: &'static str,
    /// The word for it.
    pub word: &'static str,
    /// What it means, and what happens next.
    pub meaning: Cow<'static, str>,
}

const OFF: Standing = Standing {
    tone: "neutral",
    word: "switched off",
    meaning: Cow::Borrowed(
        "Nothing is sent. What changes meanwhile is kept, and sent once you switch it on.",
    ),
};

const OK: Standing = Standing {
    tone: "good",
    word: "ok",
    meaning: Cow::Borrowed("It confirms what it is sent, and changes are sent at once."),
};

const UNTRIED: Standing = Standing {
    tone: "info",
    word: "nothing confirmed yet",
    meaning: Cow::Borrowed(
        "It has confirmed nobody's access yet, so it is not seen yet whether it works. Changes are sent at once.",
    ),
};

const PAUSED: Standing = Standing {
    tone: "warn",
    word: "paused",
    meaning: Cow::Borrowed(
        "It has failed several times, so Latchkey leaves it alone for a while, and then tries again by itself.",
    ),
};

const BROKEN: Standing = Standing {
    tone: "bad",
    word: "broken",
    meaning: Cow::Borrowed(
        "It refuses Latchkey, so nothing is sent until you have mended that and tested it. Nothing is lost.",
    ),
};

/// One that has failed, is left alone no more, and has not been called since; with what [`next_call`] says of it.
pub fn unreached(next_call: Option<Instant>, now: Instant) -> Standing {
    let when = match next_call {
        None => "It is called again with the next change, or when you test it.".to_owned(),
        Some(at) if at <= now => "It is called again by itself in a moment.".to_owned(),
        Some(at) => format!(
            "It is called again by itself, on {} at the latest; before that with the next change, or when you test it.",
            phrases::instant(&at.to_rfc3339())
        ),
    };
    let meaning =
        format!("It failed when it was last called, and has not been called since. {when}");
    Standing { tone: "warn", word: "not reached yet", meaning: Cow::Owned(meaning) }
}

impl Standing {
    /// How a destination stands at an instant, by whether it has ever confirmed anything and by its [`next_call`].
    pub fn of(
        destination: &Destination,
        has_confirmed: bool,
        next_call: Option<Instant>,
        now: Instant,
    ) -> Self {
        match destination.state.as_str() {
            _ if !destination.enabled => OFF,
            "ok" if !has_confirmed => UNTRIED,
            "ok" => OK,
            "paused" if destination.is_pause_over(now) => unreached(next_call, now),
            "paused" => PAUSED,
            _ => BROKEN,
        }
    }
}

/// By when a destination that was left alone until now is called again by itself; `None` where nothing waits for it,
/// and where it stands otherwise. What it did not take mostly waits for longer than it is left alone.
pub async fn next_call(
    desk: &Desk,
    site_id: &str,
    destination: &Destination,
    now: Instant,
) -> Result<Option<Instant>, Refused> {
    #[derive(Deserialize)]
    struct Push {
        next_attempt_at: Option<Instant>,
    }
    if !destination.is_paused() || !destination.is_pause_over(now) {
        return Ok(None);
    }
    if runs(desk, site_id, &destination.id).await?.iter().any(Run::is_looking) {
        return Ok(Some(now));
    }
    let limit = PUSHES_COUNTED_MAX.to_string();
    let mut next = None;
    for status in ["pending", "retrying"] {
        let of = [("destination", &*destination.id), ("status", status), ("limit", &*limit)];
        let path = format!("/sites/{}/pushes{}", segment(site_id), query(&of));
        let found: Listed<Push> = desk.get(&path).await?;
        let waiting = found.items.into_iter().filter_map(|push| push.next_attempt_at);
        next = waiting.chain(next).min();
    }
    Ok(next)
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
/// added, or before it was told of their level. 0 also where a run is about to tell it, where one has found that they
/// have it there already, and where it was told of more members than are counted here.
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
        wanted_at: Instant,
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
    let pushed: Vec<&Push> = found.items.iter().filter(|push| push.what == ACCESS).collect();
    let number = |pushes: usize| i64::try_from(pushes).unwrap_or(i64::MAX);
    let left = holders.saturating_sub(number(pushed.len()));
    if left <= 0 || found.next_cursor.is_some() {
        return Ok(0);
    }
    let runs = runs(desk, site_id, &destination.id).await?;
    if runs.iter().any(Run::is_open) {
        return Ok(0);
    }
    // … and none for who was looked at there and has it already.
    let mut compared = runs.iter().filter(|_| destination.is_compared());
    let Some((run, left_out)) = compared.find_map(|run| Some((run, run.left_out()?))) else {
        return Ok(left);
    };
    // Nobody was looked at for the sake of a level that was added after that; of its holders, all were never told but
    // those who were looked at for another level, and those whose access has changed since.
    let since = pushed.iter().filter(|push| run.has_ended_before(push.wanted_at)).count();
    let unmet = holders.saturating_sub(run.done).saturating_sub(number(since));
    Ok(left.min(left_out.max(unmet)))
}
