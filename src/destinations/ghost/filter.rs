//! What Ghost's lists are filtered by (NQL).

/// A text as a filter takes it: in quotes, its own escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '"') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_cannot_end_its_quotes() {
        for (text, expected) in [
            ("jo@example.com", "'jo@example.com'"),
            ("o'neil+a@example.com", r"'o\'neil+a@example.com'"),
            (r#""jo x"@example.com"#, r#"'\"jo x\"@example.com'"#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
