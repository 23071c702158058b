//! The accounts of a site, brought in line.

use super::super::{Account, Accounts, Failure, Finding, Offered};
use super::reply::{EXISTING_EMAIL, INVALID_EMAIL, Problem, asks_for_patience};
use super::site::Site;
use super::user::{PROTECTED_ROLES, User, normal};
use super::{check, login, offered, words};
use crate::secrets::{SecretError, new_password};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the page of a lost password leads when the mail is on its way.
const MAIL_IS_SENT: &str = "checkemail=confirm";

#[async_trait]
impl Accounts for Site {
    async fn find(&self, email: &str) -> Result<Option<Account>, Failure> {
        let Some(id) = self.search(email).await? else { return Ok(None) };
        // A list does not show what somebody may do.
        self.get(&id.to_string()).await
    }

    async fn get(&self, remote_id: &str) -> Result<Option<Account>, Failure> {
        Ok(self.user(remote_id).await?.map(|user| user.account()))
    }

    async fn make(&self, email: &str, holds: &BTreeSet<String>) -> Result<Account, Failure> {
        let email = normal(email);
        can_be_kept(&email)?;
        can_be_given(holds)?;
        // Nobody keeps it: the owner sets another by the mail that welcomes.
        let password = new_password().map_err(|error| no_randomness(&error))?;
        let mut last = None;
        for name in login::names(&email).map_err(|error| no_randomness(&error))? {
            let body = new_account(&name, &email, &password, holds);
            match self.save("", &body).await? {
                Ok(user) if normal(&user.email) != email => {
                    return Err(not_so(
                        "has another address, which has to be put right at the site",
                    ));
                }
                Ok(user) => return Ok(user.account()),
                Err(problem) if problem.is_about_the_address() => {
                    return self
                        .find(&email)
                        .await?
                        .ok_or_else(|| hidden(&self.username, &problem));
                }
                Err(problem) if problem.is_about_the_name() => last = Some(problem),
                Err(problem) => return Err(problem.failure(&self.username)),
            }
        }
        let said = last.map(|problem| problem.said).unwrap_or_default();
        Err(Failure::Refused(format!("the site takes no login name that was tried: {said}")))
    }

    fn welcomes_apart(&self) -> bool {
        true
    }

    async fn welcome(&self, account: &Account) -> Result<(), Failure> {
        if let Some(why) = &account.untouchable {
            return Err(Failure::Refused(format!("the account {why}")));
        }
        let answer = self.post_login("lostpassword", &[("user_login", &account.email)]).await?;
        asks_for_patience(&answer)?;
        let status = answer.status;
        let why = match answer.header("location") {
            Some(location) if location.contains(MAIL_IS_SENT) => return Ok(()),
            Some(_) => format!("wp-login.php answered {status} and leads elsewhere"),
            None => match words::login_error(&String::from_utf8_lossy(&answer.body)) {
                Some(said) => format!("wp-login.php says: {said}"),
                None => format!("wp-login.php answered {status}, and not as WordPress does"),
            },
        };
        Err(Failure::Unsure(format!("the mail to set a password was not sent: {why}")))
    }

