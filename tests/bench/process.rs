//! What the system tells of a process.

use anyhow::Context;
use std::fs;

/// Clock ticks a second, as Linux counts CPU time for every program.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is watched.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// CPU seconds that it has used.
    pub fn cpu_seconds(self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name of the program, which comes second, may hold anything.
        let (_, rest) = stat.rsplit_once(") ").context("no name")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks: f64 =
            [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// Bytes that it has caused to be written to the disk.
    pub fn written_bytes(self) -> anyhow::Result<f64> {
        self.number("io", "write_bytes:")
    }

    /// Megabytes of memory that it holds now.
    pub fn memory_mb(self) -> anyhow::Result<f64> {
        Ok(self.number("status", "VmRSS:")? / 1024.0)
    }

    /// Megabytes of memory that it has held at most, since [`Process::forget_peak`].
    pub fn peak_mb(self) -> anyhow::Result<f64> {
        Ok(self.number("status", "VmHWM:")? / 1024.0)
    }

    /// Begins to look for the peak of its memory anew.
    pub fn forget_peak(self) -> anyhow::Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    fn number(self, file: &str, name: &str) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
