//! What a first start with nothing configured makes: the sealing key, the site `default`, its
//! webhook URL, and one admin key.

use crate::core::Instant;
use crate::core::breaker::MaxRevocations;
use crate::core::grant::Core;
use crate::core::policy::Policy;
use crate::core::scope::Scope;
use crate::flow::Flow;
use crate::secrets::{self, Sealer};
use crate::settings::Settings;
use crate::store::conn::Conn;
use crate::store::keys::{self, Key};
use crate::store::sites::{self, Site};
use crate::store::{Result, StoreError};
use anyhow::Context;
use secrecy::ExposeSecret;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The site that exists from the first start.
pub const DEFAULT_SITE: &str = "default";
/// The zone that Kartra's dates are read in unless a site says otherwise.
pub const DEFAULT_TIME_ZONE: chrono_tz::Tz = chrono_tz::America::New_York;

/// What a first start made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The admin key, to be shown once.
    pub admin_key: String,
    /// The file that it was written to.
    pub admin_key_file: PathBuf,
}

/// The sealer: by the configured key, else by the one in `data_dir`, which is made when missing.
pub fn sealer(settings: &Settings) -> anyhow::Result<Sealer> {
    if let Some(key) = &settings.secrets.key {
        return Ok(Sealer::from_base64(key.expose_secret())?);
    }
    let file = settings.data_dir.join("sealing-key");
    if !file.exists() {
        write_private_once(&file, &secrets::new_sealing_key()?)?;
    }
    let key = std::fs::read_to_string(&file)
        .with_context(|| format!("the sealing key {} cannot be read", file.display()))?;
    Sealer::from_base64(&key).with_context(|| format!("in {}", file.display()))
}

/// Makes the default site and the first admin key where there are none yet. Whoever deleted their only
/// site wants none: as long as its rows are still being removed, this is no first start.
pub fn make(flow: &Flow, settings: &Settings) -> anyhow::Result<Option<Made>> {
    // Another process that starts at this moment may be faster: then the second look finds its work.
    try_to_make(flow, settings).or_else(|_| try_to_make(flow, settings))
}

fn try_to_make(flow: &Flow, settings: &Settings) -> anyhow::Result<Option<Made>> {
    let now = flow.clock().now();
    let key = secrets::new_api_key()?;
    let new = flow.store().write(|conn| {
        if !sites::was_any(conn)? {
            make_site(conn, flow.sealer(), &new_site(DEFAULT_SITE, "Default site", now))?;
        }
        if keys::any(conn)? {
            return Ok::<_, StoreError>(false);
        }
        let first = Key {
            id: crate::ids::new(),
            name: "first admin key".to_owned(),
            scopes: Scope::Admin.as_str().to_owned(),
            site_id: None,
            created_at: now.naive_utc(),
            expires_at: None,
            last_used_at: None,
        };
        keys::insert(conn, &first, &secrets::hash(&key))?;
        Ok(true)
    })?;
    if !new {
        return Ok(None);
    }
    let admin_key_file = settings.data_dir.join("admin-key");
    write_private(&admin_key_file, &key)?;
    Ok(Some(Made { admin_key: key, admin_key_file }))
}

/// A site with everything at its default.
#[must_use]
pub fn new_site(id: &str, name: &str, at: Instant) -> Site {
    Site {
        id: id.to_owned(),
        name: name.to_owned(),
        kartra_time_zone: DEFAULT_TIME_ZONE,
        enabled: true,
        policy: Policy::default(),
        ipn_secret: None,
        rules_version: 1,
        feed_position: 0,
        plans_open: 0,
        core_version: Core::CURRENT.version,
        destinations: 0,
        max_revocations: Some(MaxRevocations::default()),
        held_open_position: 0,
        created_at: at,
    }
}

/// Stores a site and gives it a webhook URL.
pub fn make_site(conn: &mut Conn, sealer: &Sealer, site: &Site) -> Result<()> {
    sites::insert(conn, site)?;
    give_hook(conn, sealer, &site.id, site.created_at)
}

/// Gives a site another webhook URL, which is shown from now on.
pub fn give_hook(conn: &mut Conn, sealer: &Sealer, site_id: &str, at: Instant) -> Result<()> {
    let secret = |error: secrets::SecretError| StoreError::Corrupt(error.to_string());
    let token = secrets::new_hook_token().map_err(secret)?;
    let sealed = sealer.seal(&hook_purpose(site_id), token.as_bytes()).map_err(secret)?;
    sites::insert_hook(conn, site_id, &secrets::hash(&token), &sealed, at)
}

/// The webhook URL that a site shows: the one that was made last.
pub fn webhook_url(
    conn: &mut Conn,
    sealer: &Sealer,
    base_url: &str,
    site_id: &str,
) -> Result<String> {
    let secret = |error: secrets::SecretError| StoreError::Corrupt(error.to_string());
    let sealed = sites::shown_hook(conn, site_id)?
        .ok_or_else(|| StoreError::Corrupt("a site without a webhook URL".to_owned()))?;
    let token = sealer.open(&hook_purpose(site_id), &sealed).map_err(secret)?;
    Ok(format!("{base_url}/hooks/kartra/{}", String::from_utf8_lossy(&token)))
}

fn hook_purpose(site_id: &str) -> String {
    format!("webhook URL of {site_id}")
}

/// Writes a file that only its owner may read, durably.
fn write_private(file: &Path, content: &str) -> anyhow::Result<()> {
    let directory = file.parent().unwrap_or_else(|| Path::new("."));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("the directory {} cannot be made", directory.display()))?;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    let mut opened = opened.with_context(|| format!("{} cannot be written", file.display()))?;
    writeln!(opened, "{content}")?;
    opened.sync_all()?;
    Ok(())
}

/// As [`write_private`], but the first of several processes wins, and nobody ever reads half a file.
fn write_private_once(file: &Path, content: &str) -> anyhow::Result<()> {
    let draft = file.with_extension(crate::ids::new());
    write_private(&draft, content)?;
    let placed = match std::fs::hard_link(&draft, file) {
        Ok(()) => std::fs::remove_file(&draft),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&draft)
        }
        // Not every file system has hard links.
        Err(_) => std::fs::rename(&draft, file),
    };
    placed.with_context(|| format!("{} cannot be written", file.display()))
}
