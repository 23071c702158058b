//! Who is asking: an API key in `Authorization: Bearer lk_…`, what it may do, and where.
//!
//! Absences that tests check: no route without a scope; a key that is bound to a site finds nothing
//! of another one, not even that it exists.

use super::answer::ask_again;
use super::lately::Lately;
use super::problem::Problem;
use crate::app::App;
use crate::core::Instant;
use crate::core::scope::Scope;
use crate::secrets;
use crate::store::keys;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::TimeDelta;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{self, Duration};

pub use super::needs::{Admin, Manage, Needs, Read, Support};

/// How long a key that was looked up is taken to be what it was: a revoked key is refused within
/// this time everywhere.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How far behind the last use of a key may be: a write for every request would cost more than the
/// requests.
const LAST_USE_BEHIND_MAX: TimeDelta = TimeDelta::minutes(1);

/// Whoever holds the key of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// All that the key may do.
    pub scope: Scope,
    /// The one site that it opens; `None` opens all.
    pub site_id: Option<String>,
    /// The key's id; `None` for the key in the settings.
    pub key_id: Option<String>,
    expires_at: Option<Instant>,
}

impl Caller {
    /// The key in the settings: it may do everything, everywhere.
    const CONFIGURED: Self =
        Self { scope: Scope::Admin, site_id: None, key_id: None, expires_at: None };

    fn of(key: &keys::Key) -> Option<Self> {
        Some(Self {
            scope: Scope::widest(&key.scopes)?,
            site_id: key.site_id.clone(),
            key_id: Some(key.id.clone()),
            expires_at: key.expires_at.map(|at| at.and_utc()),
        })
    }

    /// Whether the key opens a site.
    #[must_use]
    pub fn opens(&self, site_id: &str) -> bool {
        self.site_id.as_deref().is_none_or(|only| only == site_id)
    }
}

/// A request whose key has the scope `N`, for the site that its path names.
pub struct Auth<N: Needs> {
    /// Whoever holds the key.
    pub caller: Arc<Caller>,
    needs: PhantomData<N>,
}

/// The keys that were looked up lately, by their hash.
pub type Remembered = Lately<Arc<Caller>>;

/// None yet.
#[must_use]
pub fn remembered() -> Remembered {
    Lately::trusted_for(TRUSTED_FOR)
}

impl<N: Needs> FromRequest for Auth<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit::<N>(request))
    }
}

/// Holds whoever holds the key against what a route asks for.
fn admit<N: Needs>(request: &HttpRequest) -> Result<Auth<N>, Problem> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    let caller = caller.ok_or_else(Problem::internal)?;
    if request.match_info().get("site").is_some_and(|site| !caller.opens(site)) {
        return Err(Problem::not_found("site"));
    }
    if caller.scope < N::SCOPE {
        let need = N::SCOPE.as_str();
        return Err(Problem::forbidden(format!("Use a key with the scope {need}.")));
    }
    Ok(Auth { caller, needs: PhantomData })
}

/// Asks for a key before anything else of a request is looked at: whoever has none learns nothing,
/// not even how a body is wrong. Whatever is answered, a refusal as well, is asked for again each time.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = match caller_of(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await?.map_into_left_body()
        }
        // A refusal is an answer to this request, of which the log and the counts tell.
        Err(problem) => request.error_response(problem).map_into_right_body(),
    };
    ask_again(answer.headers_mut());
    Ok(answer)
}

async fn caller_of(request: &ServiceRequest) -> Result<Arc<Caller>, Problem> {
    // Whoever calls inside the process says for whom; nothing that comes from outside can.
    let vouched = request.extensions().get::<Arc<Caller>>().cloned();
    if let Some(caller) = vouched {
        return Ok(caller);
    }
    let app = request.app_data::<web::Data<App>>().ok_or_else(Problem::internal)?;
    Key::of(request.request())?.caller(app).await
}

/// A key as it was sent; only its hash is kept.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl Key {
    /// A key as somebody typed it.
    #[must_use]
    pub fn typed(key: &str) -> Self {
        Self(secrets::hash(key.trim()))
    }

    /// A key whose hash was kept.
    #[must_use]
    pub fn with_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.0
    }

    /// The key of a request.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let value = request.headers().get(header::AUTHORIZATION);
        let value = value.and_then(|value| value.to_str().ok());
        // The name of a scheme has no case (RFC 9110, 11.1).
        let (scheme, key) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("Bearer") || key.trim().is_empty() {
            return Err(Problem::unauthorized(
                "Send your key as `Authorization: Bearer lk_…`; the first one is in the file admin-key.",
            ));
        }
        Ok(Self::typed(key))
    }

    /// Whoever holds it, as of now.
    pub async fn caller(self, app: &App) -> Result<Arc<Caller>, Problem> {
        let hash = self.0;
        if app.admin_key_hash().is_some_and(|admin| secrets::same(admin, &hash)) {
            return Ok(Arc::new(Caller::CONFIGURED));
        }
        let now = app.clock().now();
        let caller = match app.remembered_keys().get(&hash) {
            Some(caller) => caller,
            None => app.blocking(move |app| look_up(app, hash, now)).await?,
        };
        if caller.expires_at.is_some_and(|at| at <= now) {
            return Err(Problem::unauthorized("This key has expired. Ask an admin for another."));
        }
        Ok(caller)
    }
}

fn look_up(app: &App, hash: [u8; 32], now: Instant) -> Result<Arc<Caller>, Problem> {
    let unknown = || {
        Problem::unauthorized(
            "This key is not known. Check that you have copied all of it. Keys are made with the command latchkey keys \
             create, or by an admin key.",
        )
    };
    let began = time::Instant::now();
    let key = app.store().read(|conn| keys::by_hash(conn, &hash))?.ok_or_else(unknown)?;
    let caller = Arc::new(Caller::of(&key).ok_or_else(unknown)?);
    let behind = (now - LAST_USE_BEHIND_MAX).naive_utc();
    if key.last_used_at.is_none_or(|at| at <= behind)
        && let Err(error) = app.store().write(|conn| keys::used(conn, &key.id, now))
    {
        // Whoever may come in may come in while nothing can be written, too.
        tracing::warn!(key_id = key.id, %error, "the last use of a key could not be noted");
    }
    app.remembered_keys().put(hash, Arc::clone(&caller), began);
    Ok(caller)
}
