//! Every integration test, in one binary: it links once.

mod core_agrees;
mod model;
