//! Whoever is called is called no faster than it is to be.

use super::{egress, message};
use crate::alarms::receiver::Receiver;
use futures_util::future::join_all;
use latchkey::destinations::{Caller, Pace};
use latchkey::egress::Method;
use std::time::{Duration, Instant};

#[test]
fn many_calls_at_once_begin_one_after_the_other() {
    let receiver = Receiver::start();
    let pace = Pace { calls_per_second: 50, concurrency: 16 };
    let caller = Caller::new(egress(), pace);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let begun = Instant::now();
    // Copies share the pace.
    let callers: Vec<Caller> = (0..11).map(|_| caller.clone()).collect();
    let url = receiver.url("/in");
    let calls =
        callers.iter().map(|caller| caller.call(Method::POST, &url, Vec::new(), message().body));
    for answer in runtime.block_on(join_all(calls)) {
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
    }
    // The eleventh begins ten pauses after the first.
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    assert_eq!(receiver.heard().len(), 11);
}

#[test]
fn a_pace_of_no_calls_still_lets_one_through() {
    let receiver = Receiver::start();
    let caller = Caller::new(egress(), Pace { calls_per_second: 0, concurrency: 1 });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = receiver.url("/in");
    let call = caller.call(Method::GET, &url, Vec::new(), String::new());
    assert_eq!(runtime.block_on(call).map(|answer| answer.status), Ok(200));
}
