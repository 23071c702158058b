//! What operators write down for a destination: what is shown of it, and what is sealed.

use crate::core::Instant;
use crate::core::signature::{self, SECRET_BYTES_MIN};
use crate::destinations::{Config, Kind, Pace, kind};
use crate::secrets::{self, Sealer, SecretError};
use crate::store::destinations::Destination;
use crate::store::{Result, StoreError};
use serde_json::{Map, Value};

/// The field with what messages are signed with, and the one with what they were signed with before.
pub const SECRET: &str = "secret";
/// See [`SECRET`].
pub const SECRET_BEFORE: &str = "secret_before";

/// Parts a config into what is shown and what is not.
#[must_use]
pub fn part(kind: &Kind, config: Config) -> (Config, Config) {
    config.into_iter().partition(|(field, _)| !kind.secrets.contains(&field.as_str()))
}

/// Puts a config where a destination keeps it.
pub fn put(sealer: &Sealer, destination: &mut Destination, config: Config) -> Result<()> {
    let Some(kind) = kind(&destination.kind) else { return Err(unknown(&destination.kind)) };
    let (shown, secrets) = part(kind, config);
    destination.config = Value::Object(shown).to_string();
    destination.secrets = None;
    if !secrets.is_empty() {
        let text = Value::Object(secrets).to_string();
        let sealed = sealer.seal(&purpose(destination), text.as_bytes()).map_err(corrupt)?;
        destination.secrets = Some(sealed);
    }
    Ok(())
}

/// What is shown of a destination's config.
pub fn shown(destination: &Destination) -> Result<Config> {
    object(destination.config.as_bytes())
}

/// The whole config of a destination. A secret whose time is over is left out.
pub fn config(sealer: &Sealer, destination: &Destination, now: Instant) -> Result<Config> {
    let mut config = shown(destination)?;
    if let Some(sealed) = &destination.secrets {
        config.append(&mut object(&sealer.open(&purpose(destination), sealed).map_err(corrupt)?)?);
    }
    if destination.secret_before_until.is_none_or(|until| until <= now) {
        config.remove(SECRET_BEFORE);
    }
    Ok(config)
}

/// The whole config of a destination, as an edit of it begins: secrets that cannot be unsealed, as the sealing key is
/// another one, are left out, and have to be entered again.
pub fn before_edit(sealer: &Sealer, destination: &Destination, now: Instant) -> Result<Config> {
    config(sealer, destination, now).or_else(|_| shown(destination))
}

/// Which of a destination's secrets there are and can be read.
pub fn secrets_set(
    sealer: &Sealer,
    destination: &Destination,
    now: Instant,
) -> Result<Vec<&'static str>> {
    let Some(kind) = kind(&destination.kind) else { return Ok(Vec::new()) };
    let config = before_edit(sealer, destination, now)?;
    let secrets = kind.secrets.iter().copied();
    Ok(secrets.filter(|field| *field != SECRET_BEFORE && config.contains_key(*field)).collect())
}

/// How fast a destination is called: as it says, else as its kind does; `None` for a kind that is not known.
#[must_use]
pub fn pace(destination: &Destination) -> Option<Pace> {
    let usual = kind(&destination.kind)?.pace;
    let said = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Some(Pace {
        calls_per_second: said(destination.calls_per_second).unwrap_or(usual.calls_per_second),
        concurrency: said(destination.concurrency).unwrap_or(usual.concurrency),
    })
}

/// A new secret that messages are signed with.
pub fn new_secret() -> Result<String> {
    Ok(signature::written(&secrets::random::<SECRET_BYTES_MIN>().map_err(corrupt)?))
}

fn object(json: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(json)
        .map_err(|error| StoreError::Corrupt(format!("the config of a destination: {error}")))
}

fn purpose(destination: &Destination) -> String {
    format!("destination {} of {}", destination.id, destination.site_id)
}

fn unknown(kind: &str) -> StoreError {
    StoreError::Corrupt(format!("the kind {kind} of a destination"))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn corrupt(error: SecretError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
