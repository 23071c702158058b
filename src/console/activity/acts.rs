//! What an operator does about a webhook.

use crate::console::desk::{Desk, read, segment};
use crate::console::phrases;
use crate::console::refused::Refused;
use crate::console::shell::Flash;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

/// What became of it.
#[derive(Deserialize)]
struct Done {
    status: String,
}

/// `POST /sites/{site}/activity/{id}/replay`
pub async fn replay(
    desk: Desk,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    act(&desk, path.into_inner(), "replay").await
}

/// `POST /sites/{site}/activity/{id}/discard`
pub async fn discard(
    desk: Desk,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    act(&desk, path.into_inner(), "discard").await
}

/// `POST /sites/{site}/activity/{id}/restore`
pub async fn restore(
    desk: Desk,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    act(&desk, path.into_inner(), "restore").await
}

async fn act(
    desk: &Desk,
    (site, id): (String, String),
    act: &str,
) -> Result<HttpResponse, Refused> {
    let path = format!("/sites/{}/webhooks/{}/{act}", segment(&site), segment(&id));
    let flash = match desk.post(&path, &json!({})).await {
        Ok(answered) => {
            let Done { status } = read(answered.body)?;
            told(act, &status)
        }
        // Somebody else was quicker: the page shows how it is now.
        Err(refused) if refused.is_of_input() => refused.flash(),
        Err(refused) => return Err(refused),
    };
    Ok(desk.go(&format!("/sites/{}/activity/{}", segment(&site), segment(&id)), Some(flash)))
}

/// What became of it, in the tone of that: only what was applied is good news.
fn told(act: &str, status: &str) -> Flash {
    let known = phrases::status(status);
    let label = known.map_or(status, |known| known.label).to_lowercase();
    let text = match (act, status) {
        ("discard", _) => return Flash::success(format!("It counts no more: {label}.")),
        ("replay", "applied") => format!("It was judged and applied again: {label}."),
        ("replay", "unreadable") => "Still unreadable: nothing was applied.".to_owned(),
        ("replay", "pending") => "It waits to be judged and applied again.".to_owned(),
        ("replay", _) => format!("It was judged again: {label}."),
        (_, "rejected") => {
            "It is restored, but rejected: it does not count, as its secret key is not the IPN \
                            secret of the settings."
                .to_owned()
        }
        (_, "unreadable") => "It is restored, but cannot be read: it does not count.".to_owned(),
        (_, "pending") => "It is restored, and waits to be applied.".to_owned(),
        (_, "applied" | "held") => format!("It counts again: {label}."),
        _ => format!("It is discarded no longer: {label}."),
    };
    let tone = match known.map_or("", |known| known.tone) {
        "good" => "success",
        "warn" | "bad" => "warning",
        _ => "info",
    };
    Flash { tone: tone.to_owned(), text }
}
