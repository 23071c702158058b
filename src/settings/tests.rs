use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::*;

/// Loads with a local file of this text, this environment and these flags.
fn load(
    local: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("local.toml");
    std::fs::write(&file, local).unwrap();
    let environment =
        environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let flags: Vec<_> =
        flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::load_from(None, &file, environment, &flags)
}

fn error(local: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    load(local, environment, flags).unwrap_err().to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = load("", &[], &[]).unwrap();
    assert_eq!(settings.data_dir, Path::new("./data"));
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.public_url, None);
    assert!(settings.server.trusted_proxies.is_empty() && settings.egress.allow.is_empty());
    assert_eq!(settings.metrics.bind, None);
    assert_eq!(settings.database.url.expose_secret(), "sqlite://data/latchkey.db");
    assert!(settings.admin.key.is_none() && settings.secrets.key.is_none());
    assert_eq!((settings.intake.batch_bytes_max, settings.flow.poll_ms), (4_194_304, 1000));
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Info, None));
}

#[test]
fn the_list_of_keys_is_what_the_defaults_describe() {
    let mut section = String::new();
    let mut described = BTreeSet::new();
    for line in include_str!("../../config/default.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let name = line.strip_prefix("# ").unwrap_or(line).split(" = ").next().unwrap();
        if line.contains(" = ") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            described.insert(format!("{section}{name}"));
        }
    }
    let listed: BTreeSet<_> = keys::KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(described, listed);
}

#[test]
fn every_listed_key_reaches_a_field() {
    for key in keys::KEYS {
        let value = match key.path {
            "server.bind" | "metrics.bind" => "127.0.0.1:1",
            "server.public_url" => "http://h",
            "log.level" => "warn",
            "log.format" => "json",
            "flow.upgrades" => "apply",
            "database.url" => "sqlite://x",
            _ => match key.kind {
                keys::Kind::Whole(_) => "7",
                keys::Kind::List => "10.0.0.0/8",
                _ => "x",
            },
        };
        load("", &[(&keys::variable(key.path), value)], &[]).unwrap();
        load("", &[], &[(key.path, value)]).unwrap();
    }
}

#[test]
fn later_layers_win() {
    let local = "[server]\nbind = '127.0.0.1:1'\nworkers = 1\nconnections_max = 1";
    let environment =
        [("LATCHKEY__SERVER__BIND", "127.0.0.1:2"), ("LATCHKEY__SERVER__WORKERS", "2")];
    let server = load(local, &environment, &[("server.bind", "127.0.0.1:3")]).unwrap().server;
    assert_eq!((server.bind.port(), server.workers, server.connections_max), (3, 2, 1));
    assert_eq!(server.shutdown_seconds, 20);
}

