//! What was looked up a moment ago, and is taken to be so for a moment more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much is remembered; past that, all is forgotten and looked up again.
const REMEMBERED_MAX: usize = 10_000;

/// Things by the hash of the secret that names them.
///
/// Each is trusted from when the look at it *began*: what is changed while a look takes its time was
/// perhaps not seen by it.
pub struct Lately<T> {
    trusted_for: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    seen: HashMap<[u8; 32], (T, Instant)>,
    /// When all was forgotten last; `None` where it never was.
    forgotten_at: Option<Instant>,
}

impl<T: Clone> Lately<T> {
    /// Empty; what is put here is trusted for so long.
    #[must_use]
    pub fn trusted_for(trusted_for: Duration) -> Self {
        let state = State { seen: HashMap::new(), forgotten_at: None };
        Self { trusted_for, state: Mutex::new(state) }
    }

    /// What is still trusted.
    pub fn get(&self, hash: &[u8; 32]) -> Option<T> {
        let state = self.state();
        let (thing, began) = state.seen.get(hash)?;
        (began.elapsed() < self.trusted_for).then(|| thing.clone())
    }

    /// Remembers what a look found that began at an instant, unless all was forgotten since.
    pub fn put(&self, hash: [u8; 32], thing: T, began: Instant) {
        let mut state = self.state();
        if state.forgotten_at.is_some_and(|at| began <= at) {
            return;
        }
        if state.seen.len() >= REMEMBERED_MAX {
            state.seen.clear();
        }
        state.seen.insert(hash, (thing, began));
    }

    /// Forgets everything, after something has changed.
    pub fn forget(&self) {
        let mut state = self.state();
        state.seen.clear();
        state.forgotten_at = Some(Instant::now());
    }

    /// A panic while it was held leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn a_thing_is_trusted_from_when_the_look_at_it_began() {
        let lately = Lately::trusted_for(LONG);
        let now = Instant::now();
        lately.put([1; 32], 'a', now);
        assert_eq!(lately.get(&[1; 32]), Some('a'));
        let lately = Lately::trusted_for(Duration::ZERO);
        lately.put([1; 32], 'a', now);
        assert_eq!(lately.get(&[1; 32]), None, "the look has taken all the time that there was");
    }

    #[test]
    fn what_was_looked_at_before_all_was_forgotten_is_not_remembered_after() {
        let lately = Lately::trusted_for(LONG);
        lately.put([1; 32], 'a', Instant::now());
        let began = Instant::now();
        lately.forget();
        lately.put([2; 32], 'b', began);
        assert_eq!((lately.get(&[1; 32]), lately.get(&[2; 32])), (None, None));
        lately.put([2; 32], 'b', Instant::now() + Duration::from_nanos(1));
        assert_eq!(lately.get(&[2; 32]), Some('b'));
    }
}
