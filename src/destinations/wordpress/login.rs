//! The login names that a new account may have.
//!
//! A name is small letters and digits only, and at least four of them: every site takes that, also one of several
//! sites in one WordPress, where nothing else is taken.

use crate::secrets::{SecretError, random_digits};

/// What a name is made of where the address has nothing for one.
const NOBODY: &str = "member";
/// The fewest characters of a name.
const CHARS_MIN: usize = 4;
/// The most characters of the address that go into a name: with all that follows it is shorter than what a site
/// takes, which is 60 characters, and 50 where a name becomes part of an address of the site.
const CHARS_MAX: usize = 40;

/// The names to try for an address, in this order: its own, numbered, and then any.
pub fn names(email: &str) -> Result<[String; 5], SecretError> {
    let own = own(email);
    // Digits alone would be taken for the number of a user.
    let first = if own.len() < CHARS_MIN { format!("{own}{NOBODY}") } else { own.clone() };
    Ok([
        first.clone(),
        format!("{first}2"),
        format!("{first}3"),
        format!("{first}{}", random_digits::<6>()?),
        format!("{NOBODY}{}", random_digits::<12>()?),
    ])
}

/// What an address has for a name: letters and digits from before its `@`.
fn own(email: &str) -> String {
    let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
    let fits = local.chars().map(|c| c.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric);
    let own: String = fits.take(CHARS_MAX).collect();
    if own.chars().any(|c| c.is_ascii_alphabetic()) { own } else { format!("{NOBODY}{own}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(email: &str) -> String {
        names(email).unwrap()[0].clone()
    }

    #[test]
    fn a_name_comes_from_the_address_as_every_site_takes_it() {
        assert_eq!(first("Ann.Lee+shop@club.example"), "annleeshop");
        assert_eq!(first("al@club.example"), "almember");
        assert_eq!(first("42@club.example"), "member42");
        assert_eq!(first("ж@club.example"), "member");
        assert_eq!(first("\"a@b c\"@club.example"), "abcmember");
    }

    #[test]
    fn no_two_names_are_the_same_and_none_is_too_long() {
        let long = format!("{}@club.example", "a1".repeat(40));
        for email in ["ann@club.example", "@club.example", &long] {
            let names = names(email).unwrap();
            for (at, name) in names.iter().enumerate() {
                let fits = (CHARS_MIN..=50).contains(&name.len());
                assert!(
                    fits && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                    "{name}"
                );
                assert!(!names[..at].contains(name), "{name} twice");
            }
        }
    }
}
