//! Looks whether all that is needed of a Ghost works.

use super::api::{Api, Unread};
use super::tier::TierOf;
use super::{Failure, Finding, Offer, Offered};
use std::collections::BTreeSet;

/// The longest name of a label, in characters.
const LABEL_CHARS_MAX: usize = 191;

const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;

/// Looks at the connection, the key, what it may do, and these labels and tiers.
pub(super) async fn test(api: &Api, tiers: &[TierOf], remotes: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = vec![match api.version().await {
        Ok(version) => Finding::good("connection", format!("Ghost {version} answers.")),
        Err(failure) => {
            return vec![Finding::bad(
                "connection",
                format!(
                    "{} Is the URL the address at which Ghost itself shows its site?",
                    sentence(&failure)
                ),
            )];
        }
    }];
    match api.may_read().await {
        Ok(()) => {
            findings.push(Finding::good("credentials", "The key is taken."));
            findings.push(Finding::good("rights", "Members may be read."));
        }
        Err(unread) => {
            findings.push(refused(&unread));
            return findings;
        }
    }
    findings.extend(names(api, remotes).await);
    findings.extend(of_tiers(api, tiers, remotes).await);
    findings
}

/// What levels can be told as: the labels, by name, and behind them the tiers, which are given beside a label.
pub(super) async fn offered(api: &Api) -> Result<Offered, Failure> {
    let (mut labels, is_all) = api.labels().await?;
    labels.sort_by_key(|name| name.to_lowercase());
    let labels = labels.into_iter().map(|name| Offer::named("label", name));
    let tiers = api.tiers().await?;
    let tiers = tiers.iter().map(|tier| Offer {
        what: "tier",
        remote: tier.slug().to_owned(),
        name: Some(tier.name().to_owned()),
        unfit: tier.unfit().map(|why| format!("The tier {} {why}.", tier.name())),
    });
    let seen = labels.len();
    let more =
        || format!("These are the first {seen} labels of Ghost; any other can be written down.");
    Ok(Offered {
        offers: labels.chain(tiers).collect(),
        incomplete: (!is_all).then(more),
        makes_missing: true,
    })
}

/// What is wrong where members may not be read.
fn refused(unread: &Unread) -> Finding {
    let said = sentence(&unread.why);
    match unread.status {
        Some(UNAUTHORIZED) => Finding::bad(
            "credentials",
            format!(
                "{said} Copy the Admin API key of the custom integration once more; it is good for a Ghost whose \
                 clock is less than five minutes away from ours."
            ),
        ),
        Some(FORBIDDEN) => Finding::bad(
            "rights",
            format!(
                "{said} Take the Admin API key of a custom integration, which may write members."
            ),
        ),
        _ => Finding::bad("connection", said),
    }
}

/// A failure with the full stop that Ghost's own words may have already.
fn sentence(failure: &Failure) -> String {
    format!("{}.", failure.to_string().trim_end_matches('.'))
}

/// What there is to say of each label. One that is not there yet is no fault.
async fn names(api: &Api, remotes: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in remotes {
        findings.push(name_of(api, name).await);
    }
    findings
}

async fn name_of(api: &Api, name: &str) -> Finding {
    let length = name.chars().count();
    if name.trim() != name || !(1..=LABEL_CHARS_MAX).contains(&length) {
        return Finding::bad(
            "names",
            format!(
                "“{name}” is no name of a label: it has from 1 to {LABEL_CHARS_MAX} characters, and no space at \
                 its ends."
            ),
        );
    }
    match api.label(name).await {
        Ok(Some(there)) if there == name => {
            Finding::good("names", format!("The label {name} is there."))
        }
        Ok(Some(there)) => Finding::bad(
            "names",
            format!(
                "Ghost writes the label {name} as {there}: write it so here, or rename it there."
            ),
        ),
        Ok(None) => Finding::good(
            "names",
            format!("The label {name} is not there yet; Ghost makes it with its first holder."),
        ),
        Err(failure) => Finding::bad("names", format!("The label {name}: {}", sentence(&failure))),
    }
}

/// What there is to say of each tier.
async fn of_tiers(api: &Api, tiers: &[TierOf], remotes: &BTreeSet<String>) -> Vec<Finding> {
    if tiers.is_empty() {
        return Vec::new();
    }
    let there = match api.tiers().await {
        Ok(there) => there,
        Err(failure) => {
            return vec![Finding::bad("names", format!("Tiers: {}", sentence(&failure)))];
        }
    };
    let look = |TierOf { remote, tier }: &TierOf| {
        if !remotes.contains(remote) {
            let detail = format!("tiers names {remote}, which is the name of no level here.");
            return Finding::bad("names", detail);
        }
        match there.iter().find(|there| there.is_called(tier)) {
            None => {
                let all =
                    there.iter().map(super::shapes::Tier::name).collect::<Vec<_>>().join(", ");
                Finding::bad("names", format!("Ghost has no tier {tier}; it has {all}."))
            }
            Some(found) => match found.unfit() {
                Some(why) => Finding::bad("names", format!("The tier {tier} {why}.")),
                None => Finding::good(
                    "names",
                    format!("The tier {tier} is there; it acts only where Stripe is connected."),
                ),
            },
        }
    };
    tiers.iter().map(look).collect()
}
