//! Ghost as a destination, against the stand-in for its Admin API.

mod accounts;
mod labels;
mod look;
mod offered;
mod refusals;
mod tiers;
mod written;

use crate::support::ghost::{Ghost, KEY, Member};
use latchkey::destinations::{
    Account, Accounts, Caller, Config, Failure, Finding, Offered, Pace, Remote, Wrong, kind,
};
use latchkey::egress::Egress;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// What calls a site on loopback, fast.
fn caller(ghost: &Ghost) -> Caller {
    let egress = Egress::new(&["127.0.0.0/8".parse().expect("a network")]);
    let pace = Pace { calls_per_second: 10_000, concurrency: 1 };
    Caller::new(egress, pace).timed_by(ghost.clock().clone())
}

/// Opens the kind with a config.
fn open(ghost: &Ghost, config: &Value) -> Result<Remote, Wrong> {
    let config: Config = config.as_object().expect("an object").clone();
    (kind("ghost").expect("a kind").open)(&config, caller(ghost))
}

/// A Ghost, and what Latchkey makes of it.
struct Site {
    ghost: Ghost,
    accounts: Box<dyn Accounts>,
    runtime: Runtime,
}

impl Site {
    /// One without tiers.
    fn start() -> Self {
        Self::with(Ghost::start(), &json!({}))
    }

    /// One with more in its config.
    fn with(ghost: Ghost, more: &Value) -> Self {
        let mut config = json!({ "url": ghost.url(), "admin_api_key": KEY });
        config.as_object_mut().unwrap().extend(more.as_object().expect("an object").clone());
        let remote = open(&ghost, &config).expect("opened");
        let Remote::Accounts(accounts) = remote else { panic!("{remote:?}") };
        assert!(!accounts.welcomes_apart(), "making an account sends the mail");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { ghost, accounts, runtime }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn find(&self, email: &str) -> Result<Option<Account>, Failure> {
        self.run(self.accounts.find(email))
    }

    fn get(&self, id: &str) -> Result<Option<Account>, Failure> {
        self.run(self.accounts.get(id))
    }

    fn make(&self, email: &str, holds: &[&str]) -> Result<Account, Failure> {
        self.run(self.accounts.make(email, &set(holds)))
    }

    fn write(&self, account: &Account, add: &[&str], remove: &[&str]) -> Result<Account, Failure> {
        self.run(self.accounts.write(account, &set(add), &set(remove)))
    }

    fn rename(&self, account: &Account, email: &str) -> Result<Account, Failure> {
        self.run(self.accounts.rename(account, email))
    }

    fn offered(&self) -> Result<Offered, Failure> {
        self.run(self.accounts.offered(&BTreeSet::new()))
    }

    fn test(&self, remotes: &[&str]) -> Vec<Finding> {
        self.run(self.accounts.test(&set(remotes)))
    }

    /// Somebody whom the operator has made by hand, as an account.
    fn has(&self, member: Member) -> Account {
        let id = self.ghost.state().has(member);
        self.get(&id).expect("read").expect("an account")
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Somebody with these labels.
fn member(email: &str, labels: &[&str]) -> Member {
    Member { email: email.to_owned(), labels: texts(labels), ..Member::default() }
}
