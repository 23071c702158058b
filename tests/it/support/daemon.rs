//! The real binary as a child process: on a directory and a database of the test's own, told to stop,
//! killed, and started again on what is left.
//!
//! Nothing here sleeps for a time that somebody guessed: conditions are polled until a deadline.

use super::{ADMIN_KEY, Database, Reply};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use latchkey::store::Store;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before the test says that it never came. Machines that build beside
/// are slow; what is measured says so itself.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// Polls until something is there.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_or_tell(what, look, String::new)
}

/// Polls until something is there; where it never comes, `tell` says what is there instead.
pub fn until_or_tell<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    tell: impl Fn() -> String,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "never came: {what} {}", tell());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let kill = format!("kill -{name} {process}");
    let killed = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
    assert!(killed.success(), "{killed}");
}

/// A data directory and a database that processes are started on.
pub struct Home {
    directory: TempDir,
    database: Database,
    environment: Vec<(String, String)>,
}

impl Home {
    /// A fresh one.
    pub fn new(database: Database) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut home = Self { database, environment: Vec::new(), directory };
        let url = home.url();
        home.set("DATA_DIR", &home.path().join("data").display().to_string());
        home.set("DATABASE__URL", &url);
        home.set("SERVER__BIND", "127.0.0.1:0");
        home.set("SERVER__WORKERS", "1");
        home.set("ADMIN__KEY", ADMIN_KEY);
        home
    }

    /// Sets one setting for every process that is started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.push((format!("LATCHKEY__{key}"), value.to_owned()));
    }

    /// The directory of this test.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        self.database.url(self.directory.path())
    }

    /// Whether a transaction that writes is open: on PostgreSQL one that has locked a site, on SQLite
    /// any, as there is one at a time.
    pub fn is_writing(&self) -> bool {
        match self.database {
            Database::Sqlite => {
                let path = self.path().join("latchkey.db").display().to_string();
                let mut conn = SqliteConnection::establish(&path).expect("the file");
                conn.batch_execute("BEGIN IMMEDIATE; ROLLBACK").is_err()
            }
            Database::Postgres { .. } => {
                let mut conn = PgConnection::establish(&self.url()).expect("the database");
                // Intake only refers to a site; whoever works one looks for its ends, too.
                let locks = "SELECT 1 FROM pg_stat_activity AS session \
                             JOIN pg_locks AS site USING (pid) JOIN pg_locks AS work USING (pid) \
                             WHERE session.datname = current_database() AND site.relation = 'sites'::regclass AND site.granted \
                             AND site.mode = 'RowShareLock' AND work.relation = 'members'::regclass";
                diesel::sql_query(locks).execute(&mut conn).expect("read") > 0
            }
        }
    }

    /// The store on its database, as one more process would open it.
    pub fn store(&self) -> Store {
        Store::open(&self.url(), 2).expect("a store")
    }

    /// The program with some arguments, without what the tester's own environment says.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        let foreign = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("LATCHKEY_") || name.starts_with("PG") || name == "RUST_LOG"
        });
        for name in foreign {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().cloned()).current_dir(self.path()).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; one that does not come to it fails the test instead of holding it up.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("a process");
        let id = child.id();
        let (ended, has_ended) = mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait_with_output()));
        let Ok(output) = has_ended.recv_timeout(DEADLINE) else {
            signal(id, "KILL");
            panic!("latchkey {arguments:?} did not end");
        };
        Ran::of(&output.expect("its output"))
    }

    /// Runs a statement past the program, as somebody with a database shell would.
    pub fn sql(&self, statement: &str) {
        match self.database {
            Database::Sqlite => {
                let path = self.path().join("latchkey.db").display().to_string();
                let mut conn = SqliteConnection::establish(&path).expect("the file");
                conn.batch_execute(statement).expect("done");
            }
            Database::Postgres { .. } => {
                let mut conn = PgConnection::establish(&self.url()).expect("the database");
                conn.batch_execute(statement).expect("done");
            }
        }
    }

    /// Starts the daemon; answers when it listens.
    pub fn serve(&self) -> Daemon {
        self.start(self.command(&["serve"]))
    }

    /// Starts the daemon with more in its environment; answers when it listens.
    pub fn serve_under<'a>(
        &self,
        environment: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Daemon {
        let mut command = self.command(&["serve"]);
        command.envs(environment);
        self.start(command)
    }

    /// Starts one of several daemons on the same PostgreSQL, which knows its sessions by this name.
    pub fn serve_as(&self, name: &str) -> Daemon {
        let url = self.url();
        let mark = if url.contains('?') { '&' } else { '?' };
        let mut command = self.command(&["serve"]);
        command.env("LATCHKEY__DATABASE__URL", format!("{url}{mark}application_name={name}"));
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Daemon {
        let (number, errors) = self.next_log();
        let errors_of = std::fs::File::create(&errors).expect("a file");
        let mut child =
            command.stdout(Stdio::piped()).stderr(errors_of).spawn().expect("a process");
        let stdout = child.stdout.take().expect("its output");
        let (tell, told) = mpsc::channel();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                keep.lock().expect("nobody panicked with it").push(line.clone());
                let _ = tell.send(line);
            }
        });
        let next = || {
            told.recv_timeout(DEADLINE).unwrap_or_else(|_| {
                panic!("start {number}: {}", std::fs::read_to_string(&errors).unwrap_or_default())
            })
        };
        let base = between(&next(), "Latchkey runs at ", "/ (API").to_owned();
        let greeting = next();
        let hook = greeting.split_once(&base).map(|(_, path)| path.to_owned()).unwrap_or_default();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = super::client();
        Daemon { child, base, greeting, hook, printed, errors, runtime, client }
    }

    fn next_log(&self) -> (usize, PathBuf) {
        let path = |number: usize| self.path().join(format!("stderr-{number}.log"));
        let number = (1..1_000).find(|number| !path(*number).exists()).expect("a number");
        (number, path(number))
    }
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    let rest = line.strip_prefix(before).unwrap_or_else(|| panic!("{before:?} is not in {line:?}"));
    rest.find(after).filter(|_| !after.is_empty()).map_or(rest, |end| &rest[..end])
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

