//! What is wrong before anything runs: each message names the thing and says what to do, and none
//! repeats a secret.

use crate::support::Database;
use crate::support::daemon::{Home, Ran};
use std::net::TcpListener;

const SECRET: &str = "lk_a_secret_that_no_message_repeats";

fn home() -> Home {
    Home::new(Database::sqlite())
}

/// Runs with a settings file of this content.
fn with_file(content: &str) -> Ran {
    let home = home();
    std::fs::write(home.path().join("some.toml"), content).expect("a file");
    home.run(&["--config", "some.toml", "migrate"])
}

#[track_caller]
fn refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.err.starts_with("latchkey: ") && ran.out.is_empty(), "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in {ran:?}");
    }
    assert!(!ran.err.contains(SECRET) && !ran.err.contains("panicked"), "{ran:?}");
}

#[test]
fn an_unknown_key_is_named_with_where_it_stands() {
    let in_file = with_file("[server]\nbnid = \"127.0.0.1:0\"\n");
    refused(&in_file, 2, &["unknown setting `server.bnid`", "some.toml"]);
    let section = with_file("[servers]\nbind = \"127.0.0.1:0\"\n");
    refused(&section, 2, &["unknown setting `servers", "some.toml"]);
    let mut home = home();
    home.set("ADMIN__KEYS", SECRET);
    refused(&home.run(&["migrate"]), 2, &["unknown setting", "LATCHKEY__ADMIN__KEYS"]);
}

#[test]
fn a_value_that_cannot_be_is_named_but_not_repeated() {
    for (key, value) in [
        ("SERVER__BIND", SECRET),
        ("DATABASE__URL", SECRET),
        ("INTAKE__QUEUE_ROWS_MAX", "0"),
        ("FLOW__BATCH_WEBHOOKS_MAX", "-1"),
        ("LOG__LEVEL", SECRET),
    ] {
        let mut home = home();
        home.set(key, value);
        let variable = format!("LATCHKEY__{key}");
        let dotted = key.to_lowercase().replace("__", ".");
        refused(&home.run(&["migrate"]), 2, &[&format!("setting `{dotted}`"), &variable]);
    }
    let mut home = home();
    home.set("SECRETS__KEY", SECRET);
    refused(&home.run(&["rebuild", "--check"]), 3, &["base64"]);
}

#[test]
fn a_settings_file_that_cannot_be_read_is_named() {
    let home = home();
    let missing = home.run(&["--config", "nowhere.toml", "migrate"]);
    refused(&missing, 2, &["--config names nowhere.toml, which cannot be read", "Create it"]);
    let directory = home.run(&["--config", ".", "migrate"]);
    refused(&directory, 2, &["--config names ., which cannot be read"]);
    let broken = with_file(&format!("[admin]\nkey = \"{SECRET}\"\nurl = \n"));
    refused(&broken, 2, &["some.toml, line 3"]);
    let mut home = home;
    home.set("ADMIN__KEY", "");
    home.set("ADMIN__KEY_FILE", "no-such-secret");
    refused(&home.run(&["migrate"]), 2, &["LATCHKEY__ADMIN__KEY_FILE", "no-such-secret"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let home = home();
    assert_eq!(home.run(&["migrate"]).code, Some(0));
    let ran = home.run(&["serve", "--bind", &address]);
    refused(&ran, 3, &["cannot listen on", &address, "set server.bind"]);
    // The admin key is shown once: by the start that succeeds.
    assert!(!home.path().join("data/admin-key").exists());
    home.serve().stop();
    assert!(home.path().join("data/admin-key").exists());
}

#[test]
fn a_database_that_cannot_be_reached_is_said_without_its_password() {
    let mut nobody = home();
    nobody.set("DATABASE__URL", &format!("postgres://latchkey:{SECRET}@127.0.0.1:9/latchkey"));
    let ran = nobody.run(&["migrate"]);
    refused(&ran, 3, &["the database cannot be reached"]);
    assert!(!ran.err.contains(SECRET), "{ran:?}");
    let mut home = home();
    std::fs::write(home.path().join("a-file"), "no directory").expect("a file");
    let url = format!("sqlite://{}/a-file/latchkey.db", home.path().display());
    home.set("DATABASE__URL", &url);
    refused(&home.run(&["migrate"]), 3, &["a-file", "cannot be made"]);
    std::fs::write(
        home.path().join("no.db"),
        "this is no database, but long enough for a header ".repeat(40),
    )
    .expect("a file");
    home.set("DATABASE__URL", &format!("sqlite://{}/no.db", home.path().display()));
    refused(&home.run(&["migrate"]), 3, &["not a database"]);
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for arguments in [&["fly"][..], &["migrate", "--fly"][..], &["serve", "--bind", "here"][..]] {
        let ran = home().run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.contains("--help"), "{ran:?}");
    }
    let help = home().run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    for command in ["serve", "migrate", "rebuild", "explain", "simulate"] {
        assert!(help.out.contains(command), "{help:?}");
    }
}
