//! Every integration test, in one binary: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that meets what it does not expect has failed"
)]

mod ageing;
mod alarms;
mod api;
mod breaker;
mod browser;
mod cases;
mod check_parts;
mod commands;
mod console;
mod core_agrees;
mod crash;
mod dispatch;
mod failures;
mod flow_agrees;
mod ghost;
mod guard;
mod house;
mod lists;
mod metrics;
mod migrations;
mod model;
mod orders;
mod plans_agree;
mod plans_survive;
mod rebuilding;
mod replicas;
mod runs;
#[path = "../shared/mod.rs"]
mod shared;
mod store;
mod support;
mod tidy;
mod timers;
mod upgrade;
mod webhook_kind;
mod wordpress;
