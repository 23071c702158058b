//! Opaque ids.

/// A new id; ids of one process are in the order of their making.
#[must_use]
pub fn new() -> String {
    uuid::Uuid::now_v7().to_string()
}
