//! What the surfaces share: problems, who is asking, bodies and queries, answers, health.

pub mod answer;
pub mod auth;
pub mod extract;
pub mod health;
pub mod needs;
pub mod problem;
pub mod shapes;
