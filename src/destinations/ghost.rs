//! Ghost, by its Admin API: a label for each level, and for some labels a complimentary tier besides.
//!
//! The name that a level has here is the name of a label. Ghost makes a label when it first hears its name, and takes
//! names that differ in case only for the same one. `tiers` says, by priority, whose holders get which tier for
//! free; [`tier`] says which one that comes to, and when a tier is left alone.
//!
//! An account is a member of Ghost. Making one has Ghost send its sign-up mail, in the same call: an account that is
//! made and whose mail Ghost could not send is not made again, and the mail is not asked for again.
//!
//! Absences that tests check: nothing of what Ghost has shown is sent back but the names of labels, because Ghost
//! takes an echoed `comped` or `subscriptions` for an order to make a subscription; no label goes that was not to
//! go; no tier is touched beside a subscription that is paid for.
//!
//! Checked against a stand-in only, which is written from Ghost's documentation and its published source
//! (`tests/it/support/ghost.rs`): all of it. Seen with a real Ghost (6.65): that making a member answers 201, and
//! making them again 422 with "Member already exists".

mod api;
mod filter;
mod labels;
mod look;
mod shapes;
mod tier;

use super::{
    Account, Accounts, Caller, Config, Failure, Finding, Kind, Offer, Offered, Pace, Remote, Wrong,
    read,
};
use api::Api;
use async_trait::async_trait;
use labels::is_named;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shapes::Member;
use std::collections::BTreeSet;
use tier::TierOf;

/// This kind.
pub const KIND: Kind = Kind {
    name: "ghost",
    open,
    secrets: &["admin_api_key"],
    is_signed: false,
    names_levels: true,
    pace: Pace { calls_per_second: 10, concurrency: 2 },
    schema: |generator| generator.subschema_for::<GhostConfig>(),
};

/// What operators write down for a Ghost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GhostConfig {
    /// Where the site is, as its owner sees it, such as `https://www.example.com`; a path is kept.
    url: String,
    /// The Admin API key of a custom integration: its id, a colon, and its secret.
    #[schemars(extend("writeOnly" = true))]
    admin_api_key: String,
    /// Whose holders get which tier for free, the one that counts for most first; absent for nobody.
    #[serde(default)]
    tiers: Option<Vec<TierOf>>,
}

/// A Ghost.
struct Ghost {
    api: Api,
    tiers: Vec<TierOf>,
}

fn open(config: &Config, caller: Caller) -> Result<Remote, Wrong> {
    let GhostConfig { url, admin_api_key, tiers } = read(config)?;
    let tiers = tiers.unwrap_or_default();
    tier::check(&tiers)?;
    let api = Api::new(caller, &url, &admin_api_key)?;
    Ok(Remote::Accounts(Box::new(Ghost { api, tiers })))
}

#[async_trait]
impl Accounts for Ghost {
    async fn find(&self, email: &str) -> Result<Option<Account>, Failure> {
        let found = self.api.member_of(email).await?;
        Ok(found.map(|member| account(&member, &BTreeSet::new())))
    }

    async fn get(&self, remote_id: &str) -> Result<Option<Account>, Failure> {
        let found = self.api.member(remote_id).await?;
        Ok(found.map(|member| account(&member, &BTreeSet::new())))
    }

    async fn make(&self, email: &str, holds: &BTreeSet<String>) -> Result<Account, Failure> {
        let mut member = Map::from_iter([("email".to_owned(), json!(email))]);
        member.insert("labels".to_owned(), named(holds));
        let wanted = tier::wanted(&self.tiers, holds);
        let step = wanted.map_or(tier::Step::Keep, |wanted| tier::Step::Give(wanted.to_owned()));
        if let Some(tiers) = self.tiers_after(&step).await? {
            member.insert("tiers".to_owned(), tiers);
        }
        if let Some(made) = self.api.add(&member).await? {
            step.is_confirmed_by(&made)?;
            return Ok(account(&made, holds));
        }
        // Somebody has made it since, or our own call has, whose answer was lost.
        let found = self.api.member_of(email).await?;
        found.map(|member| account(&member, &BTreeSet::new())).ok_or_else(|| {
            Failure::Unsure(
                "Ghost says that the member already exists, and does not find them".to_owned(),
            )
        })
    }

