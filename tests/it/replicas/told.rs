//! What the processes on one PostgreSQL tell each other: at most one thing a transaction, delivered
//! with its commit, and nothing where nothing has moved. Heard by somebody who only listens.

use crate::support::{Database, Ipn, TestApp};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";
/// The channel that everything is told on.
const CHANNEL: &str = "latchkey_moved";
/// What the test tells itself, behind all that was told before.
const MARK: &str = "mark";

/// Somebody who listens on a database.
struct Ear(PgConnection);

impl Ear {
    fn on(app: &TestApp) -> Self {
        let mut conn = PgConnection::establish(&app.database_url).expect("the database");
        conn.batch_execute(&format!("LISTEN {CHANNEL}")).expect("listens");
        Self(conn)
    }

    /// What has been told since it was asked last, each by the words behind its sender: PostgreSQL
    /// delivers in the order of the commits, so nothing is on its way when the mark is there.
    fn heard(&mut self) -> Vec<String> {
        self.0.batch_execute(&format!("NOTIFY {CHANNEL}, '{MARK}'")).expect("told");
        let mut heard = Vec::new();
        loop {
            for told in self.0.notifications_iter() {
                let told = told.expect("heard").payload;
                if told == MARK {
                    return heard;
                }
                let (_, words) = told.split_once(' ').expect("a sender and words");
                heard.push(words.to_owned());
            }
        }
    }
}

fn app(more: &[(&str, &str)]) -> Option<(TestApp, Ear)> {
    let app = TestApp::start_with(Database::postgres()?, more);
    app.level("gold");
    let ear = Ear::on(&app);
    Some((app, ear))
}

fn sale(number: usize) -> Vec<u8> {
    let sale = Ipn::new("sale", number + 1).of(&format!("buyer-{number}@example.com"));
    sale.on("2025-12-31 00:00:00").body()
}

/// Runs a statement past the program.
fn sql(app: &TestApp, statement: &str) {
    let mut conn = PgConnection::establish(&app.database_url).expect("the database");
    conn.batch_execute(statement).expect("done");
}

/// How often something was timed, as `/metrics` says.
fn timed(app: &TestApp, series: &str) -> usize {
    let text = app.get("/metrics").text;
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.expect("the series").trim().parse().expect("a number")
}

