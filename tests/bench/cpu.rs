//! CPU time: of a server, of its database beside it, and of the machine that both share with others.

use super::database::Database;
use super::process::Process;
use super::report::Table;
use super::server::Server;
use anyhow::Context;
use std::ops::{Add, Sub};

/// CPU seconds up to an instant, or between two.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// Of the server's own process, in which SQLite works as well.
    pub server: f64,
    /// Of the database's own processes; `None` where it has none, or they are somebody else's.
    database: Option<f64>,
}

impl Cpu {
    /// Nothing; that of a database is counted where that of the others is.
    pub const NOTHING: Self = Self { server: 0.0, database: Some(0.0) };

    /// What has been used so far.
    pub fn used(database: &Database, server: &Server) -> anyhow::Result<Self> {
        let of_database = database.process().map(Process::tree_cpu_seconds).transpose()?;
        Ok(Self { server: server.process().cpu_seconds()?, database: of_database })
    }

    /// That of both.
    pub fn whole(self) -> f64 {
        self.server + self.database.unwrap_or_default()
    }

    /// Notes what 1,000 of so many webhooks took, and what they were for: as in `to apply`.
    pub fn note(self, table: &mut Table, purpose: &str, webhooks: f64) {
        let of_thousand = |seconds: f64| seconds / webhooks * 1_000.0;
        let name = |whose: &str| format!("CPU seconds of {whose} {purpose} 1,000 webhooks");
        table.note(name("the server"), of_thousand(self.server), "s");
        if let Some(database) = self.database {
            table.note(name("the database beside it"), of_thousand(database), "s");
        }
    }

    fn with(self, other: Self, op: impl Fn(f64, f64) -> f64) -> Self {
        let database = self.database.zip(other.database).map(|(one, two)| op(one, two));
        Self { server: op(self.server, other.server), database }
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |one, two| one + two)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, |one, two| one - two)
    }
}

/// How many kinds of time the system counts of all processors, guests apart, which are in the first one already.
const KINDS: usize = 8;
/// Which of them is that in which a program wanted to run and the host had others run.
const STOLEN: usize = 7;

/// The time of all processors up to an instant, in clock ticks.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    all: f64,
    stolen: f64,
}

impl Machine {
    /// As it is now.
    pub fn now() -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("no line of all processors")?;
        let ticks = line.split_whitespace().skip(1).take(KINDS).map(str::parse::<f64>);
        let ticks = ticks.collect::<Result<Vec<_>, _>>()?;
        let stolen = ticks.get(STOLEN).copied().unwrap_or_default();
        Ok(Self { all: ticks.iter().sum(), stolen })
    }

    /// What part of the time since then the host has given to others, in percent: it makes every figure worse.
    pub fn stolen_since(self, then: Self) -> f64 {
        (self.stolen - then.stolen) / (self.all - then.all).max(1.0) * 100.0
    }
}
