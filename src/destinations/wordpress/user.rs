//! A user of a site, as the REST API shows it.

use super::super::{Account, Failure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The roles whose holders are never touched, and which are never given.
pub const PROTECTED_ROLES: [&str; 2] = ["administrator", "editor"];

/// What one may be allowed to do that makes one an administrator by another name: whoever changes the address of
/// such a user, and asks for a new password, has the site.
const PROTECTED_CAPABILITIES: [&str; 4] =
    ["manage_options", "promote_users", "edit_users", "manage_network"];

/// A user in a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Listed {
    /// Their number.
    pub id: u64,
    /// Their address.
    pub email: String,
}

/// A user of whom only the roles are read.
#[derive(Debug, Clone, Deserialize)]
pub struct Holder {
    /// Their roles; none where the site shows none.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// Their number.
    pub id: u64,
    /// Their login name; none where the site shows none.
    #[serde(default)]
    pub username: String,
    /// Their address.
    pub email: String,
    /// Their roles; plugins take the first for the one that counts, so the order is kept.
    pub roles: Vec<String>,
    /// What they may do, by their roles and by themselves.
    #[serde(default)]
    pub capabilities: Map<String, Value>,
}

impl User {
    /// The roles, whatever their order.
    pub fn holds(&self) -> BTreeSet<String> {
        self.roles.iter().cloned().collect()
    }

    /// Whether the user may do something.
    pub fn may(&self, capability: &str) -> bool {
        may(&self.capabilities, capability)
    }

    /// Why this user must not be touched; `None` where it may be.
    pub fn untouchable(&self) -> Option<String> {
        let role = PROTECTED_ROLES.iter().find(|role| self.roles.iter().any(|held| held == *role));
        if let Some(role) = role {
            return Some(format!("is {role} of the site, and Latchkey touches none of those"));
        }
        let may = PROTECTED_CAPABILITIES.iter().find(|capability| self.may(capability));
        may.map(|may| format!("may {may} at the site, and Latchkey touches nobody who may"))
    }

    /// The user, unless it must not be touched.
    pub fn touchable(self) -> Result<Self, Failure> {
        match self.untouchable() {
            None => Ok(self),
            Some(why) => Err(Failure::Refused(format!("the account {why}"))),
        }
    }

    /// The user as an account.
    pub fn account(&self) -> Account {
        Account {
            remote_id: self.id.to_string(),
            email: normal(&self.email),
            holds: self.holds(),
            untouchable: self.untouchable(),
        }
    }
}

/// Whether somebody may do something by a list of capabilities; plugins write it down in several ways.
pub fn may(capabilities: &Map<String, Value>, capability: &str) -> bool {
    match capabilities.get(capability) {
        Some(Value::Bool(may)) => *may,
        Some(Value::Number(may)) => may.as_i64() != Some(0),
        Some(Value::String(may)) => !may.is_empty() && may != "0",
        _ => false,
    }
}

/// An address as members have it: trimmed, lower case.
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(roles: &[&str], capabilities: &Value) -> User {
        let user = json!({"id": 7, "email": " Ann@X.example", "roles": roles, "capabilities": capabilities});
        serde_json::from_value(user).unwrap()
    }

    #[test]
    fn who_is_administrator_by_any_name_is_not_touched() {
        assert_eq!(user(&["gold"], &json!({"read": true})).untouchable(), None);
        assert_eq!(user(&["gold"], &json!({"edit_users": false})).untouchable(), None);
        for roles in [["administrator", "gold"], ["gold", "editor"]] {
            assert!(user(&roles, &json!({})).untouchable().is_some(), "{roles:?}");
        }
        for capability in PROTECTED_CAPABILITIES {
            for may in [json!(true), json!(1), json!("1")] {
                assert!(user(&["gold"], &json!({ capability: may })).untouchable().is_some());
            }
        }
    }

    #[test]
    fn an_address_is_compared_as_members_have_it() {
        assert_eq!(user(&[], &json!({})).account().email, "ann@x.example");
    }
}
