//! The files of the console, inside the program.

use crate::web::problem::Problem;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Name, type and content of each.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("console.css", "text/css; charset=utf-8", include_bytes!("static/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_bytes!("static/console.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("static/icon.svg")),
];

/// How many bytes of the hash name a version.
const VERSION_BYTES: usize = 6;

/// Changes with any of the files: a browser keeps them for good under the address that holds it.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        for (_, _, content) in FILES {
            hash.update(content);
        }
        URL_SAFE_NO_PAD.encode(hash.finalize().get(..VERSION_BYTES).unwrap_or_default())
    });
    &VERSION
}

/// `GET /static/{file}`
pub async fn get(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = FILES.iter().find(|(name, _, _)| *name == file.as_str());
    let (_, kind, content) = *found.ok_or_else(|| Problem::not_found("file"))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(content))
}

#[cfg(test)]
mod tests {
    use super::FILES;

    /// What all of them together may weigh, in bytes, uncompressed.
    const BYTES_MAX: usize = 60_000;

    #[test]
    fn all_files_together_stay_small() {
        let bytes: usize = FILES.iter().map(|(_, _, content)| content.len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
    }
}
