//! One page of a run, from its claim to what is written down of it.

use super::Dispatch;
use super::observe::{MEMBERS_MAX, Seen, Subject, look};
use crate::core::Instant;
use crate::core::drift::{What, differences};
use crate::destinations::{Failure, Remote};
use crate::dispatch::note::stands;
use crate::dispatch::send::Became;
use crate::ids;
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination};
use crate::store::members::{self, Member};
use crate::store::pushes::{self, Push};
use crate::store::runs::{self, Found, Kind, Run, Stage};
use crate::store::sites::{self, Busy};
use crate::store::{Result, StoreError};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// How many members a resync goes over in one transaction, and how many failed pushes are taken up in one.
const WANTED_MAX: i64 = 500;
/// How much of what differs is written down for one run; all of it is counted.
pub const FOUND_MAX: i64 = 1_000;
/// How often a member is looked at in vain before the next one's turn comes.
const TRIES_MAX: i32 = 3;
/// How long after a look in vain the next one is.
const AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What is said of a run that cannot look.
const ONLY_TOLD: &str =
    "A signed webhook can be told, and not looked at: nothing is known of what its receiver holds.";

/// Goes on with a run by one page.
pub(super) async fn go_on(dispatch: Dispatch, run: Run, claim: String) {
    let (site_id, run_id) = (run.site_id.clone(), run.id.clone());
    if let Err(error) = page(dispatch, run, claim).await {
        // Its claim runs out, and whoever comes then tries again.
        tracing::error!(site_id, run_id, %error, "a run could not go on");
    }
}

async fn page(dispatch: Dispatch, run: Run, claim: String) -> Result<()> {
    let looks = run.stage == Stage::Walking && run.kind != Kind::Resync;
    if !looks {
        return blocking(move || dispatch.page_of_pushes(run, &claim)).await;
    }
    let (here, seen_by) = (dispatch.clone(), run.clone());
    let begun = blocking(move || {
        let key = (&seen_by.site_id, &seen_by.destination_id);
        let found = here.store().read_one(|conn| destinations::get(conn, key.0, key.1))?;
        let Some(destination) = found else { return Ok(None) };
        let opened = here.open(&destination)?;
        let (subjects, total) = match &opened.remote {
            Remote::Accounts(_) => here.subjects(&seen_by, &destination)?,
            Remote::Messages(_) => (Vec::new(), 0),
        };
        Ok(Some((destination, opened, subjects, total)))
    });
    let Some((destination, opened, subjects, total)) = begun.await? else { return Ok(()) };
    let (seen, cut) = match &opened.remote {
        Remote::Accounts(remote) => look(remote.as_ref(), &subjects).await,
        Remote::Messages(_) => (Vec::new(), None),
    };
    let only_told = matches!(opened.remote, Remote::Messages(_));
    let looked = Looked { destination, subjects, seen, cut, total, only_told };
    blocking(move || dispatch.write_down(run, &claim, looked)).await
}

/// Runs what waits for the database beside the calls that are under way.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(StoreError::Unavailable("the program is stopping".to_owned())))
}

/// What a page has seen.
struct Looked {
    destination: Destination,
    subjects: Vec<Subject>,
    /// Of the first subjects, as many as there was time for.
    seen: Vec<Seen>,
    /// What kept it from looking at the next one.
    cut: Option<Failure>,
    total: i64,
    /// Whether nothing can be looked at.
    only_told: bool,
}

impl Dispatch {
    /// A page that calls nobody: taking up what has failed, or wanting everybody pushed.
    fn page_of_pushes(&self, mut run: Run, claim: &str) -> Result<()> {
        let now = self.clock().now();
        let key = (run.site_id.clone(), run.destination_id.clone());
        self.store().write(|conn| {
            // As whoever changes access does: what is wanted is never set back behind it.
            let Some(site) = sites::lock(conn, &key.0, Busy::Wait)? else { return Ok(()) };
            let Some(destination) = destinations::get(conn, &key.0, &key.1)? else { return Ok(()) };
            if run.stage == Stage::Retrying {
                let taken = pushes::take_up_failed(conn, &destination, WANTED_MAX, now)?;
                if i64::try_from(taken).unwrap_or(i64::MAX) < WANTED_MAX {
                    run.stage = Stage::Walking;
                }
                return runs::go_on(conn, &run, claim, None).map(drop);
            }
            if run.total == 0 {
                run.total = runs::number(conn, &destination)?;
            }
            let ids = runs::after(conn, &destination, &run.reached, WANTED_MAX)?;
            run.done += count(ids.len());
            run.total = run.total.max(run.done);
            match ids.last() {
                Some(last) if count(ids.len()) == WANTED_MAX => run.reached.clone_from(last),
                _ => (run.stage, run.total) = (Stage::Settling, run.done),
            }
            if !runs::go_on(conn, &run, claim, None)? {
                return Ok(());
            }
            want(conn, &run, &destination, &ids, site.feed_position, now)
        })
    }

