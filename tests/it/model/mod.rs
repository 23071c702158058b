//! A second, separately written reading of `design/semantics.md`, to judge the real core by.
//!
//! Nothing here uses the crate under test. The core may compute intervals, keep what it computed and be fast; the model does
//! the opposite on purpose: for one question "who holds what at this instant?" it merges all that was sent into events, keeps
//! those that have occurred, links them to purchases, walks every purchase step by step and looks whether access is open at
//! the end of the walk. Two programs that are this different do not share their mistakes.
//!
//! * [`story`]: what happened, as plain data: webhooks with their known content and their bytes, mappings, overrides.
//! * [`generate`]: `story(seed)`, random life stories, coherent for the most part and nasty for the rest.
//! * [`held`]: the model itself.

// Every test that includes the model uses another part of it.
#![allow(dead_code, unused_imports)]
// A model that meets what it cannot be has found a mistake in itself, and panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

pub mod generate;
pub mod held;
pub mod story;
#[cfg(test)]
mod tests;

pub use generate::story as random_story;
pub use held::{Replay, emails, held, interesting_instants};
pub use story::{
    Feed, Kind, MappingSpec, Message, OverrideKind, OverrideSpec, Sent, Story, Vouched,
};
