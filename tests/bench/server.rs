//! Servers in processes of their own: the program as it is, and one that leaves out only the storing.

use super::http;
use super::process::Process;
use super::shared::syncs::Syncs;
use anyhow::{Context, bail};
use latchkey::app::{self, Options};
use latchkey::settings::Settings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The admin key of every server here: it listens on loopback, and is gone in a minute.
pub const KEY: &str = "lk_of_the_benchmark";

/// A server, stopped with this value.
pub struct Server {
    child: Child,
    /// Where it listens, as `host:port`.
    pub address: String,
    /// The path of the webhook URL.
    pub hook: String,
    /// What it asks to be on disk, by itself.
    pub syncs: Arc<Syncs>,
    /// It goes on printing into this.
    _output: BufReader<ChildStdout>,
    data: Arc<TempDir>,
}

impl Server {
    /// The program as it is, on a database.
    pub fn start(database_url: &str, directory: &Path) -> anyhow::Result<Self> {
        Self::spawn(&mut program(), database_url, directory)
    }

    /// The same, keeping bodies and changes for so many days; 0 for ever.
    pub fn start_keeping(
        database_url: &str,
        directory: &Path,
        kept_days: u32,
    ) -> anyhow::Result<Self> {
        Self::spawn(keeping(&mut program(), kept_days), database_url, directory)
    }

    /// The same program without the storing.
    pub fn start_unstored(database_url: &str, directory: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::spawn(command.args(["--serve-unstored", database_url]), database_url, directory)
    }

    /// Stops it at once and starts the program again on the same data; answers how long it took until it
    /// could commit.
    pub fn restart(self, database_url: &str) -> anyhow::Result<(Self, Duration)> {
        self.restart_as(&mut program(), database_url)
    }

    /// The same, keeping bodies and changes for so many days from now on.
    pub fn restart_keeping(
        self,
        database_url: &str,
        kept_days: u32,
    ) -> anyhow::Result<(Self, Duration)> {
        self.restart_as(keeping(&mut program(), kept_days), database_url)
    }

    fn restart_as(
        mut self,
        command: &mut Command,
        database_url: &str,
    ) -> anyhow::Result<(Self, Duration)> {
        self.stop();
        let began = Instant::now();
        let (data, syncs) = (Arc::clone(&self.data), Arc::clone(&self.syncs));
        let server = Self::run(command, database_url, data, syncs)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = http::Connection::open(&server.address).await?;
            connection.ask(&http::get("/readyz", KEY, "")).await
        })?;
        Ok((server, began.elapsed()))
    }

    /// A command of the program with the settings of this server.
    pub fn as_its_own<'a>(&self, command: &'a mut Command, database_url: &str) -> &'a mut Command {
        settings(command, database_url, self.data.path())
    }

    fn spawn(command: &mut Command, database_url: &str, directory: &Path) -> anyhow::Result<Self> {
        let data = tempfile::tempdir_in(directory)?;
        let syncs = Syncs::in_directory(data.path())?;
        Self::run(command, database_url, Arc::new(data), Arc::new(syncs))
    }

    fn run(
        command: &mut Command,
        database_url: &str,
        data: Arc<TempDir>,
        syncs: Arc<Syncs>,
    ) -> anyhow::Result<Self> {
        let mut child = settings(command, database_url, data.path())
            .envs(syncs.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.trim_end().rsplit_once("http://")
                && let Some((address, token)) = rest.split_once("/hooks/kartra/")
            {
                let (address, hook) = (address.to_owned(), format!("/hooks/kartra/{token}"));
                return Ok(Self { child, address, hook, syncs, _output: output, data });
            }
            line.clear();
        }
        bail!("the server ended before it listened")
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// A request that posts a webhook.
    pub fn webhook(&self, (content_type, body): (&str, Vec<u8>)) -> Vec<u8> {
        http::post(&self.hook, content_type, &body)
    }

    /// Asks the API for something.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.address);
        let text = text(method, &url, body)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The numbers that it tells of itself, by name.
    pub fn metrics(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let text = text("GET", &format!("http://{}/metrics", self.address), &Value::Null)?;
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter_map(|line| line.rsplit_once(' '));
        Ok(series
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }
}

/// Asks with the admin key; the answer has to be a good one.
fn text(method: &str, url: &str, body: &Value) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = client.request(method.parse()?, url).bearer_auth(KEY);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        Ok(request.send().await?.error_for_status()?.text().await?)
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// It has served its purpose, and loses nothing that it has answered.
    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The daemon.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.arg("serve");
    command
}

/// The same, keeping bodies and changes for so many days.
fn keeping(command: &mut Command, kept_days: u32) -> &mut Command {
    command
        .env("LATCHKEY__WEBHOOKS__BODIES_KEPT_DAYS", kept_days.to_string())
        .env("LATCHKEY__FEED__KEPT_DAYS", kept_days.to_string())
}

/// What every process here runs with.
fn settings<'a>(command: &'a mut Command, database_url: &str, data: &Path) -> &'a mut Command {
    command
        .current_dir(data)
        .env("LATCHKEY__DATA_DIR", data)
        .env("LATCHKEY__DATABASE__URL", database_url)
        .env("LATCHKEY__SERVER__BIND", "127.0.0.1:0")
        .env("LATCHKEY__ADMIN__KEY", KEY)
        .env("LATCHKEY__EGRESS__ALLOW", "127.0.0.0/8")
        .env("LATCHKEY__LOG__LEVEL", "warn")
}

/// Runs the program as it is but for the storing, until it is killed.
pub fn serve_unstored(database_url: &str) -> anyhow::Result<()> {
    let data = std::env::current_dir()?;
    let overrides = [
        ("data_dir", data.display().to_string()),
        ("database.url", database_url.to_owned()),
        ("server.bind", "127.0.0.1:0".to_owned()),
    ];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value));
    let settings = Settings::load_from(None, &data.join("no-such-file"), [], &overrides)?;
    let options = Options { discard_webhooks: true, ..Options::default() };
    actix_web::rt::System::new().block_on(async {
        let running = app::start(&settings, &options)?;
        let sites = running.app.store().read(|conn| {
            let (sealer, base) = (running.app.sealer(), running.app.base_url());
            latchkey::first_start::webhook_url(conn, sealer, base, "default")
        })?;
        println!("{sites}");
        running.until(std::future::pending()).await?;
        Ok(())
    })
}
