//! What is known of one person, in the order in which it happened: what was received, what occurred, what
//! operators decided, and what became of access.

use super::changes::ChangeView;
use super::members::{Named, find};
use super::pushes::PushView;
use super::webhooks::WebhookView;
use crate::app::App;
use crate::core::Instant;
use crate::core::event::{Kind, LeadKey};
use crate::core::member::{Override, OverrideKind};
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::timeline::{self, Occurred, Order, Place, Rest};
use crate::store::webhooks::Webhook;
use crate::store::{Result as Stored, members, overrides, pushes, search};
use crate::web::answer;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Page, Query, instant_key};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The kinds of things, in the order in which they lie where their instants are the same: a webhook is
/// there before the event that it tells of, a change after what led to it, and a push after the change that it carries.
const KINDS: [&str; 5] = ["webhook", "event", "override", "change", "push"];
const WEBHOOK: usize = 0;
const EVENT: usize = 1;
const OVERRIDE: usize = 2;
const CHANGE: usize = 3;
const PUSH: usize = 4;

/// One thing in a timeline; the key that `kind` names says what.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TimelineItem")]
pub(super) struct ItemView {
    /// When it happened: a webhook was received, an event took effect, an override began or ended, access
    /// took a step, a destination confirmed the latest push, or has not confirmed it since it was first wanted.
    at: Instant,
    /// What kind of thing it is.
    #[schemars(extend("enum" = KINDS))]
    kind: &'static str,
    /// The thing's own id; of a change, its position in the feed.
    id: String,
    /// The webhook, without its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookView>,
    /// The event.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventView>,
    /// What an operator decided.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    made: Option<StepView>,
    /// The step that access took.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeView>,
    /// The push of the member to a destination, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<PushView>,
    /// Where it lies among the things of its kind and instant.
    #[serde(skip)]
    place: (usize, String),
}

/// An event of a person.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventOfTimeline")]
struct EventView {
    /// What kind of event it is.
    kind: Kind,
    /// Kartra's id of the transaction; null where the event is about no money.
    transaction_id: Option<String>,
    /// Kartra's id of the product; null where the event is about no money.
    product_id: Option<String>,
    /// The price point; null where Kartra names none.
    price_point: Option<String>,
    /// The purchase that it belongs to; null for a reversal of nothing known, and for what is about no
    /// money.
    purchase: Option<String>,
    /// The address that it names: the profile's, else the transaction's; null where it names none.
    email: Option<String>,
}

/// The beginning or the end of an override.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverrideOfTimeline")]
struct StepView {
    /// A manual `grant`, a `block`, the `lift` of what chargebacks block, or a level that was `held_open`
    /// instead of being revoked.
    #[schemars(extend("enum" = ["grant", "block", "lift", "held_open"]))]
    what: &'static str,
    /// Whether this is when it `began` or when it `ended`.
    #[schemars(extend("enum" = ["began", "ended"]))]
    step: &'static str,
    /// The level; null, on a block only, for every level.
    level: Option<String>,
    /// The end that it was made with; null for good.
    until: Option<Instant>,
    /// What the operator wrote beside it, or what would have revoked the level that was held open; null where
    /// nothing.
    note: Option<String>,
}

