//! The body of a webhook, so that people can read it.

use serde_json::Value;

/// How much of a body is shown, in bytes: more would take a browser long to lay out.
const SHOWN_BYTES_MAX: usize = 256 * 1024;

/// A body as it is shown.
pub enum Body {
    /// The key may not see it.
    Withheld,
    /// It was removed after its time.
    AgedOut,
    /// It is no text.
    Binary { base64: String },
    /// JSON, with line breaks of ours.
    Json { text: String, is_cut: bool },
    /// Names and values.
    Form(Vec<(String, String)>),
    /// What is neither, as it came.
    Text { text: String, is_cut: bool },
}

impl Body {
    /// A body as the API gives it.
    pub fn of(body: Option<String>, base64: Option<String>, aged_out: Option<bool>) -> Self {
        match (body, base64) {
            (Some(text), _) => Self::of_text(&text),
            (None, Some(base64)) => Self::Binary { base64: cut(base64).0 },
            (None, None) if aged_out == Some(true) => Self::AgedOut,
            (None, None) => Self::Withheld,
        }
    }

    fn of_text(text: &str) -> Self {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if trimmed.starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Value>(trimmed)
            && let Ok(pretty) = serde_json::to_string_pretty(&value)
        {
            let (text, is_cut) = cut(pretty);
            return Self::Json { text, is_cut };
        }
        if let Some(pairs) = form(trimmed) {
            return Self::Form(pairs);
        }
        let (text, is_cut) = cut(text.to_owned());
        Self::Text { text, is_cut }
    }
}

/// The pairs of what looks like a form, and is not too long to be shown as one.
fn form(text: &str) -> Option<Vec<(String, String)>> {
    let is_short = text.len() <= SHOWN_BYTES_MAX / 8;
    if !is_short || !text.contains('=') || text.contains(char::is_whitespace) {
        return None;
    }
    Some(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
}

/// The beginning of a text that is too long, and whether it was.
fn cut(mut text: String) -> (String, bool) {
    if text.len() <= SHOWN_BYTES_MAX {
        return (text, false);
    }
    let end = (0..=SHOWN_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::{Body, SHOWN_BYTES_MAX};

    fn of(text: &str) -> Body {
        Body::of(Some(text.to_owned()), None, None)
    }

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        let Body::Json { text, is_cut: false } = of("\u{feff} {\"b\":[1]}") else { panic!("JSON") };
        assert_eq!(text, "{\n  \"b\": [\n    1\n  ]\n}");
        let Body::Form(pairs) = of("a=1&b=%3Cb%3E+x") else { panic!("a form") };
        assert_eq!(pairs, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "<b> x".to_owned())]);
        assert!(matches!(of("{\"broken\":"), Body::Text { is_cut: false, .. }));
        assert!(matches!(of("hello there"), Body::Text { .. }));
        assert!(matches!(Body::of(None, Some("/w==".to_owned()), None), Body::Binary { .. }));
        assert!(matches!(Body::of(None, None, Some(true)), Body::AgedOut));
        assert!(matches!(Body::of(None, None, None), Body::Withheld));
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_characters() {
        let Body::Text { text, is_cut: true } = of(&"ä".repeat(SHOWN_BYTES_MAX)) else {
            panic!("cut")
        };
        assert_eq!(text.len(), SHOWN_BYTES_MAX);
    }
}
