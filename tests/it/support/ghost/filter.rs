//! As much of Ghost's filters as is asked for: one property, compared with one quoted text.

use super::http::{Answer, Request};

/// The text that a filter compares a property with; `None` where there is no filter.
pub fn filter(request: &Request, property: &str) -> Result<Option<String>, Answer> {
    let filter = request.query("filter");
    if filter.is_empty() {
        return Ok(None);
    }
    let refused = || Answer::refusal(400, "BadRequestError", "Error parsing filter", filter);
    let text = filter.strip_prefix(&format!("{property}:'")).ok_or_else(refused)?;
    let mut found = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(quote @ ('\'' | '"'))) => {
                found.push(*quote);
                rest.next();
            }
            ('\'', None) => return Ok(Some(found)),
            ('\'' | '"', _) => break,
            _ => found.push(c),
        }
    }
    Err(refused())
}
