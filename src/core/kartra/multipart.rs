//! `multipart/form-data`: the other way in which a form is posted (RFC 7578).
//!
//! Kartra documents that PHP finds an IPN's variables in `$_POST`, and not how they are encoded
//! (wire.md part 3, unknown). PHP itself posts a list of variables in this way unless told otherwise.

use super::is_blank;
use std::ops::Range;

/// The longest boundary, in bytes, that the standard allows.
const BOUNDARY_BYTES_MAX: usize = 70;

/// One variable: its name, and where in the body its value stands.
pub(super) struct Part {
    pub name: String,
    pub value: Range<usize>,
}

/// The variables of a body, or `None` where it is encoded in another way. The body itself tells the
/// boundary: it begins with it.
pub(super) fn parts(body: &[u8]) -> Option<Vec<Part>> {
    let start = blank_len(body);
    let delimiter = line(body, start)?;
    let boundary = body.get(delimiter.clone())?.strip_prefix(b"--")?;
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX || !boundary.is_ascii() {
        return None;
    }
    let delimiter = body.get(delimiter)?;
    let mut parts = Vec::new();
    let mut at = start + delimiter.len();
    loop {
        if body.get(at..)?.starts_with(b"--") {
            return Some(parts);
        }
        let (name, value) = headers(body, next_line(body, at)?)?;
        let end = find(body, value, &[b"\n", delimiter].concat())?;
        let cr = usize::from(end > value && body.get(end - 1) == Some(&b'\r'));
        parts.push(Part { name, value: value..end - cr });
        at = end + 1 + delimiter.len();
    }
}

/// How many bytes of white space and byte order marks stand at the beginning.
fn blank_len(body: &[u8]) -> usize {
    let text = String::from_utf8_lossy(body);
    text.len() - text.trim_start_matches(is_blank).len()
}

/// Reads the headers of a part from where they begin: its name, and where its value begins.
fn headers(body: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = None;
    loop {
        let header = line(body, at)?;
        at = next_line(body, at)?;
        if header.is_empty() {
            return Some((name?, at));
        }
        name = name.or_else(|| name_in(&String::from_utf8_lossy(body.get(header)?)));
    }
}

/// The name that a `Content-Disposition` header gives.
fn name_in(header: &str) -> Option<String> {
    let (field, value) = header.split_once(':')?;
    let (disposition, parameters) = value.split_once(';')?;
    if !field.trim().eq_ignore_ascii_case("content-disposition")
        || !disposition.trim().eq_ignore_ascii_case("form-data")
    {
        return None;
    }
    let name = |parameter: &str| {
        let (key, value) = parameter.split_once('=')?;
        let is_name = key.trim().eq_ignore_ascii_case("name");
        is_name.then(|| value.trim().trim_matches('"').to_owned())
    };
    parameters.split(';').find_map(name)
}

/// The line that begins at a place, without its end.
fn line(body: &[u8], at: usize) -> Option<Range<usize>> {
    let end = find(body, at, b"\n")?;
    let cr = usize::from(end > at && body.get(end - 1) == Some(&b'\r'));
    Some(at..end - cr)
}

fn next_line(body: &[u8], at: usize) -> Option<usize> {
    Some(find(body, at, b"\n")? + 1)
}

fn find(body: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let found = body.get(from..)?.windows(needle.len()).position(|window| window == needle)?;
    Some(from + found)
}
