//! The webhooks that name a person and count for nothing: those that were discarded, and those that were rejected.

use crate::console::desk::{Desk, Listed, query, segment};
use crate::console::refused::Refused;
use serde::Deserialize;

/// How many webhooks of each are counted; of more it is said that there are.
const COUNTED_MAX: &str = "100";

/// A webhook, as far as it matters here.
#[derive(Deserialize)]
struct Webhook {
    feed: String,
}

/// Webhooks that were set aside.
pub struct Aside {
    /// What is the matter, in a sentence.
    pub says: String,
    /// Where they are listed, below the pages of the site.
    pub path: String,
}

/// What names an address and counts for nothing, in sentences; a test purchase was never meant to count.
pub async fn of(desk: &Desk, site_id: &str, email: &str) -> Result<Vec<Aside>, Refused> {
    let mut all = Vec::new();
    for status in ["discarded", "rejected"] {
        let asked = query(&[("status", status), ("q", email), ("limit", COUNTED_MAX)]);
        let path = format!("/sites/{}/webhooks{asked}", segment(site_id));
        let found: Listed<Webhook> = desk.get(&path).await?;
        let count = found.items.iter().filter(|webhook| webhook.feed != "test").count();
        let Some(says) = says(status, count, found.next_cursor.is_some()) else { continue };
        let path = format!("/activity{}", query(&[("status", status), ("q", email)]));
        all.push(Aside { says, path });
    }
    Ok(all)
}

/// What is said of so many webhooks; `None` where there are none.
fn says(status: &str, count: usize, are_more: bool) -> Option<String> {
    let (number, is_one) = match (count, are_more) {
        (0, _) => return None,
        (count, true) => (format!("More than {count}"), false),
        (count, false) => (count.to_string(), count == 1),
    };
    Some(match (status, is_one) {
        ("rejected", true) => format!(
            "{number} webhook that names them was rejected, because its secret key is not the IPN secret of the \
             settings, and does not count."
        ),
        ("rejected", false) => format!(
            "{number} webhooks that name them were rejected, because their secret key is not the IPN secret of the \
             settings, and do not count."
        ),
        (_, true) => format!("{number} webhook about them is discarded and does not count."),
        (_, false) => format!("{number} webhooks about them are discarded and do not count."),
    })
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn what_was_set_aside_is_counted_in_words() {
        assert_eq!(says("discarded", 0, false), None);
        let said = |status, count, are_more| says(status, count, are_more).expect("a sentence");
        let one = "1 webhook about them is discarded and does not count.";
        assert_eq!(said("discarded", 1, false), one);
        let many = "More than 100 webhooks about them are discarded and do not count.";
        assert_eq!(said("discarded", 100, true), many);
        assert!(said("rejected", 2, false).starts_with("2 webhooks that name them were rejected"));
    }
}
