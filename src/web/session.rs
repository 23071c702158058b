//! Sessions of the console: whoever has signed in with a key, in a cookie that holds neither the key nor what it may do.
//!
//! Absences that tests check: a session outlives neither its key nor [`IDLE_MAX`] without use nor [`AGE_MAX`]; no token
//! is stored, only its hash; a link signs in once.

use super::auth::{Caller, Key};
use super::problem::Problem;
use crate::app::App;
use crate::core::Instant;
use crate::secrets;
use crate::store::sessions;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use std::sync::Arc;

/// How long a session may be unused.
pub const IDLE_MAX: TimeDelta = TimeDelta::hours(12);
/// How long a session lasts, however much it is used.
pub const AGE_MAX: TimeDelta = TimeDelta::days(7);
/// How long a link to sign in can be used.
pub const LINK_AGE_MAX: TimeDelta = TimeDelta::hours(1);
/// How far behind the last use of a session may be: not every page is worth a write.
const LAST_USE_BEHIND_MAX: TimeDelta = TimeDelta::minutes(1);

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Session {
    /// Whoever holds the key that was signed in with, as of now.
    pub caller: Arc<Caller>,
    token: String,
}

impl Session {
    /// What a form has to carry to be believed to come from one of our pages: no other site can know it.
    #[must_use]
    pub fn csrf(&self) -> String {
        csrf_of(&self.token)
    }

    /// Whether whoever has it would still be let in, as the same; to ask is no use of it, so that what runs by itself
    /// keeps no session alive.
    pub async fn is_live(&self, app: &App) -> bool {
        let hash = secrets::hash(&self.token);
        let now = app.clock().now();
        let found = app.blocking(move |app| live(app, &hash, now)).await;
        let Some(session) = found.ok().flatten() else { return false };
        let Ok(key_hash) = session.key_hash.try_into() else { return false };
        let caller = Key::with_hash(key_hash).caller(app).await;
        caller.is_ok_and(|caller| caller == self.caller)
    }

    /// Ends it.
    pub async fn end(self, app: &App) -> Result<(), Problem> {
        let hash = secrets::hash(&self.token);
        app.blocking(move |app| Ok(app.store().write(|conn| sessions::delete(conn, &hash))?)).await
    }
}

/// The token of forms beside a token of a cookie.
#[must_use]
pub fn csrf_of(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(secrets::hash(&format!("csrf {token}")))
}

/// A new token.
pub fn new_token() -> Result<String, Problem> {
    secrets::new_console_token().map_err(|_| Problem::internal())
}

/// Signs in with a key; answers the token of the session.
pub async fn begin(app: &App, key: Key) -> Result<String, Problem> {
    key.caller(app).await?;
    let token = new_token()?;
    let session_hash = secrets::hash(&token);
    app.blocking(move |app| {
        let now = app.clock().now();
        let session = sessions::Session {
            token_hash: session_hash.to_vec(),
            key_hash: key.hash().to_vec(),
            created_at: now.naive_utc(),
            used_at: now.naive_utc(),
        };
        Ok(app.store().write(|conn| {
            sessions::tidy(conn, now - IDLE_MAX, now)?;
            sessions::insert(conn, &session)
        })?)
    })
    .await?;
    Ok(token)
}

/// Makes a link that signs in once with a key; answers its token.
pub fn make_link(app: &App, key: Key) -> Result<String, Problem> {
    let token = new_token()?;
    let ends_at = app.clock().now() + LINK_AGE_MAX;
    let hash = secrets::hash(&token);
    app.store().write(|conn| sessions::insert_link(conn, &hash, &key.hash(), ends_at))?;
    Ok(token)
}

/// Signs in by a link, which is used up by that; answers the token of the session.
pub async fn begin_by_link(app: &App, link: &str) -> Result<String, Problem> {
    let hash = secrets::hash(link);
    let taken = app.blocking(move |app| {
        let now = app.clock().now();
        Ok(app.store().write(|conn| sessions::take_link(conn, &hash, now))?)
    });
    let key = taken.await?.and_then(|hash| Some(Key::with_hash(hash.try_into().ok()?)));
    let over = "This link has been used or has ended. Sign in with a key.";
    begin(app, key.ok_or_else(|| Problem::unauthorized(over))?).await
}

/// The session that a token names, unless it is over.
pub async fn of(app: &App, token: String) -> Result<Session, Problem> {
    let over = || Problem::unauthorized("The session is over. Sign in again.");
    let hash = secrets::hash(&token);
    let now = app.clock().now();
    let session = app.blocking(move |app| look_up(app, &hash, now)).await?;
    let key_hash = session.and_then(|session| session.key_hash.try_into().ok()).ok_or_else(over)?;
    // What the key may do is looked up as for any request of its own: revoked, it opens nothing.
    let caller = Key::with_hash(key_hash).caller(app).await?;
    Ok(Session { caller, token })
}

/// A session that is not over.
fn live(app: &App, hash: &[u8], now: Instant) -> Result<Option<sessions::Session>, Problem> {
    let found = app.store().read(|conn| sessions::by_hash(conn, hash))?;
    Ok(found.filter(|session| {
        session.used_at > (now - IDLE_MAX).naive_utc()
            && session.created_at > (now - AGE_MAX).naive_utc()
    }))
}

/// The same, and it is used.
fn look_up(app: &App, hash: &[u8], now: Instant) -> Result<Option<sessions::Session>, Problem> {
    let live = live(app, hash, now)?;
    if let Some(session) = &live
        && session.used_at <= (now - LAST_USE_BEHIND_MAX).naive_utc()
        && let Err(error) = app.store().write(|conn| sessions::used(conn, hash, now))
    {
        // Whoever is signed in may look while nothing can be written, too.
        tracing::warn!(%error, "the last use of a session could not be noted");
    }
    Ok(live)
}
