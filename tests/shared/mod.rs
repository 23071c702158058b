//! What the tests and the benchmark share: webhooks of a realistic size, load over many connections, a
//! PostgreSQL of one's own, and a count of what is flushed to disk.

#![allow(dead_code, reason = "the tests need one part of it, the benchmark another")]

pub mod http;
pub mod kartra;
pub mod load;
pub mod postgres;
pub mod row;
pub mod syncs;
