//! `latchkey serve`: the daemon.

use crate::app::{self, App, Options, Running};
use crate::first_start::{DEFAULT_SITE, webhook_url};
use crate::settings::Settings;
use crate::store::conn::{DatabaseUrl, beside};
use crate::store::{StoreError, sites};
use crate::web::auth::Key;
use crate::web::session;
use anyhow::Context;
use secrecy::ExposeSecret;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Run the daemon.
#[derive(Debug, Default, clap::Args)]
pub struct Serve {
    /// Address to listen on, over `server.bind`
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
}

impl Serve {
    /// What the flags say over the settings.
    pub fn overrides(&self) -> Vec<(String, String)> {
        let bind = self.bind.map(|bind| ("server.bind".to_owned(), bind.to_string()));
        bind.into_iter().collect()
    }

    /// Serves until it is told to stop.
    pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
        actix_web::rt::System::new().block_on(async {
            // The signals are caught before anything can be in flight.
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            // Held until the last thing is done.
            let _alone = alone(settings)?;
            let running = app::start(settings, &Options::default())?;
            greet(&running)?;
            let stop = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            running.until(stop).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Keeps other daemons from an SQLite database for as long as the file that it answers is open: whoever starts a second
/// one there does not mean to. The system lets go of it when the process ends, however it ends. On PostgreSQL many work
/// together, and commands work beside a daemon.
fn alone(settings: &Settings) -> anyhow::Result<Option<File>> {
    let url = DatabaseUrl::parse(settings.database.url.expose_secret())?;
    let Some(database) = url.file() else { return Ok(None) };
    let path = beside(database, ".lock");
    if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("the directory {} cannot be made", directory.display()))?;
    }
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(in_use(database, &path)),
        // A file system without such locks keeps nobody from serving.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
            tracing::warn!(file = %path.display(), "it cannot be seen whether another daemon serves this database");
            Ok(Some(file))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

fn in_use(database: &str, lock: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "another latchkey serves {database} already (it holds {}): stop that one first, or give this one a database \
         of its own with database.url. Commands such as `latchkey explain` work beside it",
        lock.display()
    )
}

/// Tells an operator where everything is, and what to do with it.
fn greet(running: &Running) -> anyhow::Result<()> {
    let app = &running.app;
    let base = app.base_url();
    let where_to_paste = where_to_paste(app)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "Latchkey runs at {base}/ (API under {base}/api/v1)")?;
    writeln!(out, "{where_to_paste}")?;
    if app.is_loopback() {
        writeln!(
            out,
            "  This address is loopback: Kartra cannot reach it. Put a reverse proxy before it and set server.public_url."
        )?;
    }
    if let Some(address) = running.metrics_address {
        writeln!(out, "Metrics: http://{address}/metrics")?;
    }
    if let Some(made) = &running.first {
        writeln!(out, "Admin key: written to {}", made.admin_key_file.display())?;
        if out.is_terminal() {
            writeln!(out, "  {}", made.admin_key)?;
        }
        let link = session::make_link(app, Key::typed(&made.admin_key));
        let link = link.map_err(|problem| anyhow::anyhow!(problem.detail))?;
        writeln!(out, "Console: {base}/sign-in?link={link}")?;
        writeln!(
            out,
            "  This address signs you in once, within the hour. Later, sign in with the admin key."
        )?;
    }
    out.flush()?;
    Ok(())
}

/// The line with the URL to paste into Kartra: that of the default site, where it is there, else of the
/// first one that is; without any site, what to do about it.
fn where_to_paste(app: &App) -> anyhow::Result<String> {
    let base = app.base_url();
    Ok(app.store().read(|conn| {
        let sites = sites::ids(conn)?;
        let default = sites.iter().find(|id| *id == DEFAULT_SITE);
        let Some(site) = default.or(sites.first()) else {
            let make = format!("POST {base}/api/v1/sites {{\"id\": \"{DEFAULT_SITE}\"}}");
            return Ok::<_, StoreError>(format!("There is no site: make one with {make}"));
        };
        let url = webhook_url(conn, app.sealer(), base, site)?;
        let of_site =
            if default.is_some() { String::new() } else { format!(" of the site {site}") };
        Ok(format!("Webhook URL{of_site} to paste into Kartra: {url}"))
    })?)
}
