//! Whose turn it is: each site has one worker of a process at a time, and whoever has waited longest
//! since their last turn comes first.

use super::locked;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// The turns of the workers of one process.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    /// The sites that a worker is at.
    taken: HashSet<String>,
    /// How many turns there have been, and which was the last of each site.
    count: u64,
    last: HashMap<String, u64>,
}

impl Turns {
    /// Sites in the order in which they get their turn: a backlog delays whoever comes with little by
    /// the batch that is under way, never by the next one too.
    pub(super) fn in_order(&self, mut sites: Vec<String>) -> Vec<String> {
        let state = locked(&self.0);
        sites.sort_by_key(|site_id| state.last.get(site_id).copied());
        sites
    }

    /// Takes a site for one worker; `None` while another one has it.
    pub(super) fn take(&self, site_id: &str) -> Option<Taken<'_>> {
        let mut state = locked(&self.0);
        if !state.taken.insert(site_id.to_owned()) {
            return None;
        }
        state.count += 1;
        let turn = state.count;
        state.last.insert(site_id.to_owned(), turn);
        Some(Taken { turns: self, site_id: site_id.to_owned() })
    }
}

/// A site that a worker is at, until this is dropped.
pub(super) struct Taken<'a> {
    turns: &'a Turns,
    site_id: String,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        locked(&self.turns.0).taken.remove(&self.site_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_site_has_one_worker_at_a_time() {
        let turns = Turns::default();
        let taken = turns.take("a");
        assert!(taken.is_some() && turns.take("a").is_none() && turns.take("b").is_some());
        drop(taken);
        assert!(turns.take("a").is_some());
    }

    #[test]
    fn whoever_has_waited_longest_comes_first() {
        let turns = Turns::default();
        assert_eq!(turns.in_order(sites("a b c")), sites("a b c"));
        for (taken, order) in [("a", "b c a"), ("a", "b c a"), ("c", "b a c"), ("b", "a c b")] {
            drop(turns.take(taken));
            assert_eq!(turns.in_order(sites("a b c")), sites(order), "after {taken}");
        }
    }
}
