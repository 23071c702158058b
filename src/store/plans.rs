//! Plans: what other rules would do to each member, computed before it happens.

mod steps;

pub use steps::{Step, named_losses, say, steps, touch, touched, untouch};

use super::conn::Conn;
use super::schema::{plans, sites};
use super::{Result, StoreError, from_json, stored, to_json};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of plans that have ended which are removed at once.
const BATCH_ROWS_MAX: i64 = 1_000;

/// What a plan is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PlanKind")]
pub enum Kind {
    /// Other rules.
    Edit,
    /// A new version of the core, which answers differently.
    Upgrade,
}

impl Kind {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Upgrade => "upgrade",
        }
    }
}

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PlanState")]
pub enum State {
    /// Members are being looked at.
    Computing,
    /// Everybody concerned was looked at: it can be applied.
    Ready,
    /// It was applied.
    Applied,
    /// Something has moved since: it is true no more.
    Stale,
}

impl State {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Computing => "computing",
            Self::Ready => "ready",
            Self::Applied => "applied",
            Self::Stale => "stale",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Computing, Self::Ready, Self::Applied, Self::Stale]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// What would happen to one level of one member.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PlannedKind")]
pub enum What {
    /// It is not held, and would be.
    Gain,
    /// It is held, and would not be.
    Loss,
    /// It is held either way, with another end.
    Move,
}

impl What {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::Loss => "loss",
            Self::Move => "move",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Gain, Self::Loss, Self::Move].into_iter().find(|what| what.as_str() == word)
    }
}

/// Something that has moved since a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MovedSincePlan")]
pub struct Moved {
    /// `mapping`, `level`, `product`, `settings`, `member`, or `age`.
    pub what: String,
    /// Which one: an id, the key of a setting, or a member's address.
    pub id: String,
    /// The level that the member would lose; null for anything but a member.
    pub level: Option<String>,
}

impl Moved {
    /// Something that is no member.
    pub fn new(what: &str, id: &str) -> Self {
        Self { what: what.to_owned(), id: id.to_owned(), level: None }
    }

    /// A member who would lose a level that the plan does not name.
    pub fn member(email: String, level: String) -> Self {
        Self { what: "member".to_owned(), id: email, level: Some(level) }
    }
}

/// How many purchases one mapping with a window holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedWindow")]
pub struct Window {
    /// The mapping: its id, which a new one gets when the plan is applied.
    pub mapping: String,
    /// Kartra's product id.
    pub product_id: String,
    /// The price point that it names; null for every price point.
    pub price_point: Option<String>,
    /// The level that it gives.
    pub level: String,
    /// It holds purchases that started at this instant or later; null for all.
    pub purchased_from: Option<Instant>,
    /// It holds purchases that started before this instant; null for all.
    pub purchased_before: Option<Instant>,
    /// How many purchases there are on this side, of that product and price point.
    pub purchases: i64,
}

/// How many steps of each kind a plan holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Levels that would be gained.
    pub gains: i64,
    /// Levels that would be lost.
    pub losses: i64,
    /// Levels whose end would move.
    pub moves: i64,
}

