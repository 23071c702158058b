//! Replaying all that a page of the list shows, after what was wrong with it has been put right.

use super::{Asked, ListPage};
use crate::console::desk::{Desk, read, segment};
use crate::console::guard::Fields;
use crate::console::phrases;
use crate::console::refused::Refused;
use crate::console::shell::Flash;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

/// What is worth a replay: it counted for nothing, and may now.
const REPLAYED: [&str; 3] = ["rejected", "unreadable", "failed"];
/// Webhooks that are replayed at once: as many as a page of the list shows.
const REPLAYED_MAX: usize = 50;

impl ListPage {
    /// Those on the page that can be replayed together; none where the list is not of such, or the key may not.
    pub(super) fn replayable(&self) -> Vec<&str> {
        if !self.shell.may_support || !REPLAYED.contains(&self.asked.status.as_str()) {
            return Vec::new();
        }
        self.webhooks.items.iter().map(|webhook| webhook.id.as_str()).collect()
    }
}

/// What became of one.
#[derive(Deserialize)]
struct Done {
    status: String,
}

/// `POST /sites/{site}/activity/replay-all`: the webhooks that the form names, one after the other.
pub async fn replay(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (mut all, mut counting) = (0, 0);
    for id in fields.all("id").take(REPLAYED_MAX) {
        let path = format!("/sites/{}/webhooks/{}/replay", segment(&site), segment(id));
        all += 1;
        match desk.post(&path, &json!({})).await {
            Ok(answered) => {
                let Done { status } = read(answered.body)?;
                counting += usize::from(counts(&status));
            }
            // Somebody else was quicker, or it has aged out: the list shows how it is now.
            Err(refused) if refused.is_of_input() || refused.is_not_found() => {}
            Err(refused) => return Err(refused),
        }
    }
    let status = phrases::status(fields.get("status")).map_or("", |status| status.word);
    let asked = Asked { q: fields.get("q").trim().to_owned(), ..Asked::default() };
    let list = format!("/sites/{}/activity{}", segment(&site), asked.query(status, ""));
    Ok(desk.go(&list, Some(told(all, counting))))
}

/// Whether a webhook says something that is heeded, be it only once its product is mapped; a duplicate is as good as
/// the webhook whose twin it is.
fn counts(status: &str) -> bool {
    matches!(status, "applied" | "held" | "duplicate")
}

/// How many of them count now.
fn told(all: usize, counting: usize) -> Flash {
    let text = match (all, counting) {
        (0, _) => return Flash::danger("There was nothing to replay."),
        (1, 1) => "It was replayed, and counts now.".to_owned(),
        (1, _) => "It was replayed, and does not count, or not yet: it says why.".to_owned(),
        _ if counting == all => format!("All {all} were replayed, and count now."),
        _ => {
            let count = if counting == 1 { "counts" } else { "count" };
            format!(
                "{all} were replayed: {counting} of them {count} now. The others do not, or not yet: each says why."
            )
        }
    };
    let tone = if counting == all { "success" } else { "warning" };
    Flash { tone: tone.to_owned(), text }
}
