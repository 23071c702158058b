//! What a destination has that levels can be told as: roles, labels, tiers.

use super::existing;
use super::shapes::{config_of_a_kind, kinds};
use crate::app::App;
use crate::destinations::{Config, Offer, Offered};
use crate::web::auth::{Auth, Manage};
use crate::web::extract::{Json, Nothing, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a destination has that levels can be told as.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Remotes")]
pub(in crate::api) struct RemotesView {
    /// Whether the destination could be asked.
    ok: bool,
    /// What was seen there, those that belong together beside each other; none for a signed webhook, which is told the
    /// levels themselves.
    remotes: Vec<RemoteView>,
    /// Whether these are all; where not, other names can be written down, too.
    complete: bool,
    /// Whether the destination makes a name that it does not have when somebody is first given it.
    makes_missing: bool,
    /// Why it could not be asked, or why there may be more, in words; null where there is nothing to say.
    detail: Option<String>,
}

/// Something that a level can be told as.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Remote")]
struct RemoteView {
    /// What it is: a `role` of WordPress, a `label` or a `tier` of Ghost. A tier is no name of a level: it stands in
    /// `config.tiers`, beside the label whose holders get it.
    what: &'static str,
    /// What is written down for it.
    remote: String,
    /// What people call it; null where the destination does not say.
    name: Option<String>,
    /// Whether it can be given.
    usable: bool,
    /// Why not, in words; null where it can.
    detail: Option<String>,
}

impl From<Offer> for RemoteView {
    fn from(Offer { what, remote, name, unfit }: Offer) -> Self {
        Self { what, remote, name, usable: unfit.is_none(), detail: unfit }
    }
}

impl From<Result<Offered, String>> for RemotesView {
    fn from(found: Result<Offered, String>) -> Self {
        match found {
            Ok(Offered { offers, incomplete, makes_missing }) => Self {
                ok: true,
                remotes: offers.into_iter().map(RemoteView::from).collect(),
                complete: incomplete.is_none(),
                makes_missing,
                detail: incomplete,
            },
            Err(why) => Self {
                ok: false,
                remotes: Vec::new(),
                complete: false,
                makes_missing: false,
                detail: Some(why),
            },
        }
    }
}

/// A destination that is not there yet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskRemotes")]
pub struct Ask {
    /// Its kind.
    #[schemars(extend("enum" = kinds()))]
    kind: String,
    /// What its kind needs to call it.
    #[schemars(schema_with = "config_of_a_kind")]
    config: Config,
}

/// `GET /sites/{site}/destinations/{id}/remotes`
pub async fn remotes(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| app.look(&site, |conn, _| existing(conn, &site, &id)));
    let offered = app.dispatch().offered(&found.await?).await?;
    Ok(HttpResponse::Ok().json(RemotesView::from(offered)))
}

/// `POST /sites/{site}/destinations/remotes`: of a destination that is not there yet.
pub async fn remotes_of_unsaved(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Ask>,
) -> Result<HttpResponse, Problem> {
    let Ask { kind, config } = body.0;
    let opened = app.blocking(move |app| {
        app.look(&site, |_, _| Ok(()))?;
        super::checked::opened(app, &kind, config)
    });
    let offered = app.dispatch().offered_by(&opened.await?).await;
    Ok(HttpResponse::Ok().json(RemotesView::from(offered)))
}
