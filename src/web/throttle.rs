//! How often somebody may try what could be guessed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures of one address within [`WINDOW`]; after them it has to wait.
const FAILURES_MAX: u32 = 10;
/// Failures of all addresses together within [`WINDOW`]: whoever has many addresses has no more tries for it.
const FAILURES_OF_ALL_MAX: u32 = 100;
/// How long failures count.
const WINDOW: Duration = Duration::from_mins(1);

/// Counts failures, by address and in all. What is right is never counted.
#[derive(Default)]
pub struct Throttle(Mutex<State>);

#[derive(Default)]
struct State {
    /// When the failures that are counted began; `None` before the first.
    began: Option<Instant>,
    of_all: u32,
    /// At most [`FAILURES_OF_ALL_MAX`] of them.
    by_address: HashMap<IpAddr, u32>,
}

impl Throttle {
    /// How many seconds an address has to wait before it may try; `None` where it may.
    pub fn wait(&self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let mut state = self.state();
        let began = state.began?;
        let since = now.saturating_duration_since(began);
        let Some(left) = WINDOW.checked_sub(since).filter(|left| !left.is_zero()) else {
            *state = State::default();
            return None;
        };
        let own = address.and_then(|address| state.by_address.get(&address)).copied();
        let is_over = state.of_all >= FAILURES_OF_ALL_MAX || own.unwrap_or(0) >= FAILURES_MAX;
        is_over.then(|| left.as_secs() + 1)
    }

    /// Counts a failure.
    pub fn failed(&self, address: Option<IpAddr>, now: Instant) {
        let mut state = self.state();
        state.began.get_or_insert(now);
        state.of_all = state.of_all.saturating_add(1);
        if let Some(address) = address {
            *state.by_address.entry(address).or_default() += 1;
        }
    }

    /// A panic while it was held leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const OTHER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    #[test]
    fn an_address_waits_after_ten_failures_and_no_other_does() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(throttle.wait(ONE, now), None);
            throttle.failed(ONE, now);
        }
        assert_eq!(throttle.wait(ONE, now), Some(61));
        assert_eq!(throttle.wait(OTHER, now), None);
        assert_eq!(throttle.wait(ONE, now + Duration::from_mins(1)), None);
    }

    #[test]
    fn a_hundred_failures_from_anywhere_make_everybody_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..100_u8 {
            throttle.failed(Some(IpAddr::from([192, 0, 2, number])), now);
        }
        assert!(throttle.wait(Some(IpAddr::from([198, 51, 100, 1])), now).is_some());
        assert!(throttle.wait(None, now).is_some());
    }
}