    /// Writes down what a page has seen.
    fn write_down(&self, mut run: Run, claim: &str, looked: Looked) -> Result<()> {
        let now = self.clock().now();
        self.store().write(|conn| {
            let Some(site) = sites::lock(conn, &run.site_id, Busy::Wait)? else { return Ok(()) };
            let before = run.found();
            let (found, differ) = compare(conn, &mut run, &looked)?;
            let again = looked.cut.as_ref().map(|_| now + AGAIN);
            run.detail = looked.cut.as_ref().map(ToString::to_string);
            run.total = looked.total.max(run.done);
            let is_whole = looked.cut.is_none() && looked.seen.len() == looked.subjects.len();
            if is_whole && count(looked.subjects.len()) < MEMBERS_MAX {
                (run.stage, run.finished_at) = (Stage::Finished, Some(now));
                run.total = run.done;
                run.detail = looked.only_told.then(|| ONLY_TOLD.to_owned());
            }
            if !runs::go_on(conn, &run, claim, again)? {
                return Ok(());
            }
            let room = usize::try_from(FOUND_MAX.saturating_sub(before)).unwrap_or_default();
            runs::find(conn, &run.site_id, found.get(..room).unwrap_or(&found))?;
            if run.kind == Kind::Repair {
                want(conn, &run, &looked.destination, &differ, site.feed_position, now)?;
            }
            if looked.seen.iter().any(|seen| !matches!(seen, Seen::Open)) {
                stands(conn, &looked.destination, &Became::Confirmed, now)?;
            }
            match looked.cut {
                Some(failure) => stands(conn, &looked.destination, &Became::Failed(failure), now),
                None => Ok(()),
            }
        })
    }
}

/// Compares what was seen with what is wanted, and counts it; answers what differs, and the members who do.
fn compare(conn: &mut Conn, run: &mut Run, looked: &Looked) -> Result<(Vec<Found>, Vec<String>)> {
    let pairs: Vec<(&Subject, &Seen)> = looked.subjects.iter().zip(&looked.seen).collect();
    let ids: Vec<String> = pairs.iter().map(|(subject, _)| subject.member_id.clone()).collect();
    let pushes = pushes::of_subjects(conn, &looked.destination, &ids)?;
    let pushes: BTreeMap<&str, &Push> =
        pushes.iter().map(|push| (push.subject.as_str(), push)).collect();
    let (mut found, mut differ) = (Vec::new(), Vec::new());
    for (subject, seen) in pairs {
        run.done += 1;
        run.reached.clone_from(&subject.member_id);
        run.tries = 0;
        match seen {
            Seen::Open => {}
            Seen::Refused(why) => found.push(unseen(run, subject, why)),
            Seen::Holds(holds) => {
                // Whoever was pushed meanwhile was seen before or after: it says nothing.
                if pushes.get(subject.member_id.as_str()).copied() != subject.push.as_ref() {
                    continue;
                }
                let owned = subject.push.as_ref().map(Push::owned).transpose()?;
                let owned = owned.unwrap_or_default();
                let all = differences(&subject.wanted, &owned, holds);
                if !all.is_empty() {
                    differ.push(subject.member_id.clone());
                }
                found.extend(all.into_iter().map(|(what, remote)| one(run, subject, what, remote)));
            }
        }
    }
    let next = looked.subjects.get(looked.seen.len());
    if let (Some(Failure::Unreached(why) | Failure::Unsure(why)), Some(next)) = (&looked.cut, next)
    {
        run.tries += 1;
        if run.tries >= TRIES_MAX {
            run.done += 1;
            run.reached.clone_from(&next.member_id);
            run.tries = 0;
            found.push(unseen(run, next, why));
        }
    }
    for one in &found {
        match one.what {
            What::Missing => run.missing += 1,
            What::Surplus => run.surplus += 1,
            What::Unseen => run.unseen += 1,
        }
    }
    Ok((found, differ))
}

fn one(run: &Run, subject: &Subject, what: What, remote: String) -> Found {
    let (run_id, subject) = (run.id.clone(), subject.member_id.clone());
    Found { run_id, subject, email: None, remote, what, detail: None }
}

fn unseen(run: &Run, subject: &Subject, why: &str) -> Found {
    let detail = Some(why.to_owned());
    Found { detail, ..one(run, subject, What::Unseen, String::new()) }
}

/// Wants some members pushed.
fn want(
    conn: &mut Conn,
    run: &Run,
    destination: &Destination,
    member_ids: &[String],
    position: i64,
    now: Instant,
) -> Result<()> {
    let push = |member: Member| Push {
        adopts: run.adopts,
        run_id: Some(run.id.clone()),
        ..Push::of_member(destination, ids::new(), &member.id, &member.email, position, now)
    };
    let all = members::with_ids(conn, &run.site_id, member_ids)?;
    pushes::want(conn, &all.into_iter().map(push).collect::<Vec<_>>())
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
