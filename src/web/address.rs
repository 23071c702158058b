//! Parts of addresses, written so that whatever they hold stays a part.

/// A segment of a path.
#[must_use]
pub fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A query with its question mark, of what says something; empty where nothing does.
#[must_use]
pub fn query(named: &[(&str, &str)]) -> String {
    let said = named.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

#[cfg(test)]
mod tests {
    use super::{query, segment};

    #[test]
    fn what_a_part_holds_ends_no_part() {
        assert_eq!(segment("a b/c?d#e&f+g@h"), "a%20b%2Fc%3Fd%23e%26f%2Bg%40h");
        assert_eq!(query(&[("q", "a&b"), ("level", ""), ("at", "1=2")]), "?q=a%26b&at=1%3D2");
        assert_eq!(query(&[("q", "")]), "");
    }
}
