//! The rules of a site, written as a file that people read and edit. The same rules give the same text.

use super::file::{NONE, RulesFile, key_of};
use crate::core::Instant;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "\
# What Kartra's products give on a site of Latchkey.
#
#     latchkey mappings plan FILE     shows what this file would change, and who gains and who loses
#     latchkey mappings apply FILE    brings the site there; what the file does not name is removed
#
# The policy of the site: what each kind of event does where a mapping sets nothing else. The first value of each key
# is what counts where nothing is set. Words stand in quotes, as in on_refund = \"keep\".
#     trial                grant | wait
#     on_payment_failed    keep | { grace_days = 7 }
#     on_cancellation      revoke | period_end | keep
#     on_refund            revoke | revoke_if_latest_payment | keep
#     on_partial_refund    keep | revoke | { revoke_at_percent = 50 }
#     on_chargeback        revoke | block | keep
#     duration_days        none | 30
#     billing_period       none | { days = 30 } | { months = 1 }
";

/// The keys of a policy, as the head of the file tells of them.
const POLICY_KEYS: [&str; 8] = [
    "trial",
    "on_payment_failed",
    "on_cancellation",
    "on_refund",
    "on_partial_refund",
    "on_chargeback",
    "duration_days",
    "billing_period",
];

const LEVELS: &str = "\
# The levels that the membership site knows.
";

const MAPPINGS: &str = "\
# Which product gives which level. A mapping may also have price_point, purchased_from and purchased_before (instants
# such as 2026-01-31T00:00:00Z), enabled = false, and keys of the policy as policy.on_refund = \"keep\".
";

/// Writes rules; `names` are those of the products, which stand beside them.
pub fn write(rules: &RulesFile, names: &BTreeMap<String, String>) -> String {
    let mut text = String::from(HEAD);
    text.push_str("\n[policy]\n");
    policy(&mut text, "", &rules.policy);
    text.push('\n');
    text.push_str(LEVELS);
    for (id, name) in &rules.levels {
        let (id, name) = (quoted(id), quoted(name));
        let _ = write!(text, "\n[[levels]]\nid = {id}\nname = {name}\n");
    }
    text.push('\n');
    text.push_str(MAPPINGS);
    let mut mappings: Vec<&Mapping> = rules.mappings.iter().collect();
    mappings.sort_by_key(|mapping| key_of(mapping));
    for one in mappings {
        text.push_str("\n[[mappings]]\n");
        mapping(&mut text, one, names.get(&one.product_id));
    }
    text
}

fn mapping(text: &mut String, mapping: &Mapping, name: Option<&String>) {
    // A name is Kartra's, and may hold anything but the end of a line.
    let name = name.map(|name| format!(" # {}", name.replace(char::is_control, " ")));
    let product = quoted(&mapping.product_id);
    let _ = writeln!(text, "product_id = {product}{}", name.unwrap_or_default());
    if let Some(price_point) = &mapping.price_point {
        let _ = writeln!(text, "price_point = {}", quoted(price_point));
    }
    let _ = writeln!(text, "level = {}", quoted(&mapping.level));
    if !mapping.enabled {
        text.push_str("enabled = false\n");
    }
    for (key, at) in
        [("purchased_from", mapping.purchased_from), ("purchased_before", mapping.purchased_before)]
    {
        if let Some(at) = at {
            let _ = writeln!(text, "{key} = {}", instant(at));
        }
    }
    policy(text, "policy.", &mapping.policy);
}

fn policy(text: &mut String, before: &str, policy: &Policy) {
    let Ok(serde_json::Value::Object(keys)) = serde_json::to_value(policy) else { return };
    for key in POLICY_KEYS {
        if let Some(value) = keys.get(key) {
            let _ = writeln!(text, "{before}{key} = {}", inline(value));
        }
    }
}

/// A value of a policy: a word, a number, or a table of one number.
fn inline(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => quoted(NONE),
        serde_json::Value::String(word) => quoted(word),
        serde_json::Value::Object(table) => {
            let keys: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", keys.join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn instant(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
