//! Which webhooks have to be looked at together: those that name the same person, order or subscription,
//! whatever they say of them. Names are kept as hashes, which are drawn anew for each check; two that
//! meet put together what could have stood apart, and nothing else.

use crate::core::event::Observation;
use std::hash::{BuildHasher, RandomState};

/// No node.
const NONE: u32 = u32::MAX;

/// Sets of names that hang together.
pub(super) struct Kin {
    hasher: RandomState,
    /// Nodes by hash, with open addressing; its length is a power of two.
    slots: Vec<u32>,
    /// The hash of each node.
    hashes: Vec<u64>,
    /// The node above each; a root is above itself.
    above: Vec<u32>,
}

impl Kin {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            slots: vec![NONE; 1 << 10],
            hashes: Vec::new(),
            above: Vec::new(),
        }
    }

    /// Joins all that a webhook names; answers a node of it.
    pub(super) fn join(&mut self, webhook_id: &str, says: &Observation) -> u32 {
        let names = names(webhook_id, says);
        let mut nodes = names.into_iter().map(|name| self.hasher.hash_one(name));
        let Some(first) = nodes.next() else { return NONE };
        let others: Vec<u64> = nodes.collect();
        let first = self.node(first);
        for other in others {
            let other = self.node(other);
            self.unite(first, other);
        }
        first
    }

    /// The root of a node: the same for all that hang together.
    pub(super) fn root(&mut self, node: u32) -> u32 {
        let mut node = node;
        while let Some(above) = self.parent(node).filter(|above| *above != node) {
            let higher = self.parent(above).unwrap_or(above);
            if let Some(slot) = self.above.get_mut(node as usize) {
                *slot = higher;
            }
            node = higher;
        }
        node
    }

    fn parent(&self, node: u32) -> Option<u32> {
        self.above.get(node as usize).copied()
    }

    /// The older of two roots is above the other.
    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(slot) = self.above.get_mut(one.max(other) as usize) {
            *slot = one.min(other);
        }
    }

    /// The node of a hash, made if there is none.
    fn node(&mut self, hash: u64) -> u32 {
        // At most three quarters full.
        if self.hashes.len() * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let at = self.slot_of(hash);
        if let Some(slot) = self.slots.get_mut(at) {
            if *slot == NONE {
                *slot = u32::try_from(self.hashes.len()).unwrap_or(NONE);
                self.hashes.push(hash);
                self.above.push(*slot);
            }
            return *slot;
        }
        NONE
    }

    /// Where a hash is, or would be.
    fn slot_of(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash & mask as u64).unwrap_or_default();
        loop {
            let node = self.slots.get(at).copied().unwrap_or(NONE);
            if node == NONE || self.hashes.get(node as usize) == Some(&hash) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let length = self.slots.len() * 2;
        self.slots = Vec::new();
        self.slots = vec![NONE; length];
        for (node, hash) in (0..).zip(&self.hashes) {
            let at = self.slot_of(*hash);
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = node;
            }
        }
    }
}

/// Everything that ties a webhook to others, by what it says alone. It is more than [`ties`] names, as
/// what is merged out of several observations may tie what none of them does: an order is taken without its
/// product, and every person and address counts.
///
/// [`ties`]: crate::core::link::ties
fn names<'a>(webhook_id: &'a str, says: &'a Observation) -> Vec<(u8, &'a str)> {
    let numbers = [&says.transaction_id, &says.original_id, &says.parent_id];
    let numbers = numbers.into_iter().flatten().map(|id| (1, id.as_str()));
    let subscription = says.subscription_id.iter().map(|id| (2, id.as_str()));
    let person = &says.person;
    let lead = person.lead_id.iter().map(|id| (3, id.as_str()));
    let emails = [&person.transaction_email, &person.profile_email];
    let emails = emails.into_iter().flatten().map(|email| (4, email.as_str()));
    let mut names: Vec<(u8, &str)> =
        numbers.chain(subscription).chain(lead).chain(emails).collect();
    if names.is_empty() {
        names.push((0, webhook_id));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Kind, Person};
    use std::collections::BTreeSet;

    fn says(number: u32, original: Option<u32>, email: &str) -> Observation {
        let person = Person { profile_email: Some(email.to_owned()), ..Person::default() };
        Observation {
            kind: Kind::Sale,
            transaction_id: Some(number.to_string()),
            original_id: original.map(|id| id.to_string()),
            ..Observation::other(person)
        }
    }

    #[test]
    fn what_shares_a_name_hangs_together_over_any_number_of_steps_and_nothing_else_does() {
        let mut kin = Kin::new();
        let mut roots = BTreeSet::new();
        let chains: Vec<[u32; 4]> = (0..20_000)
            .map(|chain| {
                let (number, email) = (chain * 10, format!("a{chain}@example.com"));
                // A sale and another purchase of the same address have nothing in common until the rebill
                // of the sale names that address.
                let sale = kin.join("w", &says(number + 1, None, &format!("b{chain}@example.com")));
                let other = kin.join("w", &says(number + 3, None, &email));
                assert_ne!(kin.root(sale), kin.root(other));
                let rebill = kin.join("w", &says(number + 2, Some(number + 1), &email));
                // A webhook that names nobody stands alone.
                let tag = kin.join(&format!("w{chain}"), &Observation::other(Person::default()));
                [sale, rebill, other, tag]
            })
            .collect();
        for [sale, rebill, other, tag] in chains {
            let root = kin.root(sale);
            assert_eq!((kin.root(rebill), kin.root(other)), (root, root));
            assert!(roots.insert(root) && roots.insert(kin.root(tag)), "of this chain alone");
        }
    }
}
