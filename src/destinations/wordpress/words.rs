//! What a site says, made fit to be shown.

/// How much of a site's words is shown, in characters.
const CHARS_MAX: usize = 300;

/// The entities that WordPress writes into its messages.
const ENTITIES: [(&str, &str); 8] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#039;", "'"),
    ("&#8217;", "’"),
    ("&#8220;", "“"),
    ("&#8221;", "”"),
    // Last, so that what it uncovers is not read once more.
    ("&amp;", "&"),
];

/// The words of a piece of HTML: no tags, no entities, no more space than between words, and no end without end.
pub fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    for (entity, meant) in ENTITIES {
        text = text.replace(entity, meant);
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

/// The words in the box with which the page of wp-login.php says no; `None` where it has none.
pub fn login_error(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("id=\"login_error\"")?;
    let (_, rest) = rest.split_once('>')?;
    // It has held paragraphs and lists, but never another box.
    let (inside, _) = rest.split_once("</div>")?;
    Some(plain(inside)).filter(|words| !words.is_empty())
}

/// Words without the full stop at their end, to go on behind them.
pub fn unfinished(words: &str) -> &str {
    words.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_entities_are_taken_off_and_the_rest_is_kept() {
        let html = "<strong>Error:</strong> The <em>name</em> &amp;lt; isn&#8217;t\n\tone.<br />";
        assert_eq!(plain(html), "Error: The name &lt; isn’t one.");
        assert_eq!(plain(&"x".repeat(1000)).len(), CHARS_MAX);
    }

    #[test]
    fn a_login_page_that_says_no_says_why() {
        let page = "<h1>Log in</h1><div id=\"login_error\" class=\"notice\">\t<p><strong>Error:</strong> No.</p></div>";
        assert_eq!(login_error(page).as_deref(), Some("Error: No."));
        assert_eq!(login_error("<form id=\"lostpasswordform\"></form>"), None);
    }
}
