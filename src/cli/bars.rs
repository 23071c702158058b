//! Progress on a terminal, nothing in a pipe.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for what has a length, once it is set.
pub fn bar(what: &str) -> ProgressBar {
    styled(
        ProgressBar::no_length(),
        &format!("{{bar:40}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left"),
    )
}

/// The same for what nobody knows the length of.
pub fn spinner(what: &str) -> ProgressBar {
    styled(ProgressBar::no_length(), &format!("{{spinner}} {what}, {{elapsed}}"))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
