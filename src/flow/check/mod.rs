//! Compares all that is derived with what the observations, mappings and overrides say it should be.
//!
//! It goes the other way round than [`super::rebuild`]: it draws the picture from the bodies, with the
//! pure core alone, and trusts no recorded row. So that its memory does not grow with all that is known of
//! a site, it draws the picture in parts. [`survey`] reads everything once and keeps only how it hangs
//! together ([`kin`]); then each part is read, drawn and compared ([`part`]); at last whatever is recorded
//! and belongs to no part is found ([`surplus`]).

mod kin;
mod part;
mod surplus;
mod survey;

use super::settle::Bench;
use super::{Flow, FlowError};
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::counts::Rows;
use part::Compared;
use survey::Survey;

/// Webhooks of one part: few enough for a picture of a few megabytes.
const PART_WEBHOOKS: usize = 5_000;

/// A row that is not what the observations, mappings and overrides say it should be. It names ids
/// only, never a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Discrepancy {
    /// The kind of row: event, purchase, lead, member, level.
    pub what: &'static str,
    /// Which one.
    pub id: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The steps of a check, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Webhooks are read for how they hang together.
    Read,
    /// They are read again, part by part, and compared with what is recorded of them.
    Compare,
}

/// Compares everything that is recorded of a site with what it should be now.
pub fn check(flow: &Flow, site_id: &str) -> Result<Vec<Discrepancy>, FlowError> {
    check_in_parts(flow, site_id, PART_WEBHOOKS, |_, _, _| {})
}

/// As [`check`]; `progress` is told, after each batch, how many webhooks of how many are done.
pub fn check_with_progress(
    flow: &Flow,
    site_id: &str,
    progress: impl FnMut(Step, usize, usize),
) -> Result<Vec<Discrepancy>, FlowError> {
    check_in_parts(flow, site_id, PART_WEBHOOKS, progress)
}

/// As [`check`], in parts of at least so many webhooks.
pub fn check_in_parts(
    flow: &Flow,
    site_id: &str,
    webhooks_min: usize,
    progress: impl FnMut(Step, usize, usize),
) -> Result<Vec<Discrepancy>, FlowError> {
    flow.on_snapshot(site_id, |conn, bench| Ok(run(conn, bench, webhooks_min, progress)?))
}

fn run(
    conn: &mut Conn,
    bench: &Bench,
    webhooks_min: usize,
    mut progress: impl FnMut(Step, usize, usize),
) -> Result<Vec<Discrepancy>> {
    let all = Rows::Webhooks.count(conn, &bench.site.id)?;
    let survey = Survey::of(conn, bench, |done| progress(Step::Read, done, all))?;
    let (mut compared, mut done) = (Compared::default(), 0);
    loop {
        let ids = survey.part(done, webhooks_min.max(1));
        if ids.is_empty() {
            break;
        }
        done += ids.len();
        let should = survey::events_of(conn, bench, &ids)?;
        compared.part(conn, bench, &should)?;
        progress(Step::Compare, done, survey.len());
    }
    drop(survey);
    let mut found = surplus::find(conn, bench, compared)?;
    found.sort();
    Ok(found)
}