/// Which timeline is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Where to begin: with what happened first, unless something else is said.
    order: Option<Order>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/members/{member}/timeline`, oldest first unless the newest is asked for.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    path: web::Path<(String, String)>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let (site, name) = path.into_inner();
    let List { order, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 2)?;
    let order = order.unwrap_or_default();
    let asked = Asked { order, after: After::of(&page)?, rows: page.asked() };
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            Ok(asked.read(conn, bench, &named)?)
        })
    });
    Ok(answer::page(&page, found.await?, |item| {
        let (kind, id) = &item.place;
        instant_key(item.at.naive_utc(), &format!("{kind}{id}"))
    }))
}

/// The last item that is known.
struct After {
    at: NaiveDateTime,
    kind: usize,
    id: String,
}

impl After {
    fn of(page: &Page) -> Result<Option<Self>, Problem> {
        Ok(page.after_instant()?.map(|(at, place)| {
            let mut letters = place.chars();
            let kind = letters.next().and_then(|kind| kind.to_digit(10)).map(|kind| kind as usize);
            // What no page has given lies behind everything of its instant.
            Self { at, kind: kind.unwrap_or(KINDS.len()), id: letters.collect() }
        }))
    }

    /// Where things of a kind go on.
    fn place(&self, order: Order, kind: usize) -> Place<'_> {
        let rest = match order.of(kind.cmp(&self.kind)) {
            Ordering::Less => Rest::Nothing,
            Ordering::Equal => Rest::Behind(&self.id),
            Ordering::Greater => Rest::All,
        };
        Place { at: self.at, rest }
    }
}

impl Order {
    /// How two things come, of which this is how they happened.
    fn of(self, happened: Ordering) -> Ordering {
        match self {
            Self::OldestFirst => happened,
            Self::NewestFirst => happened.reverse(),
        }
    }
}

/// Which part of a timeline is asked for.
struct Asked {
    order: Order,
    after: Option<After>,
    rows: i64,
}

impl Asked {
    /// The order, and where things of a kind go on in it.
    fn place(&self, kind: usize) -> (Order, Option<Place<'_>>) {
        (self.order, self.after.as_ref().map(|after| after.place(self.order, kind)))
    }

    /// Whether something lies behind the last item that is known.
    fn wants(&self, item: &ItemView) -> bool {
        let (kind, id) = &item.place;
        let (order, place) = self.place(*kind);
        place.is_none_or(|place| {
            let behind = match order.of(item.at.naive_utc().cmp(&place.at)) {
                Ordering::Equal => match place.rest {
                    Rest::Nothing => Ordering::Less,
                    Rest::All => Ordering::Greater,
                    Rest::Behind(last) => order.of(id.as_str().cmp(last)),
                },
                other => other,
            };
            behind == Ordering::Greater
        })
    }

    /// Of a list that was made whole, what is wanted, in order.
    fn wanted(&self, mut items: Vec<ItemView>) -> Vec<ItemView> {
        items.retain(|item| self.wants(item));
        items.sort_by(|a, b| self.order.of(a.place.1.cmp(&b.place.1)));
        items
    }

    fn read(&self, conn: &mut Conn, bench: &Bench, named: &Named) -> Stored<Vec<ItemView>> {
        let (site_id, email, rows) = (&bench.site.id, &named.email, self.rows);
        let mut items = self.webhooks(conn, site_id, email)?;
        let occurred = timeline::events(conn, site_id, email, self.place(EVENT), rows)?;
        items.extend(occurred.into_iter().map(ItemView::of_event));
        items.extend(self.overrides(conn, bench, email)?);
        if let Some(member) = &named.member {
            let steps = timeline::changes(conn, site_id, &member.id, self.place(CHANGE), rows)?;
            items.extend(steps.into_iter().map(|change| {
                let (at, id) = (change.at.and_utc(), change.position.to_string());
                let view = ChangeView::from(change);
                ItemView { change: Some(view), ..ItemView::bare(at, CHANGE, &id) }
            }));
            items.extend(self.pushes(conn, site_id, &member.id)?);
        }
        // The sort is stable: what lies at one instant stays in the order of its own list, which the
        // database has made and goes on with.
        let happened = |item: &ItemView| (item.at, item.place.0);
        items.sort_by(|a, b| self.order.of(happened(a).cmp(&happened(b))));
        Ok(items)
    }

    /// Those that tell of events, and those that tell of none, or not yet, but name the address.
    fn webhooks(&self, conn: &mut Conn, site_id: &str, email: &str) -> Stored<Vec<ItemView>> {
        let place = self.place(WEBHOOK);
        let mut found = timeline::webhooks(conn, site_id, email, place, self.rows)?;
        let others = search::unobserved_of(conn, site_id, email)?;
        // A test names an address, and tells nothing of whose it is.
        let is_theirs = |other: &Webhook| other.event_id.is_none() && !other.is_test();
        found.extend(others.into_iter().filter(is_theirs));
        let view = |webhook: Webhook| {
            let (at, id) = (webhook.received_at.and_utc(), webhook.id.clone());
            let view = WebhookView::from(webhook);
            ItemView { webhook: Some(view), ..ItemView::bare(at, WEBHOOK, &id) }
        };
        Ok(self.wanted(found.into_iter().map(view).collect()))
    }

    fn overrides(&self, conn: &mut Conn, bench: &Bench, email: &str) -> Stored<Vec<ItemView>> {
        let (site_id, emails) = (&bench.site.id, [email.to_owned()]);
        let leads = members::leads_of(conn, site_id, &emails)?.into_iter().map(|(lead, _)| lead);
        let leads: BTreeSet<LeadKey> = leads.collect();
        let keys: Vec<LeadKey> = leads.iter().cloned().collect();
        let all = overrides::concerning(conn, site_id, &emails, &keys)?;
        let mut all = overrides::at_home(conn, site_id, all, &leads)?;
        all.retain(|o| o.belongs_to(email, &leads));
        Ok(self.wanted(all.iter().flat_map(|o| steps(o, bench.at)).collect()))
    }

    /// The pushes of a member: one for each destination of the site, at most.
    fn pushes(&self, conn: &mut Conn, site_id: &str, member_id: &str) -> Stored<Vec<ItemView>> {
        let item = |push| {
            let view = PushView::of(push)?;
            let (at, id) = (view.at(), view.id.clone());
            Ok(ItemView { push: Some(view), ..ItemView::bare(at, PUSH, &id) })
        };
        let found = pushes::of_subject(conn, site_id, member_id)?;
        Ok(self.wanted(found.into_iter().map(item).collect::<Stored<Vec<_>>>()?))
    }
}

/// When an override began, and when it ended, if it has.
fn steps(made: &Override, now: Instant) -> Vec<ItemView> {
    let (what, level) = match &made.what {
        OverrideKind::Grant(level) => ("grant", Some(level.clone())),
        OverrideKind::Block(level) => ("block", level.clone()),
        OverrideKind::Lift => ("lift", None),
        OverrideKind::HeldOpen(level) => ("held_open", Some(level.clone())),
    };
    let ended = made.stretch().until.filter(|end| *end <= now);
    let steps = [("began", Some(made.begun_at)), ("ended", ended)];
    let step = |(step, at): (&'static str, Option<Instant>)| {
        let (level, until, note) = (level.clone(), made.until, made.note.clone());
        let bare = ItemView::bare(at?, OVERRIDE, &made.id);
        // The beginning comes before the end, also where they lie at one instant.
        let place = (OVERRIDE, format!("{} {step}", made.id));
        Some(ItemView { made: Some(StepView { what, step, level, until, note }), place, ..bare })
    };
    steps.into_iter().filter_map(step).collect()
}

impl ItemView {
    fn bare(at: Instant, kind: usize, id: &str) -> Self {
        Self {
            at,
            kind: KINDS.get(kind).copied().unwrap_or_default(),
            id: id.to_owned(),
            webhook: None,
            event: None,
            made: None,
            change: None,
            push: None,
            place: (kind, id.to_owned()),
        }
    }

    fn of_event(event: Occurred) -> Self {
        let Occurred { id, said, occurred_at, purchase_id } = event;
        let view = EventView {
            kind: said.kind,
            transaction_id: said.transaction_id,
            product_id: said.product_id,
            price_point: said.price_point,
            purchase: purchase_id,
            email: said.person.profile_email.or(said.person.transaction_email),
        };
        Self { event: Some(view), ..Self::bare(occurred_at.and_utc(), EVENT, &id.0) }
    }
}