    async fn write(
        &self,
        account: &Account,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<Account, Failure> {
        can_be_given(add)?;
        // What is written replaces all roles, so it goes out from those of this moment.
        let user = self.touchable(account).await?;
        let wanted = merged(&user.roles, add, remove);
        if wanted == user.roles {
            return Ok(user.account());
        }
        let path = format!("/{}", user.id);
        let written = match self.save(&path, &json!({ "roles": wanted })).await? {
            Ok(user) => user.account(),
            Err(problem) => return Err(self.failure(problem).await),
        };
        let missing = add.iter().find(|role| !written.holds.contains(*role));
        let surplus =
            remove.iter().find(|role| written.holds.contains(*role) && !add.contains(*role));
        match (missing, surplus) {
            (None, None) => Ok(written),
            (Some(role), _) => Err(not_so(&format!("does not hold {role}"))),
            (_, Some(role)) => Err(not_so(&format!("still holds {role}"))),
        }
    }

    async fn rename(&self, account: &Account, email: &str) -> Result<Account, Failure> {
        let email = normal(email);
        can_be_kept(&email)?;
        let user = self.touchable(account).await?;
        if normal(&user.email) == email {
            return Ok(user.account());
        }
        let problem = match self.save(&format!("/{}", user.id), &json!({ "email": email })).await? {
            Ok(user) if normal(&user.email) == email => return Ok(user.account()),
            Ok(_) => return Err(not_so("has not the new address")),
            Err(problem) => problem,
        };
        // It says the same of an address that is taken and of one that is none.
        if [INVALID_EMAIL, EXISTING_EMAIL].contains(&problem.code.as_str())
            && self.search(&email).await?.is_some()
        {
            return Err(Failure::Refused(
                "another account of the site has this address".to_owned(),
            ));
        }
        Err(self.failure(problem).await)
    }

    async fn test(&self, remotes: &BTreeSet<String>) -> Vec<Finding> {
        check::findings(self, remotes).await
    }

    async fn offered(&self, named: &BTreeSet<String>) -> Result<Offered, Failure> {
        offered::roles(self, named).await
    }
}

impl Site {
    /// The user that an account is, as it is now, if it may be touched.
    async fn touchable(&self, account: &Account) -> Result<User, Failure> {
        match self.user(&account.remote_id).await? {
            Some(user) => user.touchable(),
            None => Err(Failure::Unsure("the account is gone from the site".to_owned())),
        }
    }
}

/// The roles that are to be held: all that stay in their order, and what is new behind them.
fn merged(roles: &[String], add: &BTreeSet<String>, remove: &BTreeSet<String>) -> Vec<String> {
    let stays = |role: &&String| add.contains(*role) || !remove.contains(*role);
    let new = add.iter().filter(|role| !roles.contains(role));
    roles.iter().filter(stays).chain(new).cloned().collect()
}

/// A new account. Where it is to hold nothing the site gives what it gives to everybody.
fn new_account(name: &str, email: &str, password: &str, holds: &BTreeSet<String>) -> Value {
    let mut body = json!({ "username": name, "email": email, "password": password });
    if let (false, Some(fields)) = (holds.is_empty(), body.as_object_mut()) {
        fields.insert("roles".to_owned(), json!(holds));
    }
    body
}

/// WordPress makes `&amp;` of `&`, and leaves out what looks like an encoded character, such as `%25`: what it keeps
/// then is another address, which may be somebody else's.
fn can_be_kept(email: &str) -> Result<(), Failure> {
    let is_encoded = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if email.contains('&') || email.split('%').skip(1).any(is_encoded) {
        let why = "WordPress does not keep an address with & or with % and a number in it as it is";
        return Err(Failure::Refused(why.to_owned()));
    }
    Ok(())
}

fn can_be_given(roles: &BTreeSet<String>) -> Result<(), Failure> {
    match roles.iter().find(|role| PROTECTED_ROLES.contains(&role.as_str())) {
        Some(role) => Err(Failure::Refused(format!(
            "Latchkey gives nobody the role {role}: write down another one for the level"
        ))),
        None => Ok(()),
    }
}

/// The address has an account that is not shown to us, or the site takes none from where it is.
fn hidden(username: &str, problem: &Problem) -> Failure {
    Failure::Refused(format!(
        "the site refuses the address ({}), and shows {username} no account that has it",
        words::unfinished(&problem.said)
    ))
}

fn not_so(what: &str) -> Failure {
    Failure::Unsure(format!("the site answered that it was done, but the account {what}"))
}

fn no_randomness(error: &SecretError) -> Failure {
    Failure::Unreached(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_added_and_removed_and_all_others_keep_their_place() {
        let roles =
            |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let set = |names: &[&str]| roles(names).into_iter().collect::<BTreeSet<_>>();
        let held = roles(&["vendor", "gold", "buyer"]);
        assert_eq!(
            merged(&held, &set(&["silver"]), &set(&["gold"])),
            roles(&["vendor", "buyer", "silver"])
        );
        assert_eq!(merged(&held, &set(&["gold"]), &set(&["gold", "none"])), held);
        assert_eq!(merged(&held, &set(&[]), &set(&["vendor", "gold", "buyer"])), roles(&[]));
    }
}
