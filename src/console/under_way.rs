//! What a change has to compute again, and how far that is.

use super::desk::{Desk, segment};
use super::refused::Refused;
use serde::Deserialize;
use serde_json::Value;

/// Work over many members that goes on after the answer.
#[derive(Debug, Clone, Deserialize)]
pub struct UnderWay {
    /// Its id, to follow it by.
    pub id: String,
    /// How many members are concerned.
    pub members: i64,
    /// How many of them are done.
    pub done: i64,
}

/// What an address may say of it.
#[derive(Debug, Default, Deserialize)]
pub struct Followed {
    /// The id of what is followed.
    pub recompute: Option<String>,
    /// Where a page of a list begins.
    pub cursor: Option<String>,
}

impl UnderWay {
    /// What an answer of the API has left to do; `None` where nothing.
    pub fn of(answer: &Value) -> Option<Self> {
        let found: Self = serde_json::from_value(answer.get("recompute")?.clone()).ok()?;
        (found.done < found.members).then_some(found)
    }

    /// How far it is; `None` where nothing is followed, or it is not kept any more.
    pub async fn followed(
        desk: &Desk,
        site_id: &str,
        id: Option<&str>,
    ) -> Result<Option<Self>, Refused> {
        let Some(id) = id else { return Ok(None) };
        let path = format!("/sites/{}/recomputes/{}", segment(site_id), segment(id));
        match desk.get(&path).await {
            Ok(found) => Ok(Some(found)),
            Err(refused) if refused.is_not_found() => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.done < self.members
    }
}

/// Where to go on after a change, so that what it has left to do is followed there.
pub fn following(path: &str, answer: &Value) -> String {
    match UnderWay::of(answer) {
        Some(left) => format!("{path}?recompute={}", segment(&left.id)),
        None => path.to_owned(),
    }
}
