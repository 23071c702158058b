//! What a change of rules leaves behind, and following it.

use super::views::RecomputeView;
use crate::app::App;
use crate::store::recomputes::{self, Recompute};
use crate::store::sites::Busy;
use crate::web::answer;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Nothing, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};

/// `GET /sites/{site}/recomputes/{id}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let look = move |app: &App| app.look(&site, |conn, _| Ok(recomputes::get(conn, &site, &id)?));
    let found = app.blocking(look);
    let recompute = found.await?.ok_or_else(|| Problem::not_found("recompute"))?;
    Ok(answer::thing(&request, &RecomputeView::from(&recompute)))
}

/// Works a recompute off where it is small enough to wait for, and no earlier one is before it;
/// answers how far it got.
pub fn work(app: &App, asked: &Recompute) -> Result<RecomputeView, Problem> {
    let mut recompute = asked.clone();
    while recompute.members <= app.inline_members_max() && recompute.finished_at.is_none() {
        let worked =
            is_next(app, &recompute)? && app.flow().recompute_batch(&asked.site_id, Busy::Wait)?;
        // Read even when nothing was left to work: the flow beside us may just have finished it.
        let found = app.store().read(|conn| recomputes::get(conn, &asked.site_id, &asked.id))?;
        recompute = found.unwrap_or(recompute);
        if !worked {
            break;
        }
    }
    if recompute.finished_at.is_none() {
        app.flow().wake();
    }
    Ok(RecomputeView::from(&recompute))
}

/// Works off what one write has asked for, as far as it is waited for.
pub fn work_all(app: &App, asked: &[Recompute]) -> Result<RecomputeView, Problem> {
    let mut view = RecomputeView { id: String::new(), members: 0, done: 0 };
    for recompute in asked {
        // They are worked off in order: behind one that is not waited for, none is begun, and the
        // last with anybody in it is the one to follow.
        if is_finished(&view) {
            view = work(app, recompute)?;
        } else if recompute.members > 0 {
            view = RecomputeView::from(recompute);
        }
    }
    Ok(view)
}

fn is_next(app: &App, recompute: &Recompute) -> Result<bool, Problem> {
    let next = app.store().read(|conn| recomputes::next(conn, &recompute.site_id))?;
    Ok(next.is_some_and(|next| next.id == recompute.id))
}

/// Whether a recompute is finished.
pub fn is_finished(view: &RecomputeView) -> bool {
    view.done == view.members
}
