//! The questions that a policy answers, in plain words.

/// A key of a policy, as a question.
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// The question.
    pub legend: &'static str,
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// What may be answered.
    pub choices: &'static [Answer],
    /// What the number beside some answers counts.
    pub number: Option<&'static str>,
}

/// What may be answered.
pub struct Answer {
    /// The value; of an answer with a number, its key.
    pub value: &'static str,
    /// The whole answer.
    pub label: &'static str,
    /// In a few words; `{n}` stands for the number.
    pub brief: &'static str,
    /// What else is good to know; may be empty.
    pub hint: &'static str,
}

impl Answer {
    fn has_number(&self) -> bool {
        self.brief.contains("{n}")
    }
}

impl Key {
    /// Whether an answer has a number.
    pub fn has_number(&self, value: &str) -> bool {
        let answer = self.choices.iter().find(|answer| answer.value == value);
        answer.is_some_and(Answer::has_number)
    }

    /// When the number counts. It stands below the answers, of which those with a number are the last.
    pub fn when_the_number_counts(&self) -> &'static str {
        match self.choices.iter().filter(|answer| answer.has_number()).count() {
            0 | 1 => "Counts only with the answer right above.",
            _ => "Counts only with the two answers right above.",
        }
    }
}

const fn answer(
    value: &'static str,
    label: &'static str,
    brief: &'static str,
    hint: &'static str,
) -> Answer {
    Answer { value, label, brief, hint }
}

/// Every key, in the order in which a purchase may meet them.
pub const KEYS: [Key; 8] = [
    Key {
        name: "trial",
        legend: "Somebody begins with a trial",
        about: "Trial",
        choices: &[
            answer("grant", "They have access during the trial", "access during the trial", ""),
            answer(
                "wait",
                "They have access from the first payment on",
                "access from the first payment on",
                "",
            ),
        ],
        number: None,
    },
    Key {
        name: "on_payment_failed",
        legend: "A payment fails",
        about: "Payment fails",
        choices: &[
            answer(
                "keep",
                "Access stays",
                "access stays",
                "Kartra tries the card again and cancels in the end.",
            ),
            answer(
                "grace_days",
                "Access ends some days later, unless a payment comes",
                "access ends {n} days later",
                "0 days end it at once. The next repeat payment, a rebill, gives it back.",
            ),
        ],
        number: Some("Days until access ends"),
    },
    Key {
        name: "on_cancellation",
        legend: "A subscription is cancelled",
        about: "Cancelled",
        choices: &[
            answer("revoke", "Access ends at once", "access ends at once", ""),
            answer(
                "period_end",
                "Access stays until the end of what was paid",
                "access until the end of what was paid",
                "At once where Kartra does not say how long a payment lasts: see the last question.",
            ),
            answer("keep", "Access stays", "access stays", ""),
        ],
        number: None,
    },
    Key {
        name: "on_refund",
        legend: "A payment is refunded",
        about: "Refunded",
        choices: &[
            answer("revoke", "Access ends at once", "access ends at once", ""),
            answer(
                "revoke_if_latest_payment",
                "Access ends only when it was the latest payment",
                "access ends if it was the latest payment",
                "When an older payment is given back, access stays.",
            ),
            answer("keep", "Access stays", "access stays", ""),
        ],
        number: None,
    },
    Key {
        name: "on_partial_refund",
        legend: "Part of a payment is refunded",
        about: "Refunded in part",
        choices: &[
            answer("keep", "Access stays", "access stays", ""),
            answer("revoke", "Access ends at once", "access ends at once", ""),
            answer(
                "revoke_at_percent",
                "Access ends once enough of all payments is refunded",
                "access ends once {n} % of all payments are refunded",
                "",
            ),
        ],
        number: Some("Per cent of all payments"),
    },
    Key {
        name: "on_chargeback",
        legend: "The buyer's bank takes a payment back (a chargeback)",
        about: "Chargeback",
        choices: &[
            answer("revoke", "Access ends at once", "access ends at once", ""),
            answer(
                "block",
                "Access ends at once, and the member is blocked from every level",
                "the member is blocked from every level",
                "Until somebody lifts the block on the member's page.",
            ),
            answer("keep", "Access stays", "access stays", ""),
        ],
        number: None,
    },
    Key {
        name: "duration_days",
        legend: "How long access lasts at most",
        about: "Lasts",
        choices: &[
            answer("none", "No limit", "no limit", ""),
            answer(
                "days",
                "A number of days from the purchase, whatever else happens",
                "{n} days at most",
                "",
            ),
        ],
        number: Some("Days of access"),
    },
    Key {
        name: "billing_period",
        legend: "How long one payment lasts, where Kartra does not say",
        about: "One payment lasts",
        choices: &[
            answer("none", "That is not known", "not known unless Kartra says", ""),
            answer("days", "A number of days", "{n} days", ""),
            answer("months", "A number of months", "{n} months", ""),
        ],
        number: Some("Days, or months"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_with_a_number_are_the_last_of_their_question() {
        for key in &KEYS {
            let has: Vec<bool> = key.choices.iter().map(Answer::has_number).collect();
            assert!(has.is_sorted(), "{}: {has:?}", key.name);
            assert_eq!(has.contains(&true), key.number.is_some(), "{}", key.name);
            assert!(has.iter().filter(|has| **has).count() <= 2, "{}", key.name);
        }
    }
}
