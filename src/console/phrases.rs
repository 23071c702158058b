//! The API's words for an operator: what kind of event something is, and what became of a webhook.

use crate::core::Instant;

/// The kinds of events, as an operator calls them.
const KINDS: [(&str, &str); 8] = [
    ("sale", "Sale"),
    ("rebill", "Rebill"),
    ("payment_failed", "Failed payment"),
    ("partial_refund", "Partial refund"),
    ("cancellation", "Cancellation"),
    ("refund", "Refund"),
    ("chargeback", "Chargeback"),
    ("other", "Nothing about money"),
];

/// What can become of a webhook.
pub struct Status {
    /// The API's word.
    pub word: &'static str,
    /// What an operator calls it.
    pub label: &'static str,
    /// What it means, and what to do about it where something is to be done.
    pub meaning: &'static str,
    /// How it is shown: `good`, `warn`, `bad`, `info`, `neutral`.
    pub tone: &'static str,
}

/// Every status of a webhook.
pub const STATUSES: [Status; 10] = [
    Status {
        word: "pending",
        label: "Waiting",
        meaning: "Stored safely, and about to be applied. This takes a moment; while “Apply webhooks” is switched off \
                  in the settings, it waits until that is switched on.",
        tone: "info",
    },
    Status {
        word: "applied",
        label: "Applied",
        meaning: "Its purchase is mapped to a level, and access is as it should be. Not every payment moves access.",
        tone: "good",
    },
    Status {
        word: "held",
        label: "Held",
        meaning: "Its purchase is held: it waits for a mapping, since its product is unmapped, and gives no level yet. \
                  Map the product: the purchase then counts from its own date.",
        tone: "warn",
    },
    Status {
        word: "duplicate",
        label: "Duplicate",
        meaning: "Kartra had told of this already, perhaps over its other feed. Nothing is done twice.",
        tone: "neutral",
    },
    Status {
        word: "no_effect",
        label: "No effect",
        meaning: "It is about a tag, a list or the like, or about a product that you ignore, or Latchkey found nothing \
                  in it that it knows: it moves no access.",
        tone: "neutral",
    },
    Status {
        word: "unmatched",
        label: "Unmatched",
        meaning: "It takes back a payment that was never heard of. It will count as soon as the payment is.",
        tone: "warn",
    },
    Status {
        word: "unreadable",
        label: "Unreadable",
        meaning: "It does not read as anything that Kartra sends, so it changes nothing.",
        tone: "bad",
    },
    Status {
        word: "rejected",
        label: "Rejected",
        meaning: "Its secret key is not the IPN secret of the settings, so it may not be Kartra's, and it changes \
                  nothing. If the secret of the settings is wrong, correct it and replay the webhook; if Kartra did \
                  not send it, discard it.",
        tone: "bad",
    },
    Status {
        word: "discarded",
        label: "Discarded",
        meaning: "Somebody set it aside. It counts for nothing until it is restored.",
        tone: "neutral",
    },
    Status {
        word: "failed",
        label: "Failed",
        meaning: "Applying it met an error of Latchkey's own. It is tried again by itself.",
        tone: "bad",
    },
];

/// A kind of event; one that is not known is said as the API says it.
pub fn kind(word: &str) -> &str {
    KINDS.iter().find(|(kind, _)| *kind == word).map_or(word, |(_, label)| label)
}

/// A status of a webhook.
pub fn status(word: &str) -> Option<&'static Status> {
    STATUSES.iter().find(|status| status.word == word)
}

/// What led to a change, as the end of a sentence that begins with the change.
pub fn cause(kind: &str) -> &'static str {
    match kind {
        "event" => "because of what Kartra told",
        "mapping" => "because a mapping was made or changed",
        "timer" => "because its time had come",
        "override" => "because somebody decided so by hand",
        "settings" => "because the settings of the site were changed",
        "discard" => "because somebody discarded a webhook",
        "restore" => "because somebody restored a webhook that had been discarded",
        "import" => "because of an import",
        "reconcile" => "because Kartra said so when asked",
        "breaker" => "because somebody decided about what the limit had kept (held open)",
        "erase" => "because a person was erased",
        "upgrade" => "because a new version of Latchkey answers differently",
        _ => "",
    }
}

