//! Ghost.

use super::{Caller, Config, Kind, Pace, Remote, Wrong};

/// This kind.
pub const KIND: Kind = Kind {
    name: "ghost",
    open,
    secrets: &[],
    is_signed: false,
    names_levels: true,
    pace: Pace { calls_per_second: 10, concurrency: 2 },
    schema: |_| schemars::Schema::default(),
};

fn open(_config: &Config, _caller: Caller) -> Result<Remote, Wrong> {
    Err(Wrong::at("", "is not there yet"))
}
