//! What is wrong with a page that nobody reads on it: what keeps somebody out, what does not fit, what failed.

use super::driver;
use super::{Browser, words};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Runs axe-core: what WCAG 2.2 asks for at A and AA, and what its makers advise besides.
const JUDGE: &str = "const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }).then(
        found => done({ violations: found.violations, checked: found.testEngine.version }),
        error => done({ failed: String(error) }));";

impl Browser {
    /// What axe-core finds wrong with the page: of each fault its rule, what is to be mended, and where. Only for
    /// pages whose scripts may run.
    pub fn faults(&self) -> Vec<String> {
        let has_axe = self.session.script("return typeof axe === 'object';", &[]);
        if has_axe.expect("an answer") != true {
            let axe = driver::axe().expect("axe-core");
            let axe = std::fs::read_to_string(axe).expect("the source of axe-core");
            self.session.script(&axe, &[]).expect("axe-core runs");
        }
        let body = json!({ "script": JUDGE, "args": [] });
        let found = self.session.ask("POST", "/execute/async", &body).expect("a judgement");
        assert!(found["checked"].is_string(), "axe-core did not run: {found}");
        let violations = found["violations"].as_array().expect("violations");
        violations.iter().flat_map(faults_of).collect()
    }

    /// How far the page can be scrolled sideways, in CSS pixels.
    pub fn sideways(&self) -> i64 {
        let script =
            "const page = document.scrollingElement; return page.scrollWidth - page.clientWidth;";
        self.session.script(script, &[]).expect("an answer").as_i64().expect("a number")
    }

    /// Whether whoever looks sees what has the focus: a line around it, or another shadow.
    pub fn shows_focus(&self) -> bool {
        let script = "const style = getComputedStyle(document.activeElement);
            return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';";
        self.session.script(script, &[]).expect("an answer") == true
    }

    /// What the browser has complained of since it was last asked: scripts that failed, what the page's policy has
    /// forbidden, and what could not be loaded besides the pages themselves.
    pub fn console_errors(&self) -> Vec<String> {
        let found = self.session.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let found = found.expect("a log");
        let pages = self.session.shown();
        let entries = found.as_array().expect("entries").iter();
        let bad =
            entries.filter(|entry| entry["level"] == "SEVERE" || entry["source"] == "security");
        // A page that refuses is shown all the same.
        let is_page = |told: &String| {
            let (url, complaint) = told.split_once(" - ").unwrap_or_default();
            complaint.contains("responded with a status of") && pages.iter().any(|page| page == url)
        };
        let told = bad.map(|entry| entry["message"].as_str().expect("a message").to_owned());
        told.filter(|told| !is_page(told)).collect()
    }

    /// Keeps the whole page as a picture, `target/screenshots/NAME.png`.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        self.keep_picture(name).expect("a picture")
    }

    /// As [`Browser::screenshot`], where nothing may go wrong any more.
    pub(super) fn keep_picture(&self, name: &str) -> Option<PathBuf> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
        let file = target.join("screenshots").join(format!("{name}.png"));
        std::fs::create_dir_all(file.parent()?).ok()?;
        let tell = |command: &str, parameters: Value| {
            let body = json!({ "cmd": command, "params": parameters });
            self.session.ask("POST", "/goog/cdp/execute", &body).ok()
        };
        let mut page = tell("Page.getLayoutMetrics", json!({}))?["cssContentSize"].take();
        page["scale"] = json!(1);
        let whole = json!({ "format": "png", "captureBeyondViewport": true, "clip": page });
        let found = tell("Page.captureScreenshot", whole)?;
        let picture = STANDARD.decode(found["data"].as_str()?).ok()?;
        std::fs::write(&file, picture).ok()?;
        Some(file)
    }
}

/// A violation in words, once for each place.
fn faults_of(violation: &Value) -> Vec<String> {
    let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
    let places = violation["nodes"].as_array().into_iter().flatten();
    let told = places.map(|node| {
        let targets = node["target"].as_array().into_iter().flatten();
        let target = targets.map(Value::to_string).collect::<Vec<_>>().join(" ");
        let summary = words(&text(&node["failureSummary"]));
        format!("{}: {target}: {}; {summary}", text(&violation["id"]), text(&violation["help"]))
    });
    told.collect()
}
