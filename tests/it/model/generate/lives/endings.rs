//! How purchases end, as far as they do.

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::super::story::Kind;
use super::{Deal, Teller};

impl Teller<'_> {
    /// What may come after the last payment, and perhaps a payment after that.
    pub(super) fn endings(&mut self, deal: &mut Deal, mut at: DateTime<Utc>, likely: f64) {
        if !self.chance(likely) {
            return;
        }
        let mut kind = self.reversal_kind();
        for _ in 0..self.pick(&[1, 1, 2, 3, 4]) {
            self.reversal(deal, kind, at);
            at += self.days(0, 8);
            let again = kind == Kind::PartialRefund && self.chance(0.6);
            kind = if again { kind } else { self.reversal_kind() };
        }
        if self.chance(0.3) {
            self.rebill(deal, at);
        }
    }

    fn reversal_kind(&mut self) -> Kind {
        match self.rng.random_range(0..11) {
            0..=2 => Kind::Cancellation,
            3 | 4 => Kind::Refund,
            5 | 6 => Kind::PartialRefund,
            7 | 8 => Kind::Chargeback,
            _ => Kind::PaymentFailed,
        }
    }

    fn reversal(&mut self, deal: &Deal, kind: Kind, at: DateTime<Utc>) {
        let parent = deal.paid.choose(self.rng).cloned();
        let parent = if self.rng.random_bool(0.4) { deal.paid.last().cloned() } else { parent };
        let share = self.pick(&[0, 25, 30, 50, 100]);
        let id = self.new_id();
        self.tell(deal, kind, id, at, |message| match kind {
            Kind::Cancellation => message.amount = None,
            Kind::PaymentFailed => {}
            Kind::PartialRefund => {
                message.parent_id = parent;
                message.amount = message.amount.map(|price| price * share / 100);
            }
            _ => message.parent_id = parent,
        });
    }
}
