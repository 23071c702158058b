//! What a webhook says as it is read, and what that led to: the event, its person, the steps of access.

use super::changes::ChangeView;
use crate::app::App;
use crate::core::Instant;
use crate::core::event::{EventId, Kind, LeadKey, Observation};
use crate::core::kartra::values::Amount;
use crate::store::changes;
use crate::store::conn::Conn;
use crate::store::events::{self, Stored};
use crate::store::observations::{self, Due};
use crate::store::{Result as Found, members};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Nothing, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::Serialize;

/// How many changes are shown of one webhook.
const CHANGES_MAX: i64 = 100;

/// What a webhook says, and what it led to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reading")]
pub(super) struct ReadingView {
    /// The webhook.
    webhook: String,
    /// What it says, as it was read last; null where it cannot be read, or was not yet.
    says: Option<SaysView>,
    /// The event that it tells of; null where it is no observation of one: it waits, was refused or discarded.
    event: Option<EventView>,
    /// The member whose event it is now; null where there is none.
    member: Option<MemberRef>,
    /// The steps of access that are recorded as caused by the event, or by its discarding or restoring; oldest first,
    /// at most 100.
    changes: Vec<ChangeView>,
}

impl Resource for ReadingView {}

/// What one webhook says; null is what it says nothing of.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SaysOfReading")]
struct SaysView {
    /// The kind of event.
    kind: Kind,
    /// Kartra's own word for an `other` event, such as `assign_tag`.
    name: Option<String>,
    /// The transaction.
    transaction_id: Option<String>,
    /// The lead.
    lead_id: Option<String>,
    /// The address that the transaction carries.
    transaction_email: Option<String>,
    /// The address of the lead's profile, which only the outbound feed has.
    profile_email: Option<String>,
    /// The product.
    product_id: Option<String>,
    /// The product's name.
    product_name: Option<String>,
    /// The price point.
    price_point: Option<String>,
    /// The subscription.
    subscription_id: Option<String>,
    /// The order of the subscription's first transaction.
    original_id: Option<String>,
    /// The order that a reversal reverses.
    parent_id: Option<String>,
    /// The amount, as a decimal number without its sign or currency.
    amount: Option<String>,
    /// The date as it is written, in the site's `kartra_time_zone`.
    #[schemars(with = "Option<String>")]
    date: Option<NaiveDateTime>,
    /// 1 where the sale begins a trial.
    trial: Option<i64>,
    /// Days of trial.
    trial_period: Option<i64>,
    /// Days until the next charge.
    rebill_circle: Option<i64>,
    /// Payments of a plan.
    installments: Option<i64>,
    /// Payments still to come; 9999 is until cancelled.
    payments_left: Option<i64>,
    /// Which payment of the subscription this is, from 1.
    pay_number: Option<i64>,
}

/// The event that a webhook tells of, by all webhooks that tell of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventOfReading")]
struct EventView {
    /// Its id.
    id: String,
    /// What kind of event it is.
    kind: Kind,
    /// When it took effect.
    occurred_at: Instant,
    /// The purchase that it belongs to, of which no payment may be known yet; null where it cannot be told, and for
    /// what is about no money.
    purchase: Option<String>,
    /// The webhooks that tell of it, oldest first: two where both of Kartra's feeds did.
    told_by: Vec<String>,
}

/// A member, by id and address.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MemberOfReading")]
struct MemberRef {
    /// The member's id.
    id: String,
    /// The address.
    email: String,
}

/// `GET /sites/{site}/webhooks/{id}/reading`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            let webhook = observations::load(conn, &site, std::slice::from_ref(&id))?.pop();
            let webhook = webhook.ok_or_else(|| Problem::not_found("webhook"))?;
            Ok(read(conn, &site, webhook)?)
        })
    });
    Ok(answer::thing(&request, &found.await?))
}

fn read(conn: &mut Conn, site_id: &str, webhook: Due) -> Found<ReadingView> {
    let says = webhook.says()?;
    let event_id = webhook.event_id.map(EventId);
    let event = match &event_id {
        Some(id) => events::load(conn, site_id, std::slice::from_ref(id))?.pop(),
        None => None,
    };
    let member = match event.as_ref().and_then(|stored| stored.event.lead.clone()) {
        Some(lead) => member_of(conn, site_id, lead)?,
        None => None,
    };
    // A discarded webhook tells of no event any more, but names the persons whose access it moved.
    let named = says.as_ref().map(|says| &says.person).into_iter();
    let named = named.flat_map(|who| [&who.profile_email, &who.transaction_email]).flatten();
    let mut emails: Vec<String> = named.cloned().collect();
    emails.extend(member.as_ref().map(|member| member.email.clone()));
    emails.sort();
    emails.dedup();
    let concerned = members::with_emails(conn, site_id, &emails)?;
    let ids: Vec<String> = concerned.into_iter().map(|member| member.id).collect();
    let told_of = says.as_ref().map(|says| EventId::of(says, &webhook.id).0);
    let causes: Vec<String> = told_of.into_iter().chain([webhook.id.clone()]).collect();
    let changes = changes::caused_by(conn, site_id, &ids, &causes, CHANGES_MAX)?;
    Ok(ReadingView {
        says: says.map(SaysView::from),
        event: event.map(|stored| of_event(conn, site_id, stored)).transpose()?,
        member,
        changes: changes.into_iter().map(ChangeView::from).collect(),
        webhook: webhook.id,
    })
}

fn member_of(conn: &mut Conn, site_id: &str, lead: LeadKey) -> Found<Option<MemberRef>> {
    let emails = members::emails_of(conn, site_id, &[lead])?;
    let Some(email) = emails.into_values().flatten().next() else { return Ok(None) };
    let member = members::with_email(conn, site_id, &email)?;
    Ok(member.map(|member| MemberRef { id: member.id, email: member.email }))
}

fn of_event(conn: &mut Conn, site_id: &str, stored: Stored) -> Found<EventView> {
    let Stored { event, purchase } = stored;
    let witnesses = observations::witnesses(conn, site_id, std::slice::from_ref(&event.id))?;
    let mut told_by: Vec<String> =
        witnesses.into_values().flatten().map(|witness| witness.webhook_id).collect();
    told_by.sort();
    Ok(EventView {
        kind: event.kind(),
        id: event.id.0,
        occurred_at: event.occurred_at,
        purchase: purchase.map(|id| id.0),
        told_by,
    })
}

impl From<Observation> for SaysView {
    fn from(said: Observation) -> Self {
        Self {
            kind: said.kind,
            name: said.name,
            transaction_id: said.transaction_id,
            lead_id: said.person.lead_id,
            transaction_email: said.person.transaction_email,
            profile_email: said.person.profile_email,
            product_id: said.product_id,
            product_name: said.product_name,
            price_point: said.price_point,
            subscription_id: said.subscription_id,
            original_id: said.original_id,
            parent_id: said.parent_id,
            amount: said.amount.as_ref().map(Amount::to_string),
            date: said.date,
            trial: said.trial,
            trial_period: said.trial_period,
            rebill_circle: said.rebill_circle,
            installments: said.installments,
            payments_left: said.payments_left,
            pay_number: said.pay_number,
        }
    }
}
