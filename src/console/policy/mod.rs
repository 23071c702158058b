//! A policy in plain words: as a form, as a line of text, and as a picture.
//!
//! A form that holds one reads it with [`Answers::read`], shows it with [`PolicyForm`] and the macros of
//! `templates/policy.html`, and sends [`Answers::policy`] to the API.

mod keys;
mod picture;

pub use picture::Picture;

use super::guard::Fields;
use super::refused::Fault;
use crate::core::policy::Policy;
use keys::{Answer, KEYS, Key};
use serde_json::{Map, Value};

/// What stands for "leave it to whoever stands above".
const LEFT_OUT: &str = "";
/// What stands for "none" among the answers to a key that may be null.
const NONE: &str = "none";
/// What the names of the fields of a site's own policy begin with.
pub const SITE_AT: &str = "policy.";

/// What was answered to the questions of a policy: for each key a choice, and a number where the choice has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(Vec<(&'static str, String, String)>);

impl Answers {
    /// As a form says; the names of its fields begin with `at`.
    pub fn read(fields: &Fields, at: &str) -> Self {
        let answer = |key: &Key| {
            let chosen = fields.get(&format!("{at}{}", key.name)).to_owned();
            (key.name, chosen, fields.get(&format!("{at}{}.n", key.name)).trim().to_owned())
        };
        Self(KEYS.iter().map(answer).collect())
    }

    /// As a policy says.
    pub fn of(policy: &Policy) -> Self {
        let written = written(policy);
        let answer = |key: &Key| {
            let (chosen, number) = written.get(key.name).map(answer_of).unwrap_or_default();
            (key.name, chosen, number)
        };
        Self(KEYS.iter().map(answer).collect())
    }

    /// The fields of a form that answers so; their names begin with `at`.
    pub fn fields(&self, at: &str) -> Vec<(String, String)> {
        let of_key = |(name, chosen, number): &(&'static str, String, String)| {
            [(format!("{at}{name}"), chosen.clone()), (format!("{at}{name}.n"), number.clone())]
        };
        self.0.iter().flat_map(of_key).collect()
    }

    /// The same without what is usual: a site that says the usual says no more than one that is silent.
    fn without(&self, usual: &Self) -> Self {
        let is_usual = |name: &str, chosen: &str| {
            usual.0.iter().any(|(other, usual, _)| *other == name && usual == chosen)
        };
        let answer = |(name, chosen, number): &(&'static str, String, String)| {
            let chosen = Some(chosen.as_str()).filter(|chosen| !is_usual(name, chosen));
            (*name, chosen.unwrap_or(LEFT_OUT).to_owned(), number.clone())
        };
        Self(self.0.iter().map(answer).collect())
    }

    /// The policy as the API takes it; a number that is none stays as it was typed.
    pub fn policy(&self) -> Value {
        let mut policy = Map::new();
        for (name, chosen, number) in &self.0 {
            let key = KEYS.iter().find(|key| key.name == *name);
            let has_number = key.is_some_and(|key| key.has_number(chosen));
            let number = || number.parse::<u64>().map_or(Value::from(number.as_str()), Value::from);
            let value = match chosen.as_str() {
                LEFT_OUT => continue,
                NONE => Value::Null,
                "days" if *name == "duration_days" => number(),
                chosen if has_number => {
                    Value::Object([(chosen.to_owned(), number())].into_iter().collect())
                }
                chosen => Value::from(chosen),
            };
            policy.insert((*name).to_owned(), value);
        }
        Value::Object(policy)
    }

    /// The policy as far as it can be read: what cannot be is left out.
    fn readable(&self) -> Policy {
        let Value::Object(written) = self.policy() else { return Policy::default() };
        let one = |(key, value)| {
            let alone = Value::Object([(key, value)].into_iter().collect());
            let policy: Policy = serde_json::from_value(alone).ok()?;
            policy.faults().is_empty().then(|| self::written(&policy))
        };
        let all: Map<String, Value> = written.into_iter().filter_map(one).flatten().collect();
        serde_json::from_value(Value::Object(all)).unwrap_or_default()
    }

    fn of_key(&self, key: &Key) -> (&str, &str) {
        let found = self.0.iter().find(|(name, ..)| *name == key.name);
        found.map_or(("", ""), |(_, chosen, number)| (chosen, number))
    }
}

/// A policy as JSON.
fn written(policy: &Policy) -> Map<String, Value> {
    match serde_json::to_value(policy) {
        Ok(Value::Object(written)) => written,
        _ => Map::new(),
    }
}

/// The choice and the number that a value stands for.
fn answer_of(value: &Value) -> (String, String) {
    match value {
        Value::Null => (NONE.to_owned(), String::new()),
        Value::Number(number) => ("days".to_owned(), number.to_string()),
        Value::Object(pair) => {
            let pair = pair.iter().next();
            pair.map(|(chosen, number)| (chosen.clone(), number.to_string())).unwrap_or_default()
        }
        other => (other.as_str().unwrap_or_default().to_owned(), String::new()),
    }
}