impl Counts {
    /// Adds so many steps of a kind, or takes them away.
    pub fn add(&mut self, what: What, count: i64) {
        match what {
            What::Gain => self.gains += count,
            What::Loss => self.losses += count,
            What::Move => self.moves += count,
        }
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The site.
    pub site_id: String,
    /// Opaque id.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// What it would write, as JSON; of an upgrade, nothing.
    pub edits: String,
    /// Which of the scopes it is at.
    pub scope: i32,
    /// The last purchase of that scope that was looked at.
    pub reached: String,
    /// Members that were looked at.
    pub done: i64,
    /// Members that are concerned.
    pub total: i64,
    /// What it has found so far.
    pub counts: Counts,
    /// How many purchases each window holds; empty where no window is concerned, and while it is computing.
    pub windows: Vec<Window>,
    /// What made it stale; empty while it is not.
    pub moved: Vec<Moved>,
    /// When it was made.
    pub created_at: Instant,
    /// When everybody concerned had been looked at; `None` before.
    pub ready_at: Option<Instant>,
    /// When it was applied or became stale; `None` while it is open.
    pub ended_at: Option<Instant>,
}

impl Plan {
    /// The same plan, about to look at everybody again. What it has said of them stands until then.
    #[must_use]
    pub fn begun_anew(self) -> Self {
        let state = State::Computing;
        Self { state, scope: 0, reached: String::new(), done: 0, ready_at: None, ..self }
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plans, treat_none_as_null = true)]
struct Row {
    site_id: String,
    id: String,
    kind: String,
    state: String,
    edits: String,
    scope: i32,
    reached: String,
    done: i64,
    total: i64,
    gains: i64,
    losses: i64,
    moves: i64,
    windows: String,
    moved: Option<String>,
    created_at: NaiveDateTime,
    ready_at: Option<NaiveDateTime>,
    ended_at: Option<NaiveDateTime>,
}

impl Row {
    fn of(plan: &Plan) -> Result<Self> {
        let moved = (!plan.moved.is_empty()).then(|| to_json("what has moved", &plan.moved));
        Ok(Self {
            site_id: plan.site_id.clone(),
            id: plan.id.clone(),
            kind: plan.kind.as_str().to_owned(),
            state: plan.state.as_str().to_owned(),
            edits: plan.edits.clone(),
            scope: plan.scope,
            reached: plan.reached.clone(),
            done: plan.done,
            total: plan.total,
            gains: plan.counts.gains,
            losses: plan.counts.losses,
            moves: plan.counts.moves,
            windows: to_json("a plan's windows", &plan.windows)?,
            moved: moved.transpose()?,
            created_at: stored(plan.created_at),
            ready_at: plan.ready_at.map(stored),
            ended_at: plan.ended_at.map(stored),
        })
    }

    fn read(self) -> Result<Plan> {
        let state = State::from_word(&self.state);
        let moved = self.moved.map(|moved| from_json("what has moved", &moved)).transpose()?;
        Ok(Plan {
            state: state.ok_or_else(|| StoreError::Corrupt(format!("state {}", self.state)))?,
            kind: if self.kind == Kind::Upgrade.as_str() { Kind::Upgrade } else { Kind::Edit },
            windows: from_json("a plan's windows", &self.windows)?,
            moved: moved.unwrap_or_default(),
            counts: Counts { gains: self.gains, losses: self.losses, moves: self.moves },
            site_id: self.site_id,
            id: self.id,
            edits: self.edits,
            scope: self.scope,
            reached: self.reached,
            done: self.done,
            total: self.total,
            created_at: self.created_at.and_utc(),
            ready_at: self.ready_at.map(|at| at.and_utc()),
            ended_at: self.ended_at.map(|at| at.and_utc()),
        })
    }
}

/// Makes a plan; it is open from now on.
pub fn insert(conn: &mut Conn, plan: &Plan) -> Result<()> {
    diesel::insert_into(plans::table).values(Row::of(plan)?).execute(conn)?;
    Ok(())
}

/// Writes a plan back whole.
pub fn update(conn: &mut Conn, plan: &Plan) -> Result<()> {
    let row = Row::of(plan)?;
    diesel::update(plans::table.find((&plan.site_id, &plan.id))).set(row).execute(conn)?;
    Ok(())
}

/// One plan.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Plan>> {
    let row = plans::table.find((site_id, id)).select(Row::as_select());
    row.first(conn).optional()?.map(Row::read).transpose()
}

/// Plans, newest first, before an id.
pub fn list(conn: &mut Conn, site_id: &str, before: Option<&str>, limit: i64) -> Result<Vec<Plan>> {
    let mut query = plans::table
        .filter(plans::site_id.eq(site_id.to_owned()))
        .select(Row::as_select())
        .order(plans::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(plans::id.lt(before.to_owned()));
    }
    query.load(conn)?.into_iter().map(Row::read).collect()
}

