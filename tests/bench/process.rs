//! What the system tells of a process.

use anyhow::Context;
use std::fs;

/// Clock ticks a second, as Linux counts CPU time for every program.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where a process's parent and its CPU times stand, in user and in kernel mode.
const PARENT: usize = 1;
const OWN: [usize; 2] = [11, 12];
const ENDED_CHILDREN: [usize; 2] = [13, 14];

/// A process that is watched.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// CPU seconds that it has used.
    pub fn cpu_seconds(self) -> anyhow::Result<f64> {
        self.ticks(OWN)
    }

    /// CPU seconds that it and its children have used, those that have ended included.
    pub fn tree_cpu_seconds(self) -> anyhow::Result<f64> {
        let children: Vec<Self> = fs::read_dir("/proc")?
            .filter_map(|entry| Some(Self(entry.ok()?.file_name().to_str()?.parse().ok()?)))
            .filter(|process| process.parent() == Some(self.0))
            .collect();
        // A child that ends meanwhile is counted with those that have ended, the next time.
        let of_children: f64 = children.iter().filter_map(|child| child.ticks(OWN).ok()).sum();
        Ok(self.ticks(OWN)? + self.ticks(ENDED_CHILDREN)? + of_children)
    }

    fn parent(self) -> Option<u32> {
        self.field(PARENT).ok()?.parse().ok()
    }

    fn ticks(self, fields: [usize; 2]) -> anyhow::Result<f64> {
        let ticks = fields.map(|field| Ok(self.field(field)?.parse::<f64>()?));
        let ticks: anyhow::Result<f64> = ticks.into_iter().sum();
        Ok(ticks? / TICKS_PER_SECOND)
    }

    /// A field of its state, counted from behind its name.
    fn field(self, field: usize) -> anyhow::Result<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name of the program, which comes second, may hold anything.
        let (_, rest) = stat.rsplit_once(") ").context("no name")?;
        Ok(rest.split(' ').nth(field).context("no such field")?.to_owned())
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
