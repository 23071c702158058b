//! A page of members: who may be wanted is looked up or looked through, and then answered.

use super::MemberView;
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::kartra::values::email;
use crate::flow::settle::Bench;
use crate::flow::{Dossier, past};
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::members::{self, Member};
use std::collections::BTreeMap;

/// How many members are answered for one page of now or later, which takes what is folded of them.
const ANSWERED_MAX: usize = 2_000;
/// How many members are answered for one page of an instant that is over, which takes all their events.
const ANSWERED_BEFORE_MAX: usize = 500;
/// How many of them are answered at once.
const ANSWERED_BEFORE_AT_ONCE: usize = 100;
/// After how many events no more members are answered for one page.
const EVENTS_READ_MAX: usize = 20_000;
/// How many members are looked through for one page, when few of them may be wanted.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// How many of them are read at once.
const LOOKED_THROUGH_AT_ONCE: usize = 1_000;
/// How many of those whose access changes by time alone until then are answered one by one; where there
/// are more, all members are looked through.
const DUE_MAX: usize = 1_000;

/// Which members a list is about.
pub struct Wanted {
    /// A part of the address, in lower case.
    pub q: Option<String>,
    /// A level that they hold.
    pub level: Option<String>,
    /// When they hold it.
    pub at: Instant,
    /// Only those whose level ends before this.
    pub ends_before: Option<Instant>,
}

/// A page, and the id of the last who was looked at, where more follow.
pub type Found = (Vec<MemberView>, Option<String>);

impl Wanted {
    /// A page of them. It is short where few of the many that were looked at are wanted.
    pub fn page(
        self,
        conn: &mut Conn,
        bench: &Bench,
        before: Option<String>,
        limit: i64,
    ) -> Result<Found> {
        let due = if self.level.is_some() && self.at >= bench.at {
            let rows = i64::try_from(DUE_MAX + 1).unwrap_or(i64::MAX);
            Some(members::due(conn, &bench.site.id, self.at, rows)?)
        } else {
            None
        };
        let few = due.as_ref().is_some_and(|due| due.len() <= DUE_MAX);
        let walk = Walk {
            is_over: self.at < bench.at,
            looks_at_record: due.is_some() && !few,
            due: due.filter(|_| few),
            wanted: self,
        };
        walk.page(conn, bench, before, limit)
    }

    /// Whether an answer is one that is asked for.
    fn fits(&self, answer: &Answer) -> bool {
        let Some(level) = &self.level else { return true };
        let held = answer.levels.iter().find(|held| held.level == *level);
        let ends = |until: Option<Instant>| {
            self.ends_before.is_none_or(|before| until.is_some_and(|until| until < before))
        };
        held.is_some_and(|held| ends(held.until))
    }
}

/// How the members are gone through.
struct Walk {
    wanted: Wanted,
    /// Whether the instant is over: then no record tells of it.
    is_over: bool,
    /// All whose access changes by time alone until then, where they are few and a level is asked for: of
    /// the others, the record tells who holds it.
    due: Option<Vec<Member>>,
    /// Whether they are many, so that each member is held against the record.
    looks_at_record: bool,
}

impl Walk {
    fn page(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        mut before: Option<String>,
        limit: i64,
    ) -> Result<Found> {
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_narrow = self.wanted.q.is_some() || self.looks_at_record;
        let (at_once, answered_max) = if self.is_over {
            (ANSWERED_BEFORE_AT_ONCE, ANSWERED_BEFORE_MAX)
        } else {
            (ANSWERED_MAX, ANSWERED_MAX)
        };
        let (mut items, mut looked_through, mut answered, mut events_read) = (vec![], 0, 0, 0);
        loop {
            // One more than the page shows tells whether there is a next page.
            let room = (enough + 1 - items.len()).min(at_once);
            let size = if is_narrow { LOOKED_THROUGH_AT_ONCE.max(room) } else { room };
            let mut batch = self.candidates(conn, bench, before.as_deref(), size + 1)?;
            let mut more = batch.len() > size;
            batch.truncate(size);
            looked_through += batch.len();
            before = batch.last().map(|member| member.id.clone()).or(before);
            self.narrow(conn, bench, &mut batch)?;
            if batch.len() > room {
                batch.truncate(room);
                more = true;
                before = batch.last().map(|member| member.id.clone());
            }
            answered += batch.len();
            let (answers, events) = self.answers(conn, bench, &batch)?;
            events_read += events;
            let found = batch.into_iter().zip(answers);
            let wanted = found.filter(|(_, answer)| self.wanted.fits(answer));
            let level = self.wanted.level.as_deref();
            items.extend(wanted.map(|(member, answer)| MemberView::of(member, answer, level)));
            if items.len() > enough {
                items.truncate(enough);
                let last = items.last().and_then(|view: &MemberView| view.id.clone());
                return Ok((items, last));
            }
            let tired = answered >= answered_max
                || looked_through >= LOOKED_THROUGH_MAX
                || events_read >= EVENTS_READ_MAX;
            if !more || tired {
                return Ok((items, before.filter(|_| more)));
            }
        }
    }

    /// Members before an id, newest first, among whom are those that are wanted.
    fn candidates(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>> {
        let site_id = &bench.site.id;
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let is_before = |member: &Member| before.is_none_or(|before| member.id.as_str() < before);
        if let Some(address) = self.wanted.q.as_deref().and_then(email)
            && let Some(member) = members::with_email(conn, site_id, &address)?
        {
            return Ok(Some(member).into_iter().filter(is_before).collect());
        }
        let (Some(level), Some(due)) = (&self.wanted.level, &self.due) else {
            return members::list(conn, site_id, before, rows);
        };
        let holders = members::holders(conn, site_id, level, before, rows)?;
        let due = due.iter().filter(|member| is_before(member)).cloned();
        let all: BTreeMap<String, Member> =
            holders.into_iter().chain(due).map(|member| (member.id.clone(), member)).collect();
        Ok(all.into_values().rev().take(limit).collect())
    }

    /// Leaves those who may be wanted, as far as it can be told without an answer.
    fn narrow(&self, conn: &mut Conn, bench: &Bench, batch: &mut Vec<Member>) -> Result<()> {
        if let Some(q) = &self.wanted.q {
            batch.retain(|member| member.email.contains(q));
        }
        if let (Some(level), true) = (&self.wanted.level, self.looks_at_record) {
            let ids: Vec<String> = batch.iter().map(|member| member.id.clone()).collect();
            let recorded = members::recorded(conn, &bench.site.id, &ids)?;
            let at = self.wanted.at;
            batch.retain(|member| {
                let held = recorded.get(&member.id);
                held.is_some_and(|held| held.iter().any(|held| held.level == *level))
                    || member.next_change_at.is_some_and(|next| next.and_utc() <= at)
            });
        }
        Ok(())
    }

    /// What some members hold, and how many events that took.
    fn answers(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        batch: &[Member],
    ) -> Result<(Vec<Answer>, usize)> {
        let emails: Vec<String> = batch.iter().map(|member| member.email.clone()).collect();
        if self.is_over {
            return past::answers_at(conn, bench, &emails, self.wanted.at);
        }
        let dossier = Dossier::load(conn, &bench.site.id, &emails)?;
        Ok((emails.iter().map(|email| dossier.answer(email, self.wanted.at)).collect(), 0))
    }
}