/// The open plans of a site, oldest first.
pub fn open(conn: &mut Conn, site_id: &str) -> Result<Vec<Plan>> {
    let open = plans::table.filter(plans::site_id.eq(site_id)).filter(plans::ended_at.is_null());
    let rows: Vec<Row> = open.order(plans::id).select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// The site and id of every plan that is being computed, oldest first.
pub fn computing(conn: &mut Conn) -> Result<Vec<(String, String)>> {
    let open = plans::table.filter(plans::ended_at.is_null());
    let computing = open.filter(plans::state.eq(State::Computing.as_str()));
    Ok(computing.order(plans::id).select((plans::site_id, plans::id)).load(conn)?)
}

/// When a plan was made or ended, as far as that asks for something to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Dated {
    /// The site.
    pub site_id: String,
    /// The plan.
    pub id: String,
    /// What it is about: `edit` or `upgrade`.
    pub kind: String,
    /// When it was made.
    pub created_at: NaiveDateTime,
    /// When it ended; `None` while it is open.
    pub ended_at: Option<NaiveDateTime>,
}

/// Every plan of every site, oldest first.
pub fn all(conn: &mut Conn) -> Result<Vec<Dated>> {
    let columns = (plans::site_id, plans::id, plans::kind, plans::created_at, plans::ended_at);
    Ok(plans::table.order((plans::site_id, plans::id)).select(columns).load(conn)?)
}

/// Lets every open plan of a site be stale from now on; what an upgrade would do is computed anew. Answers
/// how many are open then.
pub fn end_open(conn: &mut Conn, site_id: &str, moved: &[Moved], at: Instant) -> Result<i64> {
    for plan in open(conn, site_id)? {
        match plan.kind {
            Kind::Edit => drop(end(conn, plan, State::Stale, moved, at)?),
            Kind::Upgrade => update(conn, &plan.begun_anew())?,
        }
    }
    count_open(conn, site_id)
}

/// Ends a plan; [`count_open`] has to follow.
pub fn end(
    conn: &mut Conn,
    plan: Plan,
    state: State,
    moved: &[Moved],
    at: Instant,
) -> Result<Plan> {
    let ended = Plan { state, moved: moved.to_vec(), ended_at: Some(at), ..plan };
    update(conn, &ended)?;
    Ok(ended)
}

/// Counts the open plans of a site anew; answers how many they are.
pub fn count_open(conn: &mut Conn, site_id: &str) -> Result<i64> {
    let open = plans::table.filter(plans::site_id.eq(site_id)).filter(plans::ended_at.is_null());
    let count: i64 = open.count().get_result(conn)?;
    diesel::update(sites::table.find(site_id)).set(sites::plans_open.eq(count)).execute(conn)?;
    Ok(count)
}

/// Removes a batch of what is not needed any more of a plan that has ended: who was touched since; where it
/// has `aged`, also what it says of members, and then the plan. Answers whether anything was removed.
pub fn remove_part(conn: &mut Conn, site_id: &str, id: &str, aged: bool) -> Result<bool> {
    Ok(remove_batch(conn, "plan_touched", "email", site_id, id)?
        || (aged && remove_batch(conn, "plan_members", "email, level", site_id, id)?)
        || (aged && diesel::delete(plans::table.find((site_id, id))).execute(conn)? > 0))
}

/// Whether somebody was touched since a plan looked at them.
pub fn any_touched(conn: &mut Conn, site_id: &str, id: &str) -> Result<bool> {
    use super::schema::plan_touched;
    let of_plan = plan_touched::table
        .filter(plan_touched::site_id.eq(site_id))
        .filter(plan_touched::plan_id.eq(id));
    Ok(diesel::select(diesel::dsl::exists(of_plan)).get_result(conn)?)
}

fn remove_batch(
    conn: &mut Conn,
    table: &str,
    key: &str,
    site_id: &str,
    plan_id: &str,
) -> Result<bool> {
    let of_plan = "site_id = $1 AND plan_id = $2";
    let batch = format!("SELECT {key} FROM {table} WHERE {of_plan} LIMIT {BATCH_ROWS_MAX}");
    let delete = format!("DELETE FROM {table} WHERE {of_plan} AND ({key}) IN ({batch})");
    let delete = sql_query(delete).bind::<Text, _>(site_id).bind::<Text, _>(plan_id);
    Ok(delete.execute(conn)? > 0)
}