impl Ran {
    /// Out of a process that was started otherwise.
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// A running daemon.
pub struct Daemon {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub base: String,
    /// What it said of the URL to paste into Kartra.
    pub greeting: String,
    /// The path of the webhook URL that it showed.
    pub hook: String,
    printed: Arc<Mutex<Vec<String>>>,
    errors: PathBuf,
    /// What requests run on; a test may run its own tasks here.
    pub runtime: tokio::runtime::Runtime,
    /// What sends requests.
    pub client: reqwest::Client,
}

impl Daemon {
    /// What follows these words in what it printed, when it has.
    pub fn printed(&self, words: &str) -> String {
        let rest = |line: &String| line.strip_prefix(words).map(str::to_owned);
        let look = || self.printed.lock().expect("nobody panicked with it").iter().find_map(rest);
        until(words, look)
    }

    /// Asks with the admin key.
    pub fn get(&self, path: &str) -> Reply {
        self.send(self.client.get(format!("{}{path}", self.base)).bearer_auth(ADMIN_KEY))
    }

    /// Writes JSON with the admin key; it has to be made.
    pub fn make(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.base);
        let made = self.send(self.client.post(url).bearer_auth(ADMIN_KEY).body(body.to_string()));
        assert_eq!(made.status, 201, "{made:?}");
        made.json
    }

    /// Lets any number of members of the default site lose a level at once: invented lives end within a moment.
    pub fn stops_no_flood(&self) {
        let request = self.client.patch(format!("{}/api/v1/sites/default", self.base));
        let off = serde_json::json!({ "max_revocations": null }).to_string();
        let set = self.send(request.bearer_auth(ADMIN_KEY).body(off));
        assert_eq!(set.status, 200, "{set:?}");
    }

    /// Posts a body to the default site; it has to be stored.
    pub fn receives(&self, body: Vec<u8>) -> String {
        let reply = self.send(self.client.post(format!("{}{}", self.base, self.hook)).body(body));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json["webhook_id"].as_str().expect("an id").to_owned()
    }

    /// Sends any request.
    pub fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.runtime.block_on(async { Reply::read(request.send().await.expect("an answer")).await })
    }

    /// Every item of a list, over all its pages.
    pub fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{mark}limit=500{cursor}"));
            assert_eq!(page.status, 200, "{page:?}");
            items.extend(page.json["items"].as_array().expect("items").iter().cloned());
            match page.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Waits until every webhook of the default site has been processed.
    pub fn drained(&self) {
        until("the end of the backlog", || {
            let waiting = self.get("/api/v1/sites/default/webhooks?status=pending&limit=1");
            waiting.json["items"].as_array().expect("items").is_empty().then_some(())
        });
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.errors).expect("its log")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal: `STOP` pauses it wherever it is, `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        until("the end of the daemon", || self.child.try_wait().expect("its state"))
    }

    /// Stops it in good order.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
