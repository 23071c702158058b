//! The console, page by page: over HTTP, and in a real browser.

mod activity;
mod destinations;
mod first_hour;
mod focus;
mod keyboard;
mod keys;
mod live;
mod looks;
mod members;
mod products;
mod replay_all;
mod settings;
mod setup;
mod sign_in;
pub mod story;
pub mod support;
mod sweep;
