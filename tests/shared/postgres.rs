//! A PostgreSQL of one's own: in a directory of its own, gone with its value, and nobody else's. It flushes
//! as a server in earnest does, its settings are PostgreSQL's own, and how often it flushes is counted.

use super::syncs::Syncs;
use anyhow::{Context, bail, ensure};
use diesel::{Connection, PgConnection};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where packages put the programs of the server, each version in a directory of its own.
const PACKAGED: &str = "/usr/lib/postgresql";
/// How often another port is tried: somebody may take one between our look and the start.
const STARTS_MAX: u32 = 5;
/// How long it may take until it answers.
const READY_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server.
pub struct Postgres {
    /// Its URL, as its administrator reaches it.
    pub url: String,
    /// What all its processes together ask to be on disk.
    pub syncs: Syncs,
    running: Running,
    _directory: TempDir,
}

impl Postgres {
    /// Starts one whose files lie in `parent`; `None` where its programs are not installed.
    pub fn start(parent: &Path) -> anyhow::Result<Option<Self>> {
        programs().map(|programs| Self::of(&programs, parent)).transpose()
    }

    /// The number of its first process.
    pub fn id(&self) -> u32 {
        self.running.0.id()
    }

    fn of(programs: &Path, parent: &Path) -> anyhow::Result<Self> {
        let owner = Owner::find()?;
        let directory = owner.directory(parent)?;
        let (home, password) = (directory.path(), uuid::Uuid::now_v7().simple().to_string());
        // Loopback is open to every user of this machine, hence a password; the directory is not.
        std::fs::write(home.join("password"), &password)?;
        let mut initdb = owner.command(&programs.join("initdb"), home);
        initdb.args(["--pgdata=data", "--username=latchkey", "--pwfile=password", "--no-sync"]);
        let made =
            initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]).output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let syncs = Syncs::in_directory(home)?;
        for _ in 0..STARTS_MAX {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let url = format!("postgres://latchkey:{password}@127.0.0.1:{port}/postgres");
            let mut server = owner.command(&programs.join("postgres"), home);
            // A socket's path may only be short, and nobody needs one.
            server.args(["-D", "data", "-c", "unix_socket_directories="]);
            server.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")]);
            let log = std::fs::File::create(home.join("log"))?;
            let server = server.envs(syncs.environment()).stderr(log).spawn()?;
            let mut running = Running(server);
            if running.answers(&url)? {
                return Ok(Self { url, syncs, running, _directory: directory });
            }
        }
        bail!("PostgreSQL did not start: {}", std::fs::read_to_string(home.join("log"))?)
    }
}

/// The server's programs: of the newest version that a package brought, else those in the PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PACKAGED).into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let packaged = versions.into_iter().map(|version| version.join("bin"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let has_all =
        |bin: &PathBuf| ["initdb", "postgres"].iter().all(|name| bin.join(name).is_file());
    packaged.chain(std::env::split_paths(&paths)).find(has_all)
}

/// Whom the server belongs to: PostgreSQL refuses to run as root.
struct Owner {
    /// The numbers of the user and of their group; `None` for whoever runs this.
    ids: Option<(u32, u32)>,
}

impl Owner {
    fn find() -> anyhow::Result<Self> {
        if id(&["-u"])? != Some(0) {
            return Ok(Self { ids: None });
        }
        for name in ["postgres", "nobody"] {
            if let (Some(user), Some(group)) = (id(&["-u", name])?, id(&["-g", name])?) {
                return Ok(Self { ids: Some((user, group)) });
            }
        }
        bail!("PostgreSQL does not run as root, and there is no user postgres or nobody")
    }

    /// A fresh directory of theirs in `parent`, or elsewhere if they cannot get there.
    fn directory(&self, parent: &Path) -> anyhow::Result<TempDir> {
        let elsewhere = std::env::temp_dir();
        for parent in [parent, &elsewhere] {
            let directory = tempfile::tempdir_in(parent)?;
            if let Some((user, group)) = self.ids {
                chown(directory.path(), Some(user), Some(group))?;
            }
            let gets_there = self.command(Path::new("true"), directory.path()).status();
            if gets_there.is_ok_and(|status| status.success()) {
                return Ok(directory);
            }
            let (parent, elsewhere) = (parent.display(), elsewhere.display());
            eprintln!(
                "the user of PostgreSQL cannot get to {parent}: its files lie in {elsewhere}"
            );
        }
        bail!("there is no directory for PostgreSQL")
    }

    /// A program of theirs, in a directory, which has heard of nobody's settings.
    fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }
}

/// What `id` says; `None` where it knows nobody of this name.
fn id(arguments: &[&str]) -> anyhow::Result<Option<u32>> {
    let said = Command::new("id").args(arguments).output().context("id")?;
    Ok(String::from_utf8(said.stdout)?.trim().parse().ok())
}

/// The first process of a server, stopped with this value.
struct Running(Child);

impl Running {
    /// Waits until it answers; `false` where it has ended instead.
    fn answers(&mut self, url: &str) -> anyhow::Result<bool> {
        let began = Instant::now();
        while self.0.try_wait()?.is_none() {
            if PgConnection::establish(url).is_ok() {
                return Ok(true);
            }
            ensure!(began.elapsed() < READY_WITHIN, "PostgreSQL does not answer");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // At once: it tells its other processes, and its files are nobody's any more.
        let quit = format!("kill -QUIT {}", self.0.id());
        let _ = Command::new("sh").args(["-c", &quit]).status();
        let _ = self.0.wait();
    }
}
