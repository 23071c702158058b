//! Who is asking: an API key in `Authorization: Bearer lk_…`, and what it may do.

use super::problem::Problem;
use crate::app::App;
use crate::secrets;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a key that was looked up is taken to be what it was: a revoked key is refused within
/// this time everywhere.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How many keys are remembered; past that, all are forgotten and looked up again.
const REMEMBERED_MAX: usize = 10_000;

/// What a key may do; each contains those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at everything but bodies.
    Read,
    /// Also bodies, overrides, replay and discard.
    Support,
    /// Also mappings, levels, products and destinations.
    Manage,
    /// Also sites, keys and erasing.
    Admin,
}

impl Scope {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Support => "support",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }

    fn widest(words: &str) -> Option<Self> {
        let all = [Self::Read, Self::Support, Self::Manage, Self::Admin];
        all.into_iter().rev().find(|scope| words.split(' ').any(|word| word == scope.as_str()))
    }
}

/// A scope as a type, so that a handler's signature says what it asks for.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident)*) => {$(
        #[doc = concat!("Asks for the scope `", stringify!($name), "`.")]
        pub struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}
needs!(Read Support Manage Admin);

/// A request whose key has the scope `N`.
pub struct Auth<N: Needs> {
    /// All that the key may do.
    pub scope: Scope,
    needs: PhantomData<N>,
}

/// The keys that were looked up lately.
#[derive(Default)]
pub struct Remembered(Mutex<HashMap<[u8; 32], (Scope, Instant)>>);

impl Remembered {
    fn get(&self, hash: &[u8; 32]) -> Option<Scope> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|(_, at)| at.elapsed() < TRUSTED_FOR).map(|(scope, _)| *scope)
    }

    fn put(&self, hash: [u8; 32], scope: Scope) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(hash, (scope, Instant::now()));
    }
}

impl<N: Needs> FromRequest for Auth<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Scope>().copied();
        let need = N::SCOPE.as_str();
        ready(match known {
            None => Err(Problem::internal()),
            Some(scope) if scope < N::SCOPE => {
                Err(Problem::forbidden(format!("Use a key with the scope {need}.")))
            }
            Some(scope) => Ok(Self { scope, needs: PhantomData }),
        })
    }
}

/// Asks for a key before anything else of a request is looked at: whoever has none learns nothing,
/// not even how a body is wrong.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(Problem::internal)?;
    let scope = scope_of(app.get_ref().clone(), bearer(request.request())?).await?;
    request.extensions_mut().insert(scope);
    next.call(request).await
}

fn bearer(request: &HttpRequest) -> Result<String, Problem> {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The name of a scheme has no case (RFC 9110, 11.1).
    let (scheme, key) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let key = Some(key.trim()).filter(|_| scheme.eq_ignore_ascii_case("Bearer"));
    key.filter(|key| !key.is_empty()).map(str::to_owned).ok_or_else(|| {
        Problem::unauthorized("Send your key as `Authorization: Bearer lk_…`; the first one is in the file admin-key.")
    })
}

async fn scope_of(app: App, key: String) -> Result<Scope, Problem> {
    let hash = secrets::hash(&key);
    if app.admin_key_hash().is_some_and(|admin| secrets::same(admin, &hash)) {
        return Ok(Scope::Admin);
    }
    if let Some(scope) = app.remembered_keys().get(&hash) {
        return Ok(scope);
    }
    let words = app.blocking(move |app| {
        Ok(app.store().read(|conn| crate::store::keys::scopes(conn, &hash))?)
    });
    let words = words.await?;
    let scope = words.as_deref().and_then(Scope::widest).ok_or_else(|| {
        Problem::unauthorized(
            "This key is not known. Keys are made with `latchkey keys create` or by an admin key.",
        )
    })?;
    app.remembered_keys().put(hash, scope);
    Ok(scope)
}
