//! Every body in `tests/samples` reads as the expectation beside it says.

use super::expected::lines;
use super::{Kind, read, says};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".expect";

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// The paths of all files of a feed: (bodies, expectations without their suffix).
fn files(feed: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut bodies, mut expectations) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(samples().join(feed)).expect("the folder of a feed") {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        match name.strip_suffix(SUFFIX) {
            Some(body) => expectations.insert(format!("{feed}/{body}")),
            None => bodies.insert(format!("{feed}/{name}")),
        };
    }
    (bodies, expectations)
}

fn body(path: &str) -> Vec<u8> {
    fs::read(samples().join(path)).expect("a sample")
}

fn expectation(path: &str) -> Vec<String> {
    let text =
        fs::read_to_string(samples().join(format!("{path}{SUFFIX}"))).expect("its expectation");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_sample_has_an_expectation_and_every_expectation_a_sample() {
    for (feed, at_least) in [("outbound", 17), ("ipn", 11)] {
        let (bodies, expectations) = files(feed);
        assert_eq!(bodies, expectations);
        assert!(bodies.len() >= at_least, "samples of {feed} have gone missing");
    }
}

#[test]
fn every_sample_reads_as_expected() {
    for path in ["outbound", "ipn"].into_iter().flat_map(|feed| files(feed).0) {
        assert_eq!(lines(&read(&body(&path))), expectation(&path), "{path}");
    }
}

#[test]
fn a_sample_reads_the_same_with_its_secret_masked() {
    for path in ["outbound", "ipn"].into_iter().flat_map(|feed| files(feed).0) {
        let masked = super::mask_secret(&body(&path));
        assert_eq!(says(&masked), says(body(&path)), "{path}");
        assert!(!String::from_utf8_lossy(&masked).contains("ipn-secret-EXAMPLE"), "{path}");
    }
}

#[test]
fn between_them_the_samples_tell_of_every_kind() {
    let paths = ["outbound", "ipn"].into_iter().flat_map(|feed| files(feed).0);
    let told: BTreeSet<Kind> = paths.map(|path| says(body(&path)).kind).collect();
    assert_eq!(told, Kind::ALL.into_iter().collect());
}

#[test]
fn what_the_inbound_api_is_asked_and_answers_says_nothing_as_a_webhook() {
    let (bodies, expectations) = files("inbound");
    assert_eq!((bodies.len(), expectations.len()), (33, 0));
    for path in bodies {
        let is_form = Path::new(&path).extension().is_some_and(|kind| kind == "form");
        let feed = if is_form { "feed = ipn" } else { "feed = outbound" };
        // Its dates, ids and addresses are of another message: none of them is taken for a webhook's own.
        let said = [feed, "kind = other", "name = ", "occurred_at = 2026-01-01T00:00:00Z"];
        assert_eq!(lines(&read(&body(&path))), said, "{path}");
    }
}
