//! Which roles a site has, as far as its REST API tells.
//!
//! It lists none. So those are told that accounts hold, and of those that WordPress and its shop come with, and of those
//! that are written down already, the ones that the site takes.

use super::super::{Failure, Offer, Offered};
use super::check::{self, Given};
use super::site::{ACCOUNTS_LOOKED_AT, Site};
use super::user::PROTECTED_ROLES;
use std::collections::{BTreeMap, BTreeSet};

/// The roles that WordPress and its shop come with and that can be given, with what they call them in English.
const USUAL: [(&str, &str); 4] = [
    ("subscriber", "Subscriber"),
    ("customer", "Customer"),
    ("contributor", "Contributor"),
    ("author", "Author"),
];
/// How many names that are written down already are looked for: each is a call.
const NAMED_MAX: usize = 20;

/// The roles of a site that can be given: first those that it has beyond the usual ones.
pub async fn roles(site: &Site, named: &BTreeSet<String>) -> Result<Offered, Failure> {
    let me = site.me().await?;
    let missing = check::missing(&me);
    if !missing.is_empty() {
        return Err(Failure::Refused(check::lacks(&site.username, &missing)));
    }
    let held = site.roles().await?;
    let usual: BTreeMap<&str, &str> = USUAL.into_iter().collect();
    let others = named.iter().map(String::as_str).filter(|role| !usual.contains_key(role));
    let looked_for = others.take(NAMED_MAX).chain(USUAL.into_iter().map(|(role, _)| role));
    let mut seen: BTreeSet<String> = held;
    for role in looked_for {
        if !seen.contains(role) && !PROTECTED_ROLES.contains(&role) {
            // Whoever cannot be asked about one role may well take others.
            if check::given(site, &me, role).await == Given::Yes {
                seen.insert(role.to_owned());
            }
        }
    }
    seen.retain(|role| !PROTECTED_ROLES.contains(&role.as_str()));
    let offer = |role: String| Offer {
        what: "role",
        name: usual.get(role.as_str()).map(|name| (*name).to_owned()),
        remote: role,
        unfit: None,
    };
    let (usual_ones, own): (Vec<String>, Vec<String>) =
        seen.into_iter().partition(|role| usual.contains_key(role.as_str()));
    let incomplete = format!(
        "WordPress lists its roles to nobody: these are the ones that the first {ACCOUNTS_LOOKED_AT} accounts hold, and \
         the usual ones that the site takes. Any other can be written down by its name."
    );
    Ok(Offered {
        offers: own.into_iter().chain(usual_ones).map(offer).collect(),
        incomplete: Some(incomplete),
        makes_missing: false,
    })
}
