//! What access should result, over all members: counted, and written line by line for a script.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::core::Instant;
use crate::simulate::{Plan, Rules, expected};

/// What is asked, of which plan.
#[derive(Debug, Clone)]
pub struct Question {
    /// What was sent.
    pub plan: Plan,
    /// What is made of it.
    pub rules: Rules,
    /// When all of it counts as received.
    pub received_at: Instant,
    /// The instant that is asked about.
    pub at: Instant,
}

/// What should result at an instant.
#[derive(Debug)]
pub struct Summary {
    at: Instant,
    members: u32,
    /// How many hold each level.
    levels: BTreeMap<String, u64>,
    /// How many hold otherwise than if everything had been told.
    otherwise: u64,
}

/// Makes the file that `--expected` names, before anything is sent.
pub fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path)
        .with_context(|| format!("cannot write {}, which --expected names", path.display()))
}

/// Works out what every member should hold, and writes it down where a file is given.
pub fn summary(
    question: &Question,
    file: Option<(File, PathBuf)>,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let Question { plan, rules, received_at, at } = question;
    let levels = rules.levels().into_iter().map(|level| (level, 0)).collect();
    let mut summary = Summary { at: *at, members: plan.members, levels, otherwise: 0 };
    let mut file = file.map(|(file, path)| (BufWriter::new(file), path));
    bar.set_length(plan.members.into());
    for member in 0..plan.members {
        let expected = expected(plan, member, rules, *received_at, *at);
        summary.otherwise += u64::from(expected.otherwise);
        for level in expected.accesses.iter().flat_map(|access| &access.levels) {
            *summary.levels.entry(level.level.clone()).or_default() += 1;
        }
        if let Some((file, path)) = &mut file {
            let mut lines = expected.accesses.iter().map(serde_json::to_string);
            lines
                .try_for_each(|line| anyhow::Ok(writeln!(file, "{}", line?)?))
                .with_context(|| format!("writing {}", path.display()))?;
        }
        bar.inc(1);
    }
    if let Some((file, path)) = &mut file {
        file.flush().with_context(|| format!("writing {}", path.display()))?;
    }
    bar.finish_and_clear();
    Ok(summary)
}

impl Summary {
    /// In words.
    pub fn print(&self, out: &mut impl Write, assumed: bool) -> std::io::Result<()> {
        let at = self.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        let by = if assumed {
            "if each product gives the level named after it"
        } else {
            "by the site's mappings"
        };
        writeln!(out, "What access should result at {at}, {by}:")?;
        for (level, members) in &self.levels {
            writeln!(out, "  {members:>9}  hold {level}")?;
        }
        let (otherwise, members) = (self.otherwise, self.members);
        writeln!(out, "  {otherwise:>9}  of {members} hold otherwise than if all had been told")
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let level = |(level, members): (&String, &u64)| json!({"level": level, "members": members});
        json!({
            "at": self.at,
            "members": self.members,
            "levels": self.levels.iter().map(level).collect::<Vec<_>>(),
            "otherwise": self.otherwise,
        })
    }
}
