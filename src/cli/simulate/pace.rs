//! Keeps to a rate, over all connections.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// So many messages a second at most.
#[derive(Debug)]
pub struct Pace {
    /// The time from one message to the next; none where as many are sent as are taken.
    apart: Option<Duration>,
    /// When the next message may go.
    next: Mutex<Instant>,
}

impl Pace {
    /// A rate in messages a second; without one, there is no waiting.
    pub fn new(rate: Option<f64>) -> Self {
        let apart = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self { apart, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the turn of a message.
    pub async fn wait(&self) {
        if let Some(turn) = self.turn(Instant::now()) {
            sleep_until(turn).await;
        }
    }

    /// The turn of a message that is ready now. What was not sent in time is not made up for: there are
    /// never more in a second than the rate allows.
    fn turn(&self, now: Instant) -> Option<Instant> {
        let apart = self.apart?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = now.max(*next);
        *next = turn + apart;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_no_closer_than_the_rate_allows_also_after_a_pause() {
        let pace = Pace::new(Some(10.0));
        let began = Instant::now() + Duration::from_secs(1);
        let after = |millis| began + Duration::from_millis(millis);
        let turns: Vec<_> = [0, 0, 50, 5_000, 5_000, 5_010].map(|at| pace.turn(after(at))).into();
        let expected = [0, 100, 200, 5_000, 5_100, 5_200].map(|at| Some(after(at)));
        assert_eq!(turns, expected);
    }

    #[test]
    fn without_a_rate_there_is_no_turn_to_wait_for() {
        assert_eq!(Pace::new(None).turn(Instant::now()), None);
    }
}
