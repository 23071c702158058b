//! What stands around every page.

use crate::core::scope::Scope;
use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The cookie of a notice that the next page shows.
const FLASH_COOKIE: &str = "latchkey_flash";
/// How long a notice waits for the next page, in seconds.
const FLASH_SECONDS_MAX: i64 = 60;
/// How long a notice may be, in characters: a cookie holds 4 kB.
const FLASH_CHARS_MAX: usize = 1_000;

/// What stands around a page: where it is, who looks at it, and what they may do.
#[expect(clippy::struct_excessive_bools, reason = "templates ask for each by its name")]
pub struct Shell {
    /// The path that every link begins with; empty, unless a proxy serves the program under one.
    pub base: String,
    /// What names the page.
    pub title: String,
    /// The site that the page is about; empty on pages of none.
    pub site_id: String,
    /// What people call it.
    pub site_name: String,
    /// Whether there may be other sites to go to.
    pub more_sites: bool,
    /// The entry of the navigation that the page belongs to.
    pub here: &'static str,
    /// What every form carries.
    pub csrf: String,
    /// What is told once.
    pub flash: Option<Flash>,
    /// All that the key may do, in a word.
    pub scope: &'static str,
    /// Names the files that belong to this program.
    pub assets: &'static str,
    /// Whether bodies may be seen, and overrides made.
    pub may_support: bool,
    /// Whether mappings, levels and destinations may be changed.
    pub may_manage: bool,
    /// Whether sites and keys may be changed.
    pub may_admin: bool,
}

impl Shell {
    /// Around a page for nobody in particular.
    pub fn for_anybody(base: String, title: impl Into<String>) -> Self {
        Self {
            base,
            title: title.into(),
            site_id: String::new(),
            site_name: String::new(),
            more_sites: false,
            here: "",
            csrf: String::new(),
            flash: None,
            scope: "",
            assets: super::statics::version(),
            may_support: false,
            may_manage: false,
            may_admin: false,
        }
    }

    /// The address of a page of the site; `path` is empty for the first, else it begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}/sites/{}{path}", self.base, super::desk::segment(&self.site_id))
    }

    /// With what a scope may do.
    pub fn with_scope(self, scope: Scope) -> Self {
        Self {
            scope: scope.as_str(),
            may_support: scope >= Scope::Support,
            may_manage: scope >= Scope::Manage,
            may_admin: scope >= Scope::Admin,
            ..self
        }
    }
}

/// A notice that is shown once, on the page after the one that made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flash {
    /// `success`, `info`, `warning` or `danger`.
    pub tone: String,
    /// What is said.
    pub text: String,
}

impl Flash {
    /// Something was done.
    pub fn success(text: impl Into<String>) -> Self {
        Self { tone: "success".to_owned(), text: text.into() }
    }

    /// Something was not done.
    pub fn danger(text: impl Into<String>) -> Self {
        Self { tone: "danger".to_owned(), text: text.into() }
    }

    /// The notice that a request brings.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let cookie = request.cookie(FLASH_COOKIE)?;
        let bytes = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The cookie that takes it to the next page.
    pub fn cookie(mut self, base: &str, is_secure: bool) -> Cookie<'static> {
        self.text = self.text.chars().take(FLASH_CHARS_MAX).collect();
        let value = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self).unwrap_or_default());
        let mut cookie = private_cookie(FLASH_COOKIE, value, base, is_secure);
        cookie.set_max_age(time::Duration::seconds(FLASH_SECONDS_MAX));
        cookie
    }

    /// The cookie that takes it away once it was shown.
    pub fn shown(base: &str, is_secure: bool) -> Cookie<'static> {
        let mut cookie = private_cookie(FLASH_COOKIE, String::new(), base, is_secure);
        cookie.make_removal();
        cookie
    }
}

/// A cookie that no script can read and no other site can send with a form.
pub fn private_cookie(
    name: &'static str,
    value: String,
    base: &str,
    is_secure: bool,
) -> Cookie<'static> {
    Cookie::build(name, value)
        .path(format!("{base}/"))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure)
        .finish()
}
