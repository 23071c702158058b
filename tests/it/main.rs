//! Every integration test, in one binary: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that meets what it does not expect has failed"
)]

mod api;
mod core_agrees;
mod flow_agrees;
mod model;
mod support;
