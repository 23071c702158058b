//! The list of members as a table to open in a spreadsheet: all that fit, however many they are.

use super::{Asked, Member};
use crate::console::desk::{Desk, Listed, segment};
use crate::console::refused::Refused;
use crate::web::spreadsheet;
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream::unfold;

/// The first line.
const COLUMNS: [&str; 6] =
    ["email", "member_id", "levels", "level_until", "next_change_at", "created_at"];

/// How far a download is.
enum At {
    Page(Listed<Member>),
    End,
}

/// `GET /sites/{site}/members.csv`: page by page as they are read, so that nothing keeps all of them.
pub async fn csv(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let asked = asked.0;
    // What is refused is refused as a page, before anything is sent.
    let first = page(&desk, &site.id, &asked, "").await?;
    let name = format!("attachment; filename=\"members-{}.csv\"", site.id);
    let state = (desk, site.id, asked, At::Page(first), true);
    let lines = unfold(state, |(desk, site_id, asked, at, is_first)| async move {
        let At::Page(listed) = at else { return None };
        let mut sent = if is_first { spreadsheet::lines([COLUMNS.to_vec()]) } else { Vec::new() };
        sent.extend(rows(&listed.items));
        let next = match &listed.next_cursor {
            Some(cursor) => page(&desk, &site_id, &asked, cursor).await.map(At::Page),
            None => Ok(At::End),
        };
        // A file that ends too early is cut, so that whoever downloads it is told.
        let (sent, next) = match next {
            Ok(next) => (Ok(Bytes::from(sent)), next),
            Err(_) => (Err(ErrorInternalServerError("the list could not be read on")), At::End),
        };
        Some((sent, (desk, site_id, asked, next, false)))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines))
}

async fn page(
    desk: &Desk,
    site_id: &str,
    asked: &Asked,
    cursor: &str,
) -> Result<Listed<Member>, Refused> {
    let all = asked.query_of(cursor, PER_PAGE);
    desk.get(&format!("/sites/{}/members{all}", segment(site_id))).await
}

/// Members that are read at once.
const PER_PAGE: &str = "500";

fn rows(members: &[Member]) -> Vec<u8> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = members.iter().map(|member| {
        [
            member.email.clone(),
            text(&member.id),
            member.levels.join(" "),
            text(&member.until),
            text(&member.next_change_at),
            text(&member.created_at),
        ]
    });
    let cells: Vec<[String; 6]> = cells.collect();
    spreadsheet::lines(cells.iter().map(|row| row.iter().map(String::as_str).collect()))
}
