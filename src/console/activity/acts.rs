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
    act(&desk, path.into_inner(), "replay", "It was judged and applied again").await
}

/// `POST /sites/{site}/activity/{id}/discard`
pub async fn discard(
    desk: Desk,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    act(&desk, path.into_inner(), "discard", "It counts no more").await
}

/// `POST /sites/{site}/activity/{id}/restore`
pub async fn restore(
    desk: Desk,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    act(&desk, path.into_inner(), "restore", "It counts again").await
}

async fn act(
    desk: &Desk,
    (site, id): (String, String),
    act: &str,
    done: &str,
) -> Result<HttpResponse, Refused> {
    let path = format!("/sites/{}/webhooks/{}/{act}", segment(&site), segment(&id));
    let flash = match desk.post(&path, &json!({})).await {
        Ok(answered) => {
            let Done { status } = read(answered.body)?;
            let label = phrases::status(&status).map_or(&*status, |status| status.label);
            Flash::success(format!("{done}: {}.", label.to_lowercase()))
        }
        // Somebody else was quicker: the page shows how it is now.
        Err(refused) if refused.is_of_input() => refused.flash(),
        Err(refused) => return Err(refused),
    };
    Ok(desk.go(&format!("/sites/{}/activity/{}", segment(&site), segment(&id)), Some(flash)))
}
