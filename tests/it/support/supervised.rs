//! Processes that are gone when the test process is, however it goes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A command with all its children, until this value is gone or the test process is.
pub struct Supervised(Child);

impl Supervised {
    /// Runs a command; what it says goes to the end of a log. A directory goes with it, where one is named.
    pub fn start(command: &Command, log: &Path, directory: Option<&Path>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/supervise.sh");
        let mut shell = Command::new("sh");
        shell.arg(script).arg(log).arg(directory.unwrap_or(Path::new("")));
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.expect("a value"));
        }
        // The pipe is what it lives by; nobody else holds the other end.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().expect("a shell"))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