#[test]
fn a_named_file_must_exist_and_replaces_the_local_one() {
    let directory = tempfile::tempdir().unwrap();
    let (named, local) = (directory.path().join("named.toml"), directory.path().join("local.toml"));
    std::fs::write(&local, "data_dir = 'local'").unwrap();
    let missing = Settings::load_from(Some(&named), &local, [], &[]).unwrap_err().to_string();
    assert_says(&missing, &["--config", "named.toml", "Create it"]);
    std::fs::write(&named, "[log]\nlevel = 'debug'").unwrap();
    let settings = Settings::load_from(Some(&named), &local, [], &[]).unwrap();
    assert_eq!(
        (settings.data_dir.as_path(), settings.log.level),
        (Path::new("./data"), LogLevel::Debug)
    );
    let none = directory.path().join("none.toml");
    assert!(Settings::load_from(None, &none, [], &[]).is_ok());
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_a_way_out() {
    assert_says(
        &error("[server]\nbnid = 'x'", &[], &[]),
        &["`server.bnid`", "local.toml", "server.bind"],
    );
    assert_says(
        &error("bind = 'x'", &[], &[]),
        &["`bind`", "Perhaps", "server.bind", "metrics.bind"],
    );
    assert_says(&error("[sever]", &[], &[]), &["`sever`", "data_dir"]);
    assert_says(&error("server = 1", &[], &[]), &["`server`", "server.bind"]);
    assert_says(&error("[server.bind]\nx = 1", &[], &[]), &["`server.bind.x`"]);
    let variable = [("LATCHKEY__DATABASE__URI", "sqlite://x")];
    assert_says(
        &error("", &variable, &[]),
        &["LATCHKEY__DATABASE__URI", "LATCHKEY__DATABASE__URL"],
    );
    assert_says(&error("", &[("LATCHKEY__server__bind", "x")], &[]), &["LATCHKEY__SERVER__BIND"]);
    assert_says(&error("", &[], &[("data-dir", "x")]), &["`data-dir`", "the flags", "data_dir"]);
    assert!(load("[admin]", &[("LATCHKEY_PORT", "tcp://x"), ("PATH", "/bin")], &[]).is_ok());
}

#[test]
fn a_variable_that_lacks_an_underscore_is_named_with_the_one_that_is_read() {
    for (written, meant) in [
        ("LATCHKEY_SERVER__BIND", "LATCHKEY__SERVER__BIND"),
        ("LATCHKEY_SERVER_BIND", "LATCHKEY__SERVER__BIND"),
        ("LATCHKEY_server__bind", "LATCHKEY__SERVER__BIND"),
        ("LATCHKEY_DATA_DIR", "LATCHKEY__DATA_DIR"),
        ("LATCHKEY_ADMIN_KEY_FILE", "LATCHKEY__ADMIN__KEY_FILE"),
        ("LATCHKEY_SERVER__BNID", "LATCHKEY__SERVER__BNID"),
    ] {
        let said = error("", &[(written, "hunter2")], &[]);
        assert_says(&said, &[&format!("{written} is not read: write {meant}")]);
        assert!(!said.contains("hunter2"), "{said}");
        assert!(load("", &[(written, "")], &[]).is_ok(), "what is empty says nothing");
    }
    for foreign in [
        "LATCHKEY_PORT",
        "LATCHKEY_PORT_8080_TCP_ADDR",
        "LATCHKEY_SERVER_PORT",
        "LATCHKEY_KEY",
        "LATCHKEY_TEST_STORIES",
        "LATCHKEYS__SERVER__BIND",
        "MY_LATCHKEY_SERVER__BIND",
    ] {
        assert!(load("", &[(foreign, "x")], &[]).is_ok(), "{foreign}");
    }
}

#[test]
fn a_wrong_value_is_named_and_not_repeated() {
    for (local, key) in [
        ("[server]\nbind = 8080", "server.bind"),
        ("[server]\nbind = 'hunter2'", "server.bind"),
        ("[server]\nworkers = true", "server.workers"),
        ("[server]\nworkers = -1", "server.workers"),
        ("[server]\npublic_url = 'ftp://hunter2'", "server.public_url"),
        ("[flow]\npoll_ms = 0", "flow.poll_ms"),
        ("[flow]\npoll_ms = 1.5", "flow.poll_ms"),
        ("[flow]\nbatch_timers_max = 4294967296", "flow.batch_timers_max"),
        ("[database]\nurl = 'mysql://u:hunter2@h/d'", "database.url"),
        ("[database]\nurl = ['hunter2']", "database.url"),
        ("[database]\nlease_seconds = 86401", "database.lease_seconds"),
        ("[database]\nlease_seconds = 4294967296", "database.lease_seconds"),
        ("[admin]\nkey = ''", "admin.key"),
        ("[egress]\nallow = '10.0.0.0/8'", "egress.allow"),
        ("[egress]\nallow = ['10.0.0.0/33']", "egress.allow"),
        ("[egress]\nallow = [10]", "egress.allow"),
        ("[log]\nlevel = 'hunter2'", "log.level"),
        ("[log]\nformat = 'hunter2'", "log.format"),
    ] {
        let message = error(local, &[], &[]);
        assert_says(&message, &[&format!("setting `{key}`"), "local.toml"]);
        assert!(!message.contains("hunter2"), "{message}");
    }
    let variable = [("LATCHKEY__FLOW__POLL_MS", "soon")];
    assert_says(
        &error("", &variable, &[]),
        &["`flow.poll_ms`", "LATCHKEY__FLOW__POLL_MS", "whole number"],
    );
}

#[test]
fn a_lease_of_more_than_a_day_is_refused_with_the_longest_one() {
    let lease = |seconds| load("", &[("LATCHKEY__DATABASE__LEASE_SECONDS", seconds)], &[]);
    assert_eq!(lease("86400").unwrap().database.lease_seconds, 86_400);
    let said = lease("86401").unwrap_err().to_string();
    assert_says(&said, &["`database.lease_seconds`", "LEASE_SECONDS", "at most 86400 seconds"]);
}

#[test]
fn a_file_that_is_not_toml_names_the_line_and_keeps_it_to_itself() {
    let message = error("[admin]\nkey = \"hunter2", &[], &[]);
    assert_says(&message, &["local.toml", "line 2"]);
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_secret_comes_from_a_file_and_is_trimmed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    let path = file.to_str().unwrap();
    let missing = error("", &[("LATCHKEY__ADMIN__KEY_FILE", path)], &[]);
    assert_says(&missing, &["LATCHKEY__ADMIN__KEY_FILE", path]);
    std::fs::write(&file, "  \n").unwrap();
    assert_says(&error("", &[("LATCHKEY__ADMIN__KEY_FILE", path)], &[]), &["admin.key", "empty"]);
    std::fs::write(&file, "postgres://u:hunter2@h/d\n").unwrap();
    let environment =
        ["ADMIN__KEY", "SECRETS__KEY", "DATABASE__URL"].map(|key| format!("LATCHKEY__{key}_FILE"));
    let environment: Vec<_> = environment.iter().map(|name| (name.as_str(), path)).collect();
    let settings = load("", &environment, &[]).unwrap();
    for secret in [
        settings.admin.key.as_ref().unwrap(),
        settings.secrets.key.as_ref().unwrap(),
        &settings.database.url,
    ] {
        assert_eq!(secret.expose_secret(), "postgres://u:hunter2@h/d");
    }
    assert!(!format!("{settings:?}").contains("hunter2"));
    let twice = [("LATCHKEY__ADMIN__KEY", "x"), ("LATCHKEY__ADMIN__KEY_FILE", path)];
    assert_says(
        &error("", &twice, &[]),
        &["`admin.key` is given twice", "LATCHKEY__ADMIN__KEY_FILE"],
    );
    assert_says(
        &error("", &[("LATCHKEY__SERVER__BIND_FILE", path)], &[]),
        &["server.bind", "only a secret"],
    );
}

#[test]
fn text_lists_are_separated_by_commas_and_an_empty_variable_is_not_set() {
    let allow = |value| {
        load("[egress]\nallow = ['fd00::/8']", &[("LATCHKEY__EGRESS__ALLOW", value)], &[])
            .unwrap()
            .egress
            .allow
    };
    let ranges: Vec<_> =
        allow("10.1.2.3/8, 192.0.2.7/32,").iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.0.0.0/8", "192.0.2.7/32"]);
    assert_eq!(allow("").len(), 1);
    assert!(allow(",").is_empty());
}

#[test]
fn the_public_url_loses_its_slash_and_keeps_its_path() {
    let server = |url| load("", &[], &[("server.public_url", url)]).unwrap().server;
    let bound = "0.0.0.0:81".parse().unwrap();
    assert_eq!(server("https://example.com/").base_url(bound), "https://example.com");
    assert_eq!(
        server("https://example.com:8443/latchkey/").base_url(bound),
        "https://example.com:8443/latchkey"
    );
    let unset = load("", &[], &[]).unwrap().server;
    assert_eq!(unset.base_url(bound), "http://127.0.0.1:81");
    assert_eq!(unset.base_url("[::]:81".parse().unwrap()), "http://[::1]:81");
    for url in [
        "example.com",
        "https://u:p@example.com",
        "https://example.com?x",
        "https://example.com/#x",
        "https://",
    ] {
        assert_says(
            &error("", &[], &[("server.public_url", url)]),
            &["server.public_url", "is expected"],
        );
    }
}

#[test]
fn the_database_follows_the_data_directory_unless_it_is_set() {
    let url = |flags: &[_]| load("", &[], flags).unwrap().database.url.expose_secret().to_owned();
    assert_eq!(url(&[("data_dir", "/srv/lk/")]), "sqlite:///srv/lk/latchkey.db");
    assert_eq!(url(&[("data_dir", "/srv/lk"), ("database.url", "sqlite://a.db")]), "sqlite://a.db");
}
