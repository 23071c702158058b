//! How a destination stands, in words. What the API calls `ok` is what nothing speaks against: whether a destination
//! works is only seen once it has confirmed something.

use super::{Destination, NONE};
use crate::core::Instant;

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
