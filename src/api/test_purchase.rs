//! A test purchase: what Kartra would send is stored on the way of every webhook, set aside from the first, and it is
//! told what would come of it.
//!
//! Absences that tests check: nobody gains a level by it, no product appears, no destination is told, it is not taken
//! for a word of Kartra's, and it cannot be made to count.

use crate::app::App;
use crate::core::Instant;
use crate::core::access::Picture;
use crate::core::event::{Event, EventId, Observation, Vouched, Witness};
use crate::core::kartra::{read, values};
use crate::flow::settle::Bench;
use crate::ids;
use crate::secrets;
use crate::simulate;
use crate::store::conn::Conn;
use crate::store::rules;
use crate::store::webhooks::Status;
use crate::web::auth::{Auth, Manage};
use crate::web::extract::{self, KartraId, Optional};
use crate::web::problem::{Fault, Problem};
use crate::web::shapes::Email;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who buys where nobody else is said: an address that can receive nothing.
const EMAIL: &str = "test-purchase@example.com";
/// What is bought where nothing else is said: no product of Kartra's.
const PRODUCT: &str = "test-purchase";
/// At which price point where none is said: Kartra counts those of a product from 1.
const PRICE_POINT: &str = "1";

/// What shall be bought, and by whom.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateTestPurchase")]
pub struct Create {
    /// Kartra's product id; where nothing is said, one that no product has.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "KartraId")]
    product_id: Option<KartraId>,
    /// Kartra's name for the price point; `1` where nothing is said.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "KartraId")]
    price_point: Option<KartraId>,
    /// The buyer's address; `test-purchase@example.com` where nothing is said.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Email")]
    email: Option<String>,
}

/// What would come of a purchase, had it been one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestPurchase")]
pub(super) struct TestPurchaseView {
    /// Always true: it is a test, and nothing of it counts.
    test: bool,
    /// The webhook that was stored for it. Its feed is `test` and its status `discarded`, and both stay.
    webhook_id: String,
    /// How it reads, as a webhook of Kartra's would be answered.
    reading: String,
    /// What a webhook of Kartra's would be listed as: `applied`, `held` where no mapping names the product and price
    /// point, `no_effect` where the product is ignored.
    would_be: Status,
    /// The levels that the purchase alone would give; none where it would give none.
    would_give: Vec<WouldGive>,
    /// The buyer's address.
    email: String,
    /// The product.
    product_id: String,
    /// The price point.
    price_point: String,
    /// How long it took to store and read it, in milliseconds.
    took_ms: u64,
}

/// A level that a purchase would give.
#[derive(Debug, Serialize, JsonSchema)]
struct WouldGive {
    /// The level.
    level: String,
    /// What people call it.
    name: String,
    /// Until when; null where no end is known.
    until: Option<Instant>,
}

/// `POST /sites/{site}/test-purchase`
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Optional<Create>,
) -> Result<HttpResponse, Problem> {
    let began = std::time::Instant::now();
    let site = site.into_inner();
    let Create { product_id, price_point, email } = body.0;
    let email = email.unwrap_or_else(|| EMAIL.to_owned());
    let Some(email) = values::email(&email) else {
        let detail = "must be an e-mail address".to_owned();
        return Err(Problem::invalid(vec![Fault { pointer: "/email".to_owned(), detail }]));
    };
    let text = |id: Option<KartraId>, otherwise: &str| {
        id.map_or_else(|| otherwise.to_owned(), |KartraId(id)| id)
    };
    let (product_id, price_point) = (text(product_id, PRODUCT), text(price_point, PRICE_POINT));
    let (site_id, bought) =
        (site.clone(), (product_id.clone(), price_point.clone(), email.clone()));
    let made = app.blocking(move |app| {
        app.look(&site_id, |conn, bench| {
            let (product_id, price_point, email) = bought;
            let transaction_id = format!("test-{}", ids::new());
            let at = bench.at.with_timezone(&bench.site.kartra_time_zone).naive_local();
            let purchase = simulate::TestPurchase {
                transaction_id,
                product_id,
                price_point,
                email: email.clone(),
                at,
            };
            let body = purchase.body();
            let (would_be, would_give) = outcome(conn, bench, &body, &email)?;
            Ok((body, would_be, would_give))
        })
    });
    let (stored, would_be, would_give) = made.await?;
    let (webhook_id, judgement) = app.intake().store_test(&app, &site, &stored).await?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let reading = judgement.reading();
    Ok(HttpResponse::Ok().json(TestPurchaseView {
        test: true,
        webhook_id,
        reading,
        would_be,
        would_give,
        email,
        product_id,
        price_point,
        took_ms,
    }))
}

/// What a webhook with this body would be listed as, and what the purchase alone would give, worked out in memory.
fn outcome(
    conn: &mut Conn,
    bench: &Bench,
    body: &[u8],
    email: &str,
) -> Result<(Status, Vec<WouldGive>), Problem> {
    let Ok(observation) = read(body).says else { return Ok((Status::Unreadable, Vec::new())) };
    let event = event_of(bench, body, observation);
    let picture = Picture::draw(event.as_slice(), bench.rules(), bench.at);
    let would_be = match picture.purchases.values().next() {
        Some(purchase) => bench.standing(purchase),
        None => Status::Unmatched,
    };
    let mut would_give = Vec::new();
    for held in picture.answer(email, &[], bench.at).levels {
        let named = rules::level(conn, &bench.site.id, &held.level)?;
        let name = named.map_or_else(|| held.level.clone(), |level| level.name);
        would_give.push(WouldGive { level: held.level, name, until: held.until });
    }
    Ok((would_be, would_give))
}

/// The event that a body would be an observation of.
fn event_of(bench: &Bench, body: &[u8], observation: Observation) -> Option<Event> {
    let webhook_id = "test".to_owned();
    let id = EventId::of(&observation, &webhook_id);
    let witness = Witness {
        webhook_id,
        received_at: bench.at,
        vouched: Vouched::Outbound,
        body_hash: secrets::body_hash(body),
        observation,
    };
    Event::merge(id, vec![witness], bench.site.kartra_time_zone)
}
