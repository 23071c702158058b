//! What a plan or an apply found, in words or as JSON.

use super::apply::{Applied, Difference, Plan};
use crate::core::Instant;
use crate::core::access::Held;
use crate::core::mapping::Mapping;
use crate::flow::preview::Step;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Members that are named one by one; `--json` names all.
const NAMED_MAX: usize = 50;

/// Shows what would change.
pub fn plan(plan: &Plan, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (gains, losses, moves) = counts(&plan.steps);
    if as_json {
        let members: Vec<Value> = plan.steps.iter().map(step_as_json).collect();
        let counts = json!({ "gains": gains, "losses": losses, "moves": moves });
        let all =
            json!({ "rules": as_json_of(&plan.difference), "members": members, "counts": counts });
        return writeln!(out, "{all}");
    }
    if plan.difference.is_empty() {
        return writeln!(out, "The site is as the file says. Nothing would change.");
    }
    rules(&mut out, &plan.difference)?;
    writeln!(out, "\n{gains} gain a level, {losses} lose one, the end of {moves} moves.")?;
    for step in plan.steps.iter().take(NAMED_MAX) {
        writeln!(out, "  {}", in_words(step))?;
    }
    if plan.steps.len() > NAMED_MAX {
        writeln!(out, "  … and {} more; --json names them all", plan.steps.len() - NAMED_MAX)?;
    }
    writeln!(out, "\nNothing was changed. `latchkey mappings apply` brings it about.")
}

/// Shows what was changed.
pub fn applied(applied: &Applied, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        let all = json!({
            "rules": as_json_of(&applied.difference),
            "members": applied.members,
            "waits": applied.waits,
            "kept_levels": applied.kept_levels,
            "held_open": applied.held_open,
        });
        return writeln!(out, "{all}");
    }
    if applied.difference.is_empty() {
        return writeln!(out, "The site is as the file says. Nothing was changed.");
    }
    rules(&mut out, &applied.difference)?;
    for level in &applied.kept_levels {
        writeln!(out, "The level {level} stays: grants, blocks or members still have it.")?;
    }
    if applied.held_open > 0 {
        writeln!(
            out,
            "{} level(s) of members are held open: more would have been revoked than max_revocations allows. Look at \
             them at GET …/held-open, then release or discard them.",
            applied.held_open
        )?;
    }
    if applied.waits {
        return writeln!(
            out,
            "Applied. {} member(s) are computed again once the site is enabled.",
            applied.members
        );
    }
    writeln!(out, "Applied. {} member(s) were computed again.", applied.members)
}

fn rules(out: &mut impl Write, difference: &Difference) -> io::Result<()> {
    let edits = &difference.edits;
    if edits.policy.is_some() {
        writeln!(out, "~ the policy of the site")?;
    }
    for (id, name) in &edits.new_levels {
        writeln!(out, "+ level {id} ({name})")?;
    }
    for (id, name) in &edits.renamed_levels {
        writeln!(out, "~ level {id} (now {name})")?;
    }
    for id in &difference.gone_levels {
        writeln!(out, "- level {id}")?;
    }
    for (sign, mappings) in marked(difference) {
        for mapping in mappings {
            writeln!(out, "{sign} {}", of(mapping))?;
        }
    }
    Ok(())
}

fn marked(difference: &Difference) -> [(&'static str, &Vec<Mapping>); 3] {
    let edits = &difference.edits;
    [("+", &edits.new), ("~", &edits.edited), ("-", &edits.gone)]
}

fn of(mapping: &Mapping) -> String {
    let price_point = mapping.price_point.as_ref().map(|id| format!(" at price point {id}"));
    let window = [("from", mapping.purchased_from), ("before", mapping.purchased_before)];
    let window: String = window
        .into_iter()
        .filter_map(|(word, at)| Some(format!(", purchased {word} {}", instant(at?))))
        .collect();
    let disabled = if mapping.enabled { "" } else { ", disabled" };
    let (product, level) = (&mapping.product_id, &mapping.level);
    format!("product {product}{} → {level}{window}{disabled}", price_point.unwrap_or_default())
}

fn in_words(step: &Step) -> String {
    let until = |held: &Held| {
        held.until.map_or("with no known end".to_owned(), |at| format!("until {}", instant(at)))
    };
    let (email, level) = (&step.email, &step.level);
    match (&step.before, &step.after) {
        (None, Some(after)) => format!("{email} gains {level}, {}", until(after)),
        (Some(before), None) => format!("{email} loses {level}, which was held {}", until(before)),
        (Some(before), Some(after)) => {
            format!("{email} keeps {level}, {} instead of {}", until(after), until(before))
        }
        (None, None) => format!("{email} {level}"),
    }
}

fn counts(steps: &[Step]) -> (usize, usize, usize) {
    let count = |is: fn(&Step) -> bool| steps.iter().filter(|step| is(step)).count();
    (
        count(|step| step.before.is_none()),
        count(|step| step.after.is_none()),
        count(|step| step.before.is_some() && step.after.is_some()),
    )
}

fn step_as_json(step: &Step) -> Value {
    let until = |held: &Option<Held>| held.as_ref().map(|held| json!({ "until": held.until }));
    json!({
        "email": step.email,
        "level": step.level,
        "before": until(&step.before),
        "after": until(&step.after),
    })
}

fn as_json_of(difference: &Difference) -> Value {
    let levels = |levels: &[(String, String)]| -> Vec<Value> {
        levels.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect()
    };
    json!({
        "policy": difference.edits.policy.is_some(),
        "levels": {
            "new": levels(&difference.edits.new_levels),
            "renamed": levels(&difference.edits.renamed_levels),
            "gone": difference.gone_levels,
        },
        "mappings": {
            "new": difference.edits.new,
            "edited": difference.edits.edited,
            "gone": difference.edits.gone,
        },
    })
}

fn instant(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
