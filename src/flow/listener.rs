//! What other processes on the same PostgreSQL say, and hearing it: work that they have made rings
//! the bell here, changes that they have recorded move the feeds here.
//!
//! Nothing depends on it but latency. What is missed while the connection is gone, or behind a pooler
//! that keeps no session, is found by the poll.

use super::Flow;
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::wakeup::{self, Ear};
use std::time::Duration;

/// How long between two looks at what was said: diesel shows no socket to wait on, so this is what a
/// wake-up takes at most.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The pauses between two attempts to listen again: the first, doubled each time up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The words that are said, behind the name of the process that says them.
const WORK: &str = "work";
const FEED: &str = "feed";

/// What a transaction has moved that others may wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// There is work that any process could take.
    pub work: bool,
    /// Changes were recorded in a feed.
    pub feed: bool,
}

impl Moved {
    /// Whatever it may have been.
    const UNKNOWN: Self = Self { work: true, feed: true };

    /// As it is said; `None` where nothing has moved.
    fn said_by(self, process: &str) -> Option<String> {
        match (self.work, self.feed) {
            (true, true) => Some(format!("{process} {WORK} {FEED}")),
            (true, false) => Some(format!("{process} {WORK}")),
            (false, true) => Some(format!("{process} {FEED}")),
            (false, false) => None,
        }
    }

    /// As it was heard: what a process said itself, it knows already; what says nothing that is known
    /// here may be anything.
    fn heard_by(process: &str, said: &str) -> Self {
        let mut words = said.split(' ');
        if words.next() == Some(process) {
            return Self::default();
        }
        let heard = words.fold(Self::default(), |heard, word| Self {
            work: heard.work || word == WORK,
            feed: heard.feed || word == FEED,
        });
        if heard == Self::default() { Self::UNKNOWN } else { heard }
    }

    fn or(self, other: Self) -> Self {
        Self { work: self.work || other.work, feed: self.feed || other.feed }
    }
}

impl Flow {
    /// Tells the other processes what this transaction has moved, once it is committed: nothing, if
    /// it has moved nothing. A transaction says it once, at its end.
    pub fn tell(&self, conn: &mut Conn, moved: Moved) -> Result<()> {
        match moved.said_by(&self.process) {
            Some(said) => wakeup::send(conn, &said),
            None => Ok(()),
        }
    }

    /// Whether other processes can be heard at all.
    pub fn can_listen(&self) -> bool {
        self.store.wakeups().is_some()
    }

    /// Listens to the other processes until `stop` says so. A connection that breaks is made again;
    /// once it is there, everything may have moved meanwhile.
    pub fn listen(&self, stop: &dyn Fn() -> bool) {
        let Some(wakeups) = self.store.wakeups() else { return };
        let (mut pause, mut lost) = (PAUSE_MIN, false);
        while !stop() {
            let listening = wakeups.listen();
            if listening.is_ok() && std::mem::take(&mut lost) {
                tracing::info!("the wake-ups of other processes are heard again");
            }
            let ended = listening.and_then(|mut ear| {
                self.heed(Moved::UNKNOWN);
                while !stop() {
                    self.heed(self.heard(&mut ear)?);
                    pause = PAUSE_MIN;
                    std::thread::sleep(LOOK_EVERY);
                }
                Ok(())
            });
            let Err(error) = ended else { return };
            if !std::mem::replace(&mut lost, true) {
                tracing::warn!(
                    %error,
                    "the wake-ups of other processes are not heard; what they leave to do is polled for"
                );
            }
            sleep(pause, stop);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// What others have moved since the last look.
    fn heard(&self, ear: &mut Ear) -> Result<Moved> {
        let said = ear.heard()?;
        let each = said.iter().map(|said| Moved::heard_by(&self.process, said));
        Ok(each.fold(Moved::default(), Moved::or))
    }

    /// Lets those who wait in this process know.
    fn heed(&self, moved: Moved) {
        if moved.work {
            self.wake();
        }
        if moved.feed {
            self.move_feeds();
        }
    }
}

/// Sleeps in short steps, so that nobody who stops waits for the end of it.
fn sleep(pause: Duration, stop: &dyn Fn() -> bool) {
    let mut left = pause;
    while !left.is_zero() && !stop() {
        std::thread::sleep(left.min(LOOK_EVERY));
        left = left.saturating_sub(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_by_everybody_else() {
        for (work, feed) in [(true, false), (false, true), (true, true)] {
            let moved = Moved { work, feed };
            let said = moved.said_by("one").expect("it is said");
            assert_eq!(Moved::heard_by("another", &said), moved);
            assert_eq!(Moved::heard_by("one", &said), Moved::default());
        }
        assert_eq!(Moved::default().said_by("one"), None);
    }

    #[test]
    fn what_nobody_here_understands_may_be_anything() {
        for said in ["", "another", "another later-word"] {
            assert_eq!(Moved::heard_by("one", said), Moved::UNKNOWN, "{said:?}");
        }
    }
}
