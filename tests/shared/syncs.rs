//! How often a program asks for something to be on disk, counted inside it: exact at every moment, and
//! without stopping it at each call as a debugger would.

use anyhow::ensure;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/count_syncs.c");
/// Where the two numbers stand in the shared file.
const ASKED_AT: u64 = 0;
const MICROS_AT: u64 = 8;

/// A count that programs can be started under.
pub struct Syncs {
    library: PathBuf,
    path: PathBuf,
    shared: File,
}

impl Syncs {
    /// Builds what counts into a directory, which has to outlive the programs, with the C compiler that
    /// Latchkey itself is built with.
    pub fn in_directory(directory: &Path) -> anyhow::Result<Self> {
        let (library, path) = (directory.join("count_syncs.so"), directory.join("syncs"));
        let mut cc = Command::new("cc");
        let built =
            cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(SOURCE).output()?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        let shared = File::options().read(true).write(true).create_new(true).open(&path)?;
        shared.set_len(16)?;
        // A program of another user counts here, too.
        shared.set_permissions(Permissions::from_mode(0o666))?;
        Ok(Self { library, path, shared })
    }

    /// What a program has to find in its environment to be counted.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("SYNCS_FILE", &self.path)]
    }

    /// How often anything was asked to be on disk so far.
    pub fn count(&self) -> anyhow::Result<u64> {
        let mut asked = [0; 8];
        self.shared.read_exact_at(&mut asked, ASKED_AT)?;
        Ok(u64::from_ne_bytes(asked))
    }

    /// Lets each flush from now on take so much longer, so that what gathers meanwhile depends less on
    /// the disk of this machine.
    pub fn slow_down(&self, more: Duration) -> anyhow::Result<()> {
        let micros = u64::try_from(more.as_micros())?;
        Ok(self.shared.write_all_at(&micros.to_ne_bytes(), MICROS_AT)?)
    }
}