/// The questions of a policy, with what was answered and what that leads to.
pub struct PolicyForm {
    /// What the names of its fields begin with.
    pub at: &'static str,
    /// One for each key.
    pub questions: Vec<Question>,
    /// Access over time, as it would be.
    pub picture: Picture,
}

/// One question.
pub struct Question {
    /// The name of its field.
    pub name: String,
    /// What is asked.
    pub legend: &'static str,
    /// The value that is chosen.
    pub chosen: String,
    /// What may be chosen.
    pub choices: Vec<Choice>,
    /// The number that some choices have.
    pub number: Option<Number>,
    /// What is wrong with the answer; empty where nothing is.
    pub error: String,
}

/// One of the answers that may be chosen.
pub struct Choice {
    /// Its value.
    pub value: &'static str,
    /// What it says.
    pub label: String,
    /// What else is good to know; may be empty.
    pub hint: &'static str,
}

/// A number beside the choices.
pub struct Number {
    /// The name of its field.
    pub name: String,
    /// What it counts.
    pub label: &'static str,
    /// When it counts.
    pub hint: &'static str,
    /// What was typed.
    pub value: String,
}

impl Choice {
    fn of(answer: &Answer) -> Self {
        Self { value: answer.value, label: answer.label.to_owned(), hint: answer.hint }
    }
}

impl PolicyForm {
    /// What is said at the top of a page of which all fields are these: with which questions something is wrong.
    pub fn wrong(&self) -> String {
        let wrong = self.questions.iter().filter(|question| !question.error.is_empty());
        let legends: Vec<String> = wrong.map(|it| format!("“{}”", it.legend)).collect();
        let which =
            if legends.is_empty() { String::new() } else { format!(": {}", legends.join(", ")) };
        format!("Nothing was changed. What is wrong stands with its question{which}.")
    }

    /// The policy of a mapping: what it leaves out comes from the site's.
    pub fn of_mapping(
        at: &'static str,
        answers: &Answers,
        site: &Policy,
        faults: &[Fault],
    ) -> Self {
        let of_site = Answers::of(&filled(site));
        let choices = |key: &Key| -> Vec<Choice> {
            let label = format!("As the site says: {}", brief(key, &of_site));
            let left_out = Choice { value: LEFT_OUT, label, hint: "" };
            std::iter::once(left_out).chain(key.choices.iter().map(Choice::of)).collect()
        };
        Self::new(at, answers, Picture::draw(&answers.readable(), site), choices, faults)
    }

    /// The policy of a site. There is nobody above it, so the usual answer is chosen where it says nothing, and stands
    /// there once.
    pub fn of_site(at: &'static str, answers: &Answers, faults: &[Fault]) -> Self {
        let usual = Answers::of(&filled(&Policy::default()));
        let choices = |key: &Key| -> Vec<Choice> {
            let (usual, _) = usual.of_key(key);
            let choice = |answer: &Answer| {
                if answer.value != usual {
                    return Choice::of(answer);
                }
                let label = format!("{} (usual)", answer.label);
                Choice { value: LEFT_OUT, label, hint: answer.hint }
            };
            key.choices.iter().map(choice).collect()
        };
        let picture = Picture::draw(&Policy::default(), &answers.readable());
        Self::new(at, &answers.without(&usual), picture, choices, faults)
    }

    /// `faults` are those of the policy alone: their pointers begin with `/policy`.
    fn new(
        at: &'static str,
        answers: &Answers,
        picture: Picture,
        choices: impl Fn(&Key) -> Vec<Choice>,
        faults: &[Fault],
    ) -> Self {
        let question = |key: &Key| {
            let (chosen, number) = answers.of_key(key);
            let pointer = format!("/policy/{}", key.name);
            let fault = faults.iter().find(|fault| fault.pointer.starts_with(&pointer));
            let is_number = !key.has_number(chosen) || number.parse::<u64>().is_ok();
            let error = match fault {
                Some(_) if !is_number => "Write a whole number.".to_owned(),
                Some(fault) if fault.detail.starts_with("must") => {
                    format!("The number {}.", fault.detail.trim_end_matches('.'))
                }
                Some(fault) => fault.detail.clone(),
                None => String::new(),
            };
            Question {
                name: format!("{at}{}", key.name),
                legend: key.legend,
                chosen: chosen.to_owned(),
                choices: choices(key),
                number: key.number.map(|label| Number {
                    name: format!("{at}{}.n", key.name),
                    label,
                    hint: key.when_the_number_counts(),
                    value: number.to_owned(),
                }),
                error,
            }
        };
        Self { at, questions: KEYS.iter().map(question).collect(), picture }
    }
}

