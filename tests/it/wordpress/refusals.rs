//! Who we are is not known, or what we may do is not enough: a destination stops, and says what to do.

use super::Club;
use latchkey::destinations::{Account, Failure};

/// What every call says while the credentials are not taken, each in the words that WordPress has for it.
fn takes_no_credentials(club: &Club, username: &str, account: &Account) {
    let stopped = |said: &str| {
        Some(Failure::Stopped(format!(
            "the site does not take the credentials of {username} ({said}): make a new application password in the \
             profile of that user; where a new one is not taken either, the web server does not hand on the \
             Authorization header, or application passwords are switched off, as they are without https"
        )))
    };
    let read = "Sorry, you are not allowed to edit users";
    assert_eq!(club.find(&account.email).err(), stopped(read));
    let one = "Sorry, you are not allowed to edit this user";
    assert_eq!(club.get(&account.remote_id).err(), stopped(one));
    assert_eq!(club.write(account, &["subscriber"], &[]).err(), stopped(one));
    assert_eq!(club.rename(account, "other@credentials.example").err(), stopped(one));
    let made = "Sorry, you are not allowed to create new users";
    assert_eq!(club.make("new@credentials.example", &[]).err(), stopped(made));
}

#[test]
fn a_wrong_password_stops_the_destination_and_says_what_to_do() {
    let Some(club) = Club::open() else { return };
    let account = club.make("wilma@credentials.example", &[]).expect("made");
    let mut config = club.wordpress.config();
    config["application_password"] = "not the password".into();
    takes_no_credentials(&Club::by(club.wordpress, &config), "owner", &account);
    config["username"] = "nobody".into();
    takes_no_credentials(&Club::by(club.wordpress, &config), "nobody", &account);
}

#[test]
fn a_password_that_was_taken_back_stops_the_destination() {
    let Some(club) = Club::open() else { return };
    let account = club.make("rosa@credentials.example", &[]).expect("made");
    let caller = club.as_one_who_is("administrator");
    assert_eq!(caller.found("rosa@credentials.example"), account);
    club.wordpress.revokes_passwords_of("caller.administrator@club.example");
    takes_no_credentials(&caller, "calleradministrator", &account);
}

#[test]
fn rights_that_are_missing_stop_the_destination_and_say_which() {
    let Some(club) = Club::open() else { return };
    let account = club.make("rick@rights.example", &[]).expect("made");
    let author = club.as_one_who_is("contributor");
    let stopped = |said: &str| {
        Some(Failure::Stopped(format!(
            "callercontributor may not do what is needed ({said}): let that user list, create, edit and promote \
             users, as an administrator does"
        )))
    };
    let read = "Sorry, you are not allowed to edit users";
    assert_eq!(author.find("rick@rights.example").err(), stopped(read));
    let one = "Sorry, you are not allowed to edit this user";
    assert_eq!(author.get(&account.remote_id).err(), stopped(one));
    assert_eq!(author.write(&account, &["subscriber"], &[]).err(), stopped(one));
    let made = "Sorry, you are not allowed to create new users";
    assert_eq!(author.make("new@rights.example", &[]).err(), stopped(made));
    assert_eq!(club.wordpress.count("@rights.example"), 1);
}

#[test]
fn one_account_that_is_kept_from_us_stops_nothing_else() {
    let Some(club) = Club::open() else { return };
    // Some plugins let a shop's manager edit its customers only.
    let body = "
        mkdir(WPMU_PLUGIN_DIR, 0755, true);
        file_put_contents(WPMU_PLUGIN_DIR . '/kept.php', '<?php
            add_filter(\"map_meta_cap\", function ($needed, $capability, $user, $of) {
                $kept = in_array($capability, [\"edit_user\", \"promote_user\"], true)
                    && get_userdata($of[0] ?? 0)->user_email === \"kept@kept.example\";
                return $kept ? [\"do_not_allow\"] : $needed;
            }, 10, 4);');";
    club.wordpress.php(&serde_json::json!(null), body);
    let number = club.wordpress.add_user("keptuser", "kept@kept.example", &["subscriber"]);
    let why = "the site keeps this account from owner, who may otherwise do all that is needed: Sorry, you are not \
               allowed to edit this user.";
    assert_eq!(club.get(&number.to_string()), Err(Failure::Refused(why.to_owned())));
    // It is in no list either, but its address is taken.
    assert_eq!(club.find("kept@kept.example"), Ok(None));
    let why = "the site refuses the address (Sorry, that email address is already used!), and shows owner no account \
               that has it";
    assert_eq!(club.make("kept@kept.example", &[]), Err(Failure::Refused(why.to_owned())));
}
