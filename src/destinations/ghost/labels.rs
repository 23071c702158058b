//! Labels, by their names: Ghost trims them, and takes those that differ in case only for the same one.

use std::collections::BTreeSet;

/// Whether two names are of the same label.
pub(super) fn is_named(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whether a label is among others.
pub(super) fn holds(labels: &BTreeSet<String>, name: &str) -> bool {
    labels.iter().any(|label| is_named(label, name))
}

/// All of one and all of the other, those that are there already as they are written there.
pub(super) fn joined(labels: &BTreeSet<String>, more: &BTreeSet<String>) -> BTreeSet<String> {
    let new = more.iter().filter(|name| !holds(labels, name));
    labels.iter().chain(new).cloned().collect()
}

/// What is left and added: what is both removed and added stays.
pub(super) fn written(
    before: &BTreeSet<String>,
    add: &BTreeSet<String>,
    remove: &BTreeSet<String>,
) -> BTreeSet<String> {
    let goes = |name: &&String| holds(remove, name) && !holds(add, name);
    let left = before.iter().filter(|name| !goes(name)).cloned().collect();
    joined(&left, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_not_named_stays_and_what_is_there_is_not_written_twice() {
        let before = set(&["VIP", "gold", "Silver"]);
        for (add, remove, after) in [
            (set(&["Gold"]), set(&[]), set(&["VIP", "gold", "Silver"])),
            (set(&["Bronze"]), set(&["silver "]), set(&["VIP", "gold", "Bronze"])),
            (set(&["Gold"]), set(&["gold"]), set(&["VIP", "gold", "Silver"])),
            (set(&[]), set(&["Bronze"]), set(&["VIP", "gold", "Silver"])),
            (set(&[]), set(&["VIP", "Gold", "SILVER"]), set(&[])),
        ] {
            assert_eq!(written(&before, &add, &remove), after, "+ {add:?} - {remove:?}");
        }
    }
}