    fn welcomes_apart(&self) -> bool {
        false
    }

    async fn welcome(&self, _account: &Account) -> Result<(), Failure> {
        // Making an account has sent it.
        Ok(())
    }

    async fn write(
        &self,
        account: &Account,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<Account, Failure> {
        // The account was read without its tiers, and perhaps a while ago; labels are written as a whole list.
        let id = &account.remote_id;
        let member = self.api.member(id).await?.ok_or_else(gone)?;
        let before = member.labels();
        let after = labels::written(&before, add, remove);
        let step = tier::step(&self.tiers, &member, &labels::joined(&before, remove), &after);
        let mut changes = Map::new();
        if after != before {
            changes.insert("labels".to_owned(), named(&after));
        }
        if let tier::Step::Leave(why) = &step {
            tracing::warn!(member = id, "a tier of a Ghost member is left as it is: {why}");
        }
        if let Some(tiers) = self.tiers_after(&step).await? {
            changes.insert("tiers".to_owned(), tiers);
        }
        let member = if changes.is_empty() {
            member
        } else {
            self.api.edit(id, &changes).await?.ok_or_else(gone)?
        };
        step.is_confirmed_by(&member)?;
        Ok(self::account(&member, add))
    }

    async fn rename(&self, account: &Account, email: &str) -> Result<Account, Failure> {
        let changes = Map::from_iter([("email".to_owned(), json!(email))]);
        let renamed = self.api.edit(&account.remote_id, &changes).await?.ok_or_else(gone)?;
        Ok(self::account(&renamed, &BTreeSet::new()))
    }

    async fn test(&self, remotes: &BTreeSet<String>) -> Vec<Finding> {
        look::test(&self.api, &self.tiers, remotes).await
    }

    async fn offered(&self, _named: &BTreeSet<String>) -> Result<Offered, Failure> {
        look::offered(&self.api).await
    }
}

impl Ghost {
    /// What the list of tiers is to be; `None` where it stays as it is.
    async fn tiers_after(&self, step: &tier::Step) -> Result<Option<Value>, Failure> {
        match step {
            tier::Step::Keep | tier::Step::Leave(_) => Ok(None),
            tier::Step::Take => Ok(Some(json!([]))),
            tier::Step::Give(wanted) => {
                let tier = self.tier_called(wanted).await?;
                Ok(Some(json!([{ "id": tier }])))
            }
        }
    }

    /// The id of the tier that operators call so.
    async fn tier_called(&self, called: &str) -> Result<String, Failure> {
        let tiers = self.api.tiers().await?;
        let tier = tiers.into_iter().find(|tier| tier.is_called(called));
        tier.map(|tier| tier.id).ok_or_else(|| {
            Failure::Refused(format!("Ghost has no tier with the name, slug or id {called}"))
        })
    }
}

fn gone() -> Failure {
    Failure::Unsure("the member is not there any more".to_owned())
}

/// Labels as Ghost takes them: by their names.
fn named(labels: &BTreeSet<String>) -> Value {
    labels.iter().map(|name| json!({ "name": name })).collect()
}

/// A member as an account. Labels that were asked for are shown as they were asked for, whatever case Ghost has.
fn account(member: &Member, asked: &BTreeSet<String>) -> Account {
    let shown = |label: String| {
        let asked = asked.iter().find(|asked| is_named(asked, &label));
        asked.cloned().unwrap_or(label)
    };
    Account {
        remote_id: member.id.clone(),
        email: member.email(),
        holds: member.labels().into_iter().map(shown).collect(),
        untouchable: None,
    }
}