/// A policy with every key written, also those that it leaves to the defaults.
fn filled(policy: &Policy) -> Policy {
    let terms = policy.over(&Policy::default());
    Policy {
        trial: Some(terms.trial),
        on_payment_failed: Some(terms.on_payment_failed),
        on_cancellation: Some(terms.on_cancellation),
        on_refund: Some(terms.on_refund),
        on_partial_refund: Some(terms.on_partial_refund),
        on_chargeback: Some(terms.on_chargeback),
        duration_days: Some(terms.duration_days),
        billing_period: Some(terms.billing_period),
    }
}

/// The question that a place of a body answers which holds a policy; `None` for any other place.
pub fn question(pointer: &str) -> Option<&'static str> {
    let (_, key) = pointer.split_once("/policy/")?;
    let name = key.split('/').next()?;
    KEYS.iter().find(|key| key.name == name).map(|key| key.legend)
}

/// What a policy sets, a few words each; nothing where it leaves everything to the site.
pub fn in_words(policy: &Policy) -> Vec<String> {
    let answers = Answers::of(policy);
    let set = KEYS.iter().filter(|key| answers.of_key(key).0 != LEFT_OUT);
    set.map(|key| format!("{}: {}", key.about, brief(key, &answers))).collect()
}

/// An answer in a few words.
fn brief(key: &Key, answers: &Answers) -> String {
    let (chosen, number) = answers.of_key(key);
    let choice = key.choices.iter().find(|choice| choice.value == chosen);
    let Some(choice) = choice else { return chosen.to_owned() };
    let said = choice.brief.replace("{n}", number);
    match number {
        "1" => said.replace("1 days", "1 day").replace("1 months", "1 month"),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_was_shown_and_sent_back_is_the_same() {
        for policy in [
            json!({}),
            json!({"trial": "wait", "on_refund": "revoke_if_latest_payment", "on_chargeback": "block"}),
            json!({"on_payment_failed": {"grace_days": 0}, "on_partial_refund": {"revoke_at_percent": 50}}),
            json!({"duration_days": null, "billing_period": null}),
            json!({"duration_days": 365, "billing_period": {"months": 1}, "on_cancellation": "period_end"}),
        ] {
            let read: Policy = serde_json::from_value(policy.clone()).expect("a policy");
            assert_eq!(Answers::of(&read).policy(), policy);
            assert_eq!(Answers::of(&read).readable(), read);
        }
    }

    #[test]
    fn every_value_of_every_key_has_words() {
        for key in &KEYS {
            for choice in key.choices {
                let n = if key.has_number(choice.value) { "7" } else { "" };
                let answers = Answers(vec![(key.name, choice.value.to_owned(), n.to_owned())]);
                let policy: Policy = serde_json::from_value(answers.policy()).expect("a policy");
                let words = in_words(&policy);
                assert_eq!(words.len(), 1, "{words:?}");
                assert!(
                    !words[0].contains("{n}") && words[0].len() > key.about.len() + 2,
                    "{words:?}"
                );
            }
        }
    }

    #[test]
    fn a_site_is_offered_each_answer_once_and_the_usual_one_is_chosen_where_it_says_nothing() {
        let usual = filled(&Policy::default());
        for policy in [Policy::default(), usual] {
            let form = PolicyForm::of_site(SITE_AT, &Answers::of(&policy), &[]);
            for (question, key) in form.questions.iter().zip(&KEYS) {
                let labels: Vec<&str> = question.choices.iter().map(|it| &*it.label).collect();
                assert_eq!(labels.len(), key.choices.len(), "{labels:?}");
                let chosen = question.choices.iter().filter(|it| it.value == question.chosen);
                let chosen: Vec<&str> = chosen.map(|it| &*it.label).collect();
                assert!(matches!(*chosen, [label] if label.ends_with(" (usual)")), "{chosen:?}");
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_usual_stays_chosen_with_its_number() {
        let policy: Policy =
            serde_json::from_value(json!({"on_payment_failed": {"grace_days": 7}})).expect("one");
        let form = PolicyForm::of_site(SITE_AT, &Answers::of(&policy), &[]);
        let question = &form.questions[1];
        assert_eq!(question.chosen, "grace_days");
        assert_eq!(question.number.as_ref().expect("a number").value, "7");
    }

    #[test]
    fn what_cannot_be_read_does_not_take_the_rest_with_it() {
        let answers = Answers(vec![
            ("on_payment_failed", "grace_days".to_owned(), "soon".to_owned()),
            ("on_cancellation", "keep".to_owned(), String::new()),
            ("duration_days", "days".to_owned(), "0".to_owned()),
        ]);
        assert_eq!(answers.policy()["on_payment_failed"], json!({"grace_days": "soon"}));
        let readable: Policy =
            serde_json::from_value(json!({"on_cancellation": "keep"})).expect("a policy");
        assert_eq!(answers.readable(), readable);
    }
}
