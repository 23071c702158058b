//! `latchkey keys`, beside a daemon; and that a database gives no secret away.

use super::on_each;
use crate::support::Ipn;
use crate::support::daemon::{Daemon, Home, until};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Nullable, Text};
use latchkey::store::StoreError;
use latchkey::store::conn::Conn;
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";
const IPN_SECRET: &str = "ipn-secret-EXAMPLE";

fn status_with(daemon: &Daemon, key: &str) -> u16 {
    daemon
        .send(reqwest::Client::new().get(format!("{}{SITE}", daemon.base)).bearer_auth(key))
        .status
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    row: Option<String>,
}

/// All that a database holds, as somebody who stole it would read it: bytes also in hexadecimal.
fn stolen(home: &Home) -> String {
    let files =
        ["latchkey.db", "latchkey.db-wal"].map(|name| std::fs::read(home.path().join(name)));
    let files = files.into_iter().filter_map(Result::ok);
    let file: String = files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let rows = home.store().read(|conn| {
        let Conn::Postgres(conn) = conn else { return Ok::<_, StoreError>(Vec::new()) };
        let tables =
            "SELECT tablename::text AS row FROM pg_tables WHERE schemaname = current_schema()";
        let mut rows = Vec::new();
        for table in sql_query(tables).load::<Row>(conn)?.into_iter().filter_map(|table| table.row)
        {
            let all = format!("SELECT entry::text AS row FROM \"{table}\" AS entry");
            rows.extend(sql_query(all).load::<Row>(conn)?.into_iter().filter_map(|row| row.row));
        }
        Ok(rows)
    });
    file + &rows.expect("read").join("\n")
}

fn holds(stolen: &str, text: &str) -> bool {
    let hexadecimal: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    stolen.contains(text) || stolen.contains(&hexadecimal.concat())
}

on_each! {
    fn a_key_that_the_shell_made_works_until_the_shell_revokes_it(home: &mut Home) {
        let daemon = home.serve();
        let made = home.run(&["keys", "create", "--name", "A script", "--scope", "read", "--site", "default", "--json"]).json();
        let (key, id) = (made["key"].as_str().expect("a key"), made["id"].as_str().expect("an id"));
        assert_eq!(status_with(&daemon, key), 200);
        let listed = home.run(&["keys", "list", "--json"]).json();
        let of_it = listed.as_array().expect("keys").iter().find(|listed| listed["id"] == id);
        let of_it = of_it.expect("it is listed");
        assert_eq!((&of_it["name"], &of_it["scopes"], &of_it["site"]), (&json!("A script"), &json!(["read"]), &json!("default")));
        assert_ne!(of_it["last_used_at"], Value::Null);
        let in_words = home.run(&["keys", "list"]);
        assert!(in_words.out.contains(id) && in_words.out.contains("A script"), "{in_words:?}");
        assert!(!in_words.out.contains(key) && !listed.to_string().contains(key), "shown once");
        let revoked = home.run(&["keys", "revoke", id]);
        assert_eq!((revoked.code, revoked.out.as_str()), (Some(0), "Revoked.\n"));
        until("the end of the key", || (status_with(&daemon, key) == 401).then_some(()));
        let again = home.run(&["keys", "revoke", id]);
        assert_eq!(again.code, Some(3), "{again:?}");
        assert!(again.err.contains("`latchkey keys list` lists them"), "{again:?}");
        daemon.stop();
    }

    fn a_stolen_database_gives_no_secret_away(home: &mut Home) {
        let daemon = home.serve();
        let made = home.run(&["keys", "create", "--name", "stolen", "--scope", "admin", "--json"]).json();
        let key = made["key"].as_str().expect("a key").to_owned();
        let set = reqwest::Client::new().patch(format!("{}{SITE}", daemon.base)).bearer_auth(&key);
        let set = daemon.send(set.body(json!({ "ipn_secret": IPN_SECRET }).to_string()));
        assert_eq!(set.status, 200, "{set:?}");
        let sale = Ipn::new("sale", 1).of("dana@example.com").with("secret_key", IPN_SECRET);
        let webhook = daemon.receives(sale.body());
        daemon.drained();
        let webhook = daemon.get(&format!("{SITE}/webhooks/{webhook}")).json;
        assert_eq!(webhook["status"], "held", "the secret is right: {webhook}");
        let token = daemon.hook.rsplit('/').next().expect("a token").to_owned();
        let stolen = stolen(home);
        assert!(holds(&stolen, "dana@example.com"), "this would be found");
        for secret in [key.as_str(), key.trim_start_matches("lk_"), IPN_SECRET, token.as_str()] {
            assert!(!holds(&stolen, secret));
        }
        daemon.stop();
    }
}
