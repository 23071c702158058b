//! What the surfaces share: problems, who is asking, bodies and queries, answers, health, metrics.

pub mod address;
pub mod answer;
pub mod auth;
pub mod client;
pub mod extract;
pub mod health;
pub mod lately;
pub mod metrics;
pub mod needs;
pub mod problem;
pub mod session;
pub mod shapes;
pub mod spreadsheet;
pub mod throttle;