/// What access is held by, or is not held by, in a word or two; the codes are those of the API.
pub fn reason(code: &str) -> &str {
    match code {
        "active" => "paid",
        "trialing" => "in its trial",
        "waiting_for_first_payment" => "waiting for the first payment",
        "completed" => "paid in full",
        "in_grace" => "a payment failed, and the grace runs",
        "grace_over" => "a payment failed, and the grace is over",
        "canceled" => "cancelled",
        "until_period_end" => "cancelled, and paid for until then",
        "refunded" => "refunded",
        "partially_refunded" => "refunded in part",
        "charged_back" => "charged back",
        "kept_by_policy" => "kept by your policy",
        "duration_over" => "its time is over",
        "switched" => "changed to another product or price",
        "not_started" => "begins later",
        "manual" => "given by hand",
        "manual_ended" => "was given by hand, and has ended",
        "blocked" => "blocked",
        "held" => "waits for a mapping: its product is unmapped",
        "held_open" => "kept by the limit (held open) until somebody decides",
        "nothing_gives_it" => "nothing gives it any more",
        other => other,
    }
}

/// What to do about an alarm, for whoever reads it on a page; `None` for a kind that is not known here. The API says it
/// to programs, by the names of its fields.
pub fn alarm(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "held_purchases" => {
            "Somebody has paid and has nothing yet. Map the products that are unmapped to levels, or ignore them; a price \
             point of a mapped product may be missing, too."
        }
        "unmatched_webhooks" => {
            "They take effect by themselves once their sale is heard of. If it was missed, look for it in Kartra; what \
             is of no interest here, discard."
        }
        "unreadable_webhooks" => {
            "Each says what is wrong with it. Replay them once what sent them is mended, or discard them."
        }
        "rejected_webhooks" => {
            "They came with another secret than that of the settings, or with none. If they are Kartra's, correct the IPN \
             secret in the settings and replay them; if somebody else sent them, discard them."
        }
        "silent" => {
            "Look in Kartra whether the Outbound API and the IPN still name the webhook URL of this site, and whether \
             this address can be reached from outside."
        }
        "timers_late" => {
            "Whoever runs the server finds the reason in its log. A program that asks Latchkey is told the right answer \
             all the same; destinations learn of these ends late."
        }
        "breaker_open" => {
            "More members were about to lose a level than the limit in the settings allows. They keep it until you \
             decide."
        }
        "subscriptions_overdue" => {
            "Nobody has lost access. Look in Kartra whether these subscriptions were paid or have ended: if so, its \
             webhook was missed. If the IPN is not set up yet, set it up: it tells of these payments."
        }
        "destinations_down" => {
            "Its page says what it answers. Test it once that is mended: what is wanted there is kept, and sent then."
        }
        "pushes_failed" => {
            "The page of the destination says why. Try them again once that is mended; each night they are tried again \
             by themselves."
        }
        _ => return None,
    })
}

/// Where that can be mended which an alarm is about: a path below the site, and what stands on the link to it. `None`
/// for what is not mended in the console.
pub fn mend(alarm: &str) -> Option<(&'static str, &'static str)> {
    Some(match alarm {
        "held_purchases" => ("/products?status=unmapped", "Map the products"),
        "unmatched_webhooks" => ("/activity?status=unmatched", "Look at these webhooks"),
        "unreadable_webhooks" => ("/activity?status=unreadable", "Look at these webhooks"),
        "rejected_webhooks" => ("/activity?status=rejected", "Look at these webhooks"),
        "silent" | "subscriptions_overdue" => ("/setup", "Check the connection with Kartra"),
        "breaker_open" => ("/held-open", "Decide about them"),
        "destinations_down" | "pushes_failed" => ("/destinations", "Look at the destinations"),
        _ => return None,
    })
}

/// A day of an instant as the API writes it, in UTC; what cannot be read stays as it is.
pub fn day(at: &str) -> String {
    written(at, "%-d %B %Y")
}

/// An instant as the API writes it, in words and with its zone; what cannot be read stays as it is.
pub fn instant(at: &str) -> String {
    written(at, "%-d %B %Y, %H:%M UTC")
}

fn written(at: &str, format: &str) -> String {
    let read = at.parse::<Instant>();
    read.map_or_else(|_| at.to_owned(), |at| at.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alarm::Kind;

    #[test]
    fn every_alarm_but_that_of_late_ends_leads_to_a_page_of_the_site() {
        for kind in Kind::ALL {
            let led = mend(kind.as_str());
            assert_eq!(led.is_none(), kind == Kind::TimersLate, "{kind:?}");
            assert!(led.is_none_or(|(path, label)| path.starts_with('/') && !label.is_empty()));
            assert!(alarm(kind.as_str()).is_some_and(|words| !words.contains('_')), "{kind:?}");
        }
    }

    #[test]
    fn an_instant_is_written_with_its_zone() {
        assert_eq!(instant("2026-11-21T14:03:00Z"), "21 November 2026, 14:03 UTC");
        assert_eq!(instant("soon"), "soon");
    }
}
