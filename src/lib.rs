#![forbid(unsafe_code)]
pub mod clock;
pub mod core;
pub mod flow;
pub mod ids;
pub mod secrets;
pub mod store;
