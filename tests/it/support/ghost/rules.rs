//! What Ghost refuses to write, and in which words.

use super::State;
use super::http::Answer;
use super::members::Member;

/// The states of a subscription that counts.
const LIVE: [&str; 4] = ["active", "trialing", "unpaid", "past_due"];

impl State {
    /// Whether somebody may have an address.
    pub fn may_have(&self, to: &str, email: &str, id: Option<&str>) -> Result<(), Answer> {
        let message = format!("Validation error, cannot {to} member.");
        let refused =
            |context: &str| Err(Answer::refusal(422, "ValidationError", &message, context));
        let is_address = email.rsplit_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !email.contains(char::is_whitespace)
        });
        if !is_address {
            return refused("Invalid Email");
        }
        let taken = |member: &&Member| member.email.eq_ignore_ascii_case(email);
        if self.members.iter().filter(taken).any(|member| Some(member.id.as_str()) != id) {
            let to = if to == "save" { "add" } else { to };
            return refused(&format!(
                "Member already exists. Attempting to {to} member with existing email address"
            ));
        }
        Ok(())
    }

    /// Whether somebody may be given these tiers and no other.
    pub fn may_get(&self, member: &Member, tiers: &[String], to: &str) -> Result<(), Answer> {
        let message = format!("Request not understood error, cannot {to} member.");
        let refused =
            |context: &str| Err(Answer::refusal(400, "BadRequestError", &message, context));
        let pays = member.subscriptions.iter().any(|status| LIVE.contains(&status.as_str()));
        let gains = tiers.iter().filter(|tier| !member.tiers.contains(tier));
        if tiers.len() > 1 {
            return refused("A member cannot have more than one Product");
        }
        if pays && member.tiers.iter().any(|tier| !tiers.contains(tier)) {
            return refused(
                "Cannot delete a non-comped Product from a Member, because it has an active Subscription for the \
                 same product",
            );
        }
        for gained in gains {
            let Some(tier) = self.tiers.iter().find(|tier| tier.id == *gained) else {
                return refused(&format!("Could not find Product {gained}"));
            };
            if pays {
                return refused("Cannot add comped Products to a Member with active Subscriptions");
            }
            if !tier.active {
                return refused("Cannot use archived Tiers");
            }
        }
        Ok(())
    }
}
