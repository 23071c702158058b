//! Where the writers of one site wait for each other, inside this process: each that waited in
//! PostgreSQL instead would hold a connection meanwhile, and those of all other sites would be without.

use super::locked;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The queues of one process: one for each site that somebody writes to.
#[derive(Default)]
pub(super) struct Queues {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// How many writers there have been.
    count: u64,
    /// Who writes to each site, and behind them who waits, in order.
    queues: HashMap<String, VecDeque<u64>>,
}

impl Queues {
    /// Waits for the place at the head of a site's queue; `None` where it takes longer than that.
    pub(super) fn join(&self, site_id: &str, longest: Duration) -> Option<Place<'_>> {
        let mut state = locked(&self.state);
        state.count += 1;
        let number = state.count;
        state.queues.entry(site_id.to_owned()).or_default().push_back(number);
        // Made before the wait: it leaves the queue, however the wait ends.
        let place = Place { queues: self, site_id: site_id.to_owned(), number };
        let waits = |state: &mut State| !state.is_first(site_id, number);
        let waited = self.moved.wait_timeout_while(state, longest, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let first = state.is_first(site_id, number);
        drop(state);
        first.then_some(place)
    }

    fn leave(&self, site_id: &str, number: u64) {
        let mut state = locked(&self.state);
        if let Some(queue) = state.queues.get_mut(site_id) {
            queue.retain(|waiting| *waiting != number);
            if queue.is_empty() {
                state.queues.remove(site_id);
            }
        }
        self.moved.notify_all();
    }
}

impl State {
    fn is_first(&self, site_id: &str, number: u64) -> bool {
        self.queues.get(site_id).and_then(VecDeque::front) == Some(&number)
    }
}

/// The place of one writer in a queue, until this is dropped.
pub(super) struct Place<'a> {
    queues: &'a Queues,
    site_id: String,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queues.leave(&self.site_id, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: Duration = Duration::from_hours(1);

    #[test]
    fn one_writer_of_a_site_is_at_it_and_those_of_other_sites_do_not_wait() {
        let queues = Queues::default();
        let first = queues.join("a", FOR_EVER);
        assert!(first.is_some() && queues.join("b", FOR_EVER).is_some());
        assert!(queues.join("a", Duration::ZERO).is_none(), "it is taken");
        drop(first);
        assert!(queues.join("a", Duration::ZERO).is_some(), "whoever gave up is in nobody's way");
        assert!(locked(&queues.state).queues.is_empty());
    }

    #[test]
    fn writers_come_in_the_order_in_which_they_have_waited() {
        let queues = &Queues::default();
        let came = &Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let head = queues.join("a", FOR_EVER);
            for number in 0..5 {
                scope.spawn(move || {
                    let _place = queues.join("a", FOR_EVER).expect("its turn");
                    locked(came).push(number);
                });
                // The next one comes when this one stands in the queue.
                while locked(&queues.state).queues["a"].len() < number + 2 {
                    std::thread::yield_now();
                }
            }
            drop(head);
        });
        assert_eq!(*locked(came), [0, 1, 2, 3, 4]);
    }
}
