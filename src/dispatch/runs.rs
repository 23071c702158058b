//! Goes over every member of a destination, page by page.
//!
//! ```text
//! repair:   retrying → walking → finished      what has failed is taken up; whoever differs is pushed
//! observe:             walking → finished      whoever differs is written down
//! resync:              walking → settling → finished   everybody is pushed, and waited for
//! ```
//!
//! A page is claimed, for a while, like a push: where a process dies, another goes on from the last page that was
//! written down, and one that has lost its claim writes nothing. A look that fails ends its page; the run goes on when
//! the destination is called again.
//!
//! Absences that tests check: nobody is called different whose push is open, or has moved while they were looked at;
//! nothing of somebody else's is reported; a destination has one run at a time.

mod nightly;
mod observe;
mod page;

use super::{Dispatch, LEASE};
use crate::core::Instant;
use crate::ids;
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination};
use crate::store::pushes;
use crate::store::runs::{self, Kind, Run};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// How many pages may be under way at once in one process.
const UNDER_WAY_MAX: usize = 16;

/// What became of asking for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It has begun.
    Begun(Run),
    /// There is one already, which has to come to its end first.
    Open(Run),
}

/// Asks for a run at a destination. One that was broken is tried by it, as it may have been mended.
pub fn ask(
    conn: &mut Conn,
    destination: &Destination,
    kind: Kind,
    adopts: bool,
    now: Instant,
) -> Result<Asked> {
    if let Some(open) = runs::open(conn, &destination.site_id, &destination.id)? {
        return Ok(Asked::Open(open));
    }
    let run = Run::new(&destination.site_id, &destination.id, ids::new(), kind, now);
    let run = Run { adopts, ..run };
    runs::insert(conn, &run)?;
    let mut tried = destination.clone();
    tried.is_tried_again(now);
    destinations::stands(conn, &tried)?;
    Ok(Asked::Begun(run))
}

/// The pages that are under way in one process.
#[derive(Default)]
pub(super) struct Runs {
    under_way: JoinSet<()>,
}

impl Runs {
    /// Whether none is.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Comes when one has ended; never where none is under way.
    pub(super) async fn next_end(&mut self) {
        if self.under_way.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Begins runs whose time has come, ends those that are settled, and goes on with others; answers whether anything
    /// was done.
    pub(super) fn turn(&mut self, dispatch: &Dispatch, runtime: &Handle) -> Result<bool> {
        while self.under_way.try_join_next().is_some() {}
        let free = UNDER_WAY_MAX.saturating_sub(self.under_way.len());
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let now = dispatch.clock().now();
        let (nights, settled) = dispatch.store().read(|conn| {
            Ok::<_, crate::store::StoreError>((
                destinations::with_drift_due(conn, now)?,
                runs::settled(conn)?,
            ))
        })?;
        let mut any = !nights.is_empty() || !settled.is_empty();
        for destination in &nights {
            dispatch.begin_night(destination, now)?;
        }
        for run in &settled {
            dispatch.finish(run, now)?;
        }
        for seen in dispatch.store().read_one(|conn| runs::due(conn, now, limit))? {
            let claim = ids::new();
            let span = (now, now + LEASE);
            let claimed = dispatch.store().write(|conn| runs::claim(conn, &seen, &claim, span))?;
            let Some(run) = claimed else { continue };
            any = true;
            self.under_way.spawn_on(page::go_on(dispatch.clone(), run, claim), runtime);
        }
        Ok(any)
    }
}

impl Dispatch {
    /// Ends a run whose pushes are settled.
    fn finish(&self, run: &Run, now: Instant) -> Result<()> {
        self.store().write(|conn| {
            let failed = pushes::failed_of_run(conn, &run.site_id, &run.id)?;
            runs::finish(conn, run, failed, now)
        })
    }
}
