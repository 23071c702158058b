//! What can be wrong with the settings. Each message names the key, says where it came from and what to do; none repeats
//! a value, since a value in the wrong place may be a secret.

use std::path::PathBuf;

/// Why the settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that does not exist.
    #[error("unknown setting `{key}` in {origin}. {advice}")]
    UnknownKey {
        /// Section and name, as in `server.bind`.
        key: String,
        /// The file, the environment variable or the flags.
        origin: String,
        /// A sentence that says what to do.
        advice: String,
    },
    /// A key that exists, with a value that it cannot have.
    #[error("setting `{key}` in {origin}: {problem}")]
    WrongValue {
        /// Section and name, as in `server.bind`.
        key: String,
        /// The file, the environment variable or the flags.
        origin: String,
        /// What is expected, without the value itself.
        problem: String,
    },
    /// The same secret once as a value and once as a file, of which neither clearly wins.
    #[error("setting `{key}` is given twice, by {first} and by {second}: remove one of them")]
    GivenTwice {
        /// Section and name, as in `admin.key`.
        key: &'static str,
        /// The environment variable that holds the value.
        first: String,
        /// The environment variable that names the file.
        second: String,
    },
    /// A variable of the environment that is almost one of ours, and would be passed over in silence.
    #[error("the environment variable {name} is not read: write {meant}, or unset it")]
    MisspeltVariable {
        /// The variable as it is there.
        name: String,
        /// The one that is read.
        meant: String,
    },
    /// A file that was asked for and cannot be read.
    #[error("{asked_by} names {}, which cannot be read: {source}. Create it, make it readable, or name another", path.display())]
    Unreadable {
        /// The flag or environment variable that names the file.
        asked_by: String,
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// A file that is not TOML.
    #[error("{origin}, line {line}: {problem}")]
    NotToml {
        /// The file.
        origin: String,
        /// Counted from 1.
        line: usize,
        /// What the reader expected, without the line itself.
        problem: String,
    },
}
