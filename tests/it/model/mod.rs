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

pub mod generate;
pub mod held;
pub mod story;
#[cfg(test)]
mod tests;

pub use generate::story as random_story;
pub use held::{Replay, emails, interesting_instants};
pub use story::{Feed, MappingSpec, Message, OverrideKind, OverrideSpec, Sent, Story, Vouched};
