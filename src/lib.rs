#![forbid(unsafe_code)]
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod core;
pub mod first_start;
pub mod flow;
pub mod ids;
pub mod intake;
pub mod secrets;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod web;
