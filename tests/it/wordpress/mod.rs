//! WordPress as a destination, against the real thing: what is asked of [`latchkey::destinations`] alone, without
//! members and schedules.

mod accounts;
mod check;
mod offered;
mod outages;
mod refusals;
mod roles;
mod welcome;

use crate::support::wordpress::Wordpress;
use latchkey::destinations::{
    Account, Accounts, Caller, Failure, Finding, Offered, Pace, Remote, kind,
};
use latchkey::egress::Egress;
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::Future;

/// The site, and what calls it.
struct Club {
    wordpress: &'static Wordpress,
    accounts: Box<dyn Accounts>,
    runtime: tokio::runtime::Runtime,
}

impl Club {
    /// The shared site, called as its administrator, where there is one here.
    fn open() -> Option<Self> {
        let wordpress = Wordpress::shared()?;
        Some(Self::by(wordpress, &wordpress.config()))
    }

    /// A site by another address or as somebody else.
    fn by(wordpress: &'static Wordpress, config: &Value) -> Self {
        let remote = open(config).expect("a config that can be");
        let Remote::Accounts(accounts) = remote else { panic!("{remote:?}") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { wordpress, accounts, runtime: runtime.expect("a runtime") }
    }

    /// The same site as somebody who has this role there.
    fn as_one_who_is(&self, role: &str) -> Self {
        let (login, email) = (format!("caller{role}"), format!("caller.{role}@club.example"));
        self.wordpress.add_user(&login, &email, &[role]);
        let mut config = self.wordpress.config();
        config["username"] = login.into();
        config["application_password"] = self.wordpress.application_password_of(&email).into();
        Self::by(self.wordpress, &config)
    }

    fn does<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    fn find(&self, email: &str) -> Result<Option<Account>, Failure> {
        self.does(self.accounts.find(email))
    }

    /// The account with an address, which has to be there.
    fn found(&self, email: &str) -> Account {
        self.find(email).expect("an answer").unwrap_or_else(|| panic!("no account {email}"))
    }

    fn get(&self, remote_id: &str) -> Result<Option<Account>, Failure> {
        self.does(self.accounts.get(remote_id))
    }

    fn make(&self, email: &str, holds: &[&str]) -> Result<Account, Failure> {
        self.does(self.accounts.make(email, &set(holds)))
    }

    fn write(&self, account: &Account, add: &[&str], remove: &[&str]) -> Result<Account, Failure> {
        self.does(self.accounts.write(account, &set(add), &set(remove)))
    }

    fn rename(&self, account: &Account, email: &str) -> Result<Account, Failure> {
        self.does(self.accounts.rename(account, email))
    }

    fn welcome(&self, account: &Account) -> Result<(), Failure> {
        self.does(self.accounts.welcome(account))
    }

    fn offered(&self, named: &[&str]) -> Result<Offered, Failure> {
        self.does(self.accounts.offered(&set(named)))
    }

    fn test(&self, remotes: &[&str]) -> Vec<Finding> {
        self.does(self.accounts.test(&set(remotes)))
    }
}

/// Opens a destination that may be on loopback.
fn open(config: &Value) -> Result<Remote, latchkey::destinations::Wrong> {
    let egress = Egress::new(&["127.0.0.0/8".parse().expect("a range")]);
    let caller = Caller::new(egress, Pace { calls_per_second: 1_000, concurrency: 2 });
    let config = config.as_object().expect("an object");
    (kind("wordpress").expect("the kind").open)(config, caller)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The number of somebody as accounts have it.
fn remote_id(number: u64) -> String {
    number.to_string()
}