#[test]
fn a_group_of_webhooks_is_told_once_and_only_when_it_is_committed() {
    let Some((app, mut ear)) = app(&[]) else { return };
    for number in 0..3 {
        app.receives(sale(number));
        assert_eq!(ear.heard(), ["work"]);
    }
    // Many at once are committed in fewer groups.
    let commits = "latchkey_intake_commit_seconds_count";
    let (before, hook) = (timed(&app, commits), app.hook());
    app.post_raw_at_once(&hook, (3..103).map(sale).collect());
    let groups = timed(&app, commits) - before;
    assert!(groups < 100, "no two were committed together");
    assert_eq!(ear.heard(), vec!["work"; groups]);
    // What cannot be read is work for nobody.
    assert_eq!(app.receives("neither").status, 200);
    assert_eq!(ear.heard(), [""; 0]);
    // A group that is rolled back was never there.
    sql(
        &app,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not now'; END $$; \
         CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON webhooks DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    assert_eq!(app.receives(sale(200)).status, 503);
    assert_eq!(ear.heard(), [""; 0]);
}

#[test]
fn a_batch_is_told_once_where_it_recorded_something_and_else_not_at_all() {
    let Some((app, mut ear)) = app(&[("flow.batch_webhooks_max", "8")]) else { return };
    let mapping = app.map(&json!({"product_id": "501", "level": "gold"}));
    let hook = app.hook();
    app.post_raw_at_once(&hook, (0..40).map(sale).collect());
    ear.heard();
    app.drain();
    assert_eq!(app.changes().len(), 40);
    assert_eq!(ear.heard(), ["feed"; 5], "five batches of eight");
    // Twins change nothing.
    app.post_raw_at_once(&hook, (0..40).map(sale).collect());
    ear.heard();
    app.drain();
    assert_eq!(ear.heard(), [""; 0]);
    // A batch that fails is rolled back, and so is each webhook tried alone.
    sql(
        &app,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not now'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON webhooks FOR EACH ROW \
         WHEN (NEW.status = 'applied') EXECUTE FUNCTION refuse()",
    );
    app.receives(sale(100));
    assert_eq!(ear.heard(), ["work"]);
    app.drain();
    assert_eq!(app.webhooks()[0]["status"], "failed");
    assert_eq!(ear.heard(), [""; 0]);
    sql(&app, "DROP FUNCTION refuse CASCADE");
    // Ends that fire are a batch as well.
    let path = format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"));
    assert_eq!(app.patch(&path, &json!({"policy": {"duration_days": 30}})).status, 200);
    ear.heard();
    app.at(app.clock.now() + chrono::TimeDelta::days(60));
    assert_eq!(ear.heard(), ["feed"; 2], "the ends, and the webhook that had failed");
}

#[test]
fn a_change_through_the_api_is_told_once_where_it_makes_work_or_moves_a_feed() {
    let Some((app, mut ear)) = app(&[("flow.inline_members_max", "1")]) else { return };
    let (ann, bob) = (app.receives(sale(0)), app.receives(sale(1)));
    app.drain();
    ear.heard();
    let is_told =
        |ear: &mut Ear, what: &str, told: &[&str]| assert_eq!(ear.heard(), told, "{what}");
    // Two members are more than are waited for.
    let mapping = json!({"product_id": "501", "level": "gold"});
    assert_eq!(app.post(&format!("{SITE}/mappings"), &mapping).status, 202);
    is_told(&mut ear, "a mapping", &["work"]);
    app.drain();
    is_told(&mut ear, "its recompute", &["feed"]);
    assert_eq!(app.post(&format!("{SITE}/mappings"), &mapping).status, 409);
    is_told(&mut ear, "a mapping that is refused", &[]);
    assert_eq!(app.patch(SITE, &json!({"policy": {"trial": "wait"}})).status, 202);
    app.drain();
    is_told(&mut ear, "settings that change nobody's access", &["work"]);
    assert_eq!(app.patch(SITE, &json!({"name": "Another"})).status, 200);
    assert_eq!(app.patch(SITE, &json!({"enabled": false})).status, 200);
    is_told(&mut ear, "what makes no work", &[]);
    assert_eq!(app.patch(SITE, &json!({"enabled": true})).status, 200);
    is_told(&mut ear, "a site that is enabled", &["work"]);

    let webhook = |reply: &crate::support::Reply, what: &str| {
        let id = reply.json["webhook_id"].as_str().expect("an id");
        app.post(&format!("{SITE}/webhooks/{id}/{what}"), &json!({})).status
    };
    assert_eq!(webhook(&ann, "discard"), 200);
    is_told(&mut ear, "a discard", &["feed"]);
    assert_eq!(webhook(&ann, "restore"), 200);
    is_told(&mut ear, "a restore: it is due, then applied", &["work", "feed"]);
    assert_eq!(webhook(&bob, "replay"), 200);
    is_told(&mut ear, "a replay that changes nothing", &["work"]);
    assert_eq!(webhook(&bob, "restore"), 409);
    is_told(&mut ear, "a restore of what was not discarded", &[]);
    let grant = json!({"level": "gold", "until": null, "note": "x"});
    assert_eq!(app.post(&format!("{SITE}/members/new@example.com/grants"), &grant).status, 201);
    is_told(&mut ear, "a grant", &["feed"]);
    assert_eq!(app.get(SITE).status, 200);
    app.access_of("new@example.com");
    is_told(&mut ear, "a question", &[]);
}
