//! Simulated Kartra: the life stories of invented members, as the webhooks that Kartra would send about them.
//!
//! Pure: the same plan gives the same bytes, on any day, on any machine, in any build. Each member draws from a stream
//! of chance of their own, so member 7 of seed 1 lives the same life among ten members as among a million, with the IPN
//! as without it.
//!
//! What access should result is worked out beside, from the very bodies, with nothing but the [`crate::core`].
//!
//! A site's outbound API tells of sales, cancellations, refunds and of all that is not money; only the IPN tells of
//! rebills, failed payments and chargebacks. Where a site has both, what both tell arrives twice, as twins.

mod cells;
mod expected;
mod lives;
mod offers;
mod person;
mod profile;
mod render;
mod story;
mod teller;
mod test_purchase;
#[cfg(test)]
mod tests;

use chrono::{NaiveDate, NaiveDateTime};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use expected::{Access, Expected, Level, Rules, accesses, addresses, expected};
pub use test_purchase::TestPurchase;

use person::{Person, pick};
use story::{Event, Story, What};

/// How many members a simulation may have: their ids must fit between those of this seed and the next.
pub const MEMBERS_MAX: u32 = 1_000_000;
/// The secret of the IPN when the plan has none.
pub const DEFAULT_SECRET: &str = "latchkey-simulation";

/// Ids of one seed are so far from those of the next …
const IDS_PER_SEED: u64 = 1_000_000_000;
/// … up to this seed, from where they begin anew …
const SEEDS: u64 = 1_000;
/// … and ids of one member so far from those of the next. No life has as many transactions.
const IDS_PER_MEMBER: u64 = 256;
/// A repeat comes so many messages of the same member after what it repeats.
const REPEAT_AFTER: [usize; 4] = [1, 2, 3, 4];
/// The stream of chance that shuffles; members use the others: two each from below …
const SHUFFLE_STREAM: u64 = u64::MAX;
/// … and one each downwards from here, by which their messages are lost.
const LOSS_STREAM: u64 = u64::MAX - 1;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How many members; no more than [`MEMBERS_MAX`] are told of.
    pub members: u32,
    /// Where chance starts.
    pub seed: u64,
    /// Whether the messages come in any order at all.
    pub shuffle: bool,
    /// The share of messages that are sent a second time.
    pub duplicate: f64,
    /// The share of members whose site has the IPN beside the outbound API.
    pub ipn: f64,
    /// The share of messages that are never sent; what is lost at a share is lost at every larger one.
    pub loss: f64,
    /// The IPN's `secret_key`; [`DEFAULT_SECRET`] when there is none.
    pub secret: Option<String>,
}

/// Kartra's two ways of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feed {
    /// The outbound API: JSON.
    Outbound,
    /// The instant payment notification: a form.
    Ipn,
}

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Over which feed.
    pub feed: Feed,
    /// The content type to send it with.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Which message is sent when: small, so that a large simulation need not hold all its bodies at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: NaiveDateTime,
    /// Which member it is about, from 0.
    pub member: u32,
    nth: u32,
    /// Whether it was sent before.
    pub repeat: bool,
}

/// The messages of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Those that are sent, in the order in which they are.
    pub places: Vec<Place>,
    /// How many are lost on purpose.
    pub lost: u64,
}

/// One telling of an event.
#[derive(Debug, Clone, Copy)]
struct Telling {
    event: usize,
    feed: Feed,
    repeat: bool,
    lost: bool,
}

/// All messages of a plan that are sent, in the order in which they are.
pub fn messages(plan: &Plan) -> Vec<Message> {
    let all = order(plan);
    all.places.iter().filter_map(|at| message(plan, *at)).collect()
}

/// The day before which all stories end, on the clock of the Kartra account.
pub fn stories_end() -> NaiveDate {
    story::WINDOW_END
}

/// The places of all messages, in the order in which they are sent: as it happened, over all members, or shuffled.
pub fn order(plan: &Plan) -> Order {
    let mut places = Vec::new();
    for member in 0..plan.members.min(MEMBERS_MAX) {
        let (story, tellings) = member_of(plan, member);
        // A repeat is sent right after the message before it, whatever its own date.
        let mut last = NaiveDateTime::MIN;
        for (nth, telling) in (0..).zip(&tellings) {
            let at = story.events.get(telling.event).map_or(last, |e| e.at);
            last = last.max(at);
            let place = Place { at: last, member, nth, repeat: telling.repeat };
            places.push((place, telling.lost));
        }
    }
    if plan.shuffle {
        places.shuffle(&mut chance_of(plan.seed, SHUFFLE_STREAM));
    } else {
        places.sort_unstable();
    }
    // Lost only now, so that a loss leaves all others in the order that they had.
    let all = places.len();
    let sent = places.into_iter().filter(|(_, lost)| !lost);
    let places: Vec<Place> = sent.map(|(place, _)| place).collect();
    let lost = u64::try_from(all - places.len()).unwrap_or(u64::MAX);
    Order { places, lost }
}

/// The message at a place of this plan; none for a place of another.
pub fn message(plan: &Plan, place: Place) -> Option<Message> {
    let (story, tellings) = member_of(plan, place.member);
    let telling = tellings.get(usize::try_from(place.nth).ok()?)?;
    let secret = plan.secret.as_deref().unwrap_or(DEFAULT_SECRET);
    let event = story.events.get(telling.event)?;
    Some(Message {
        feed: telling.feed,
        content_type: match telling.feed {
            Feed::Outbound => "application/json",
            Feed::Ipn => "application/x-www-form-urlencoded",
        },
        body: render::body(&story, event, telling.feed, secret)?,
    })
}

fn chance_of(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// The life of one member, and how it is told.
fn member_of(plan: &Plan, member: u32) -> (Story, Vec<Telling>) {
    let member = u64::from(member);
    let mut rng = chance_of(plan.seed, 2 * member);
    let seeds_ids = plan.seed % SEEDS * IDS_PER_SEED;
    let lead_id = seeds_ids + 2_000_000 + member;
    let mark = format!("{}-{}", plan.seed, member + 1);
    let person = Person::invent(&mut rng, lead_id, &mark);
    let story = lives::live(&mut rng, person, seeds_ids + 4_000_000 + member * IDS_PER_MEMBER);
    // Drawn from a second stream, so that what is told never changes what happened.
    let mut rng = chance_of(plan.seed, 2 * member + 1);
    // And what is lost from a third, so that a loss moves neither.
    let mut losses = chance_of(plan.seed, LOSS_STREAM - member);
    let tellings = tellings(plan, &story.events, &mut rng, &mut losses);
    (story, tellings)
}

fn tellings(
    plan: &Plan,
    events: &[Event],
    rng: &mut ChaCha8Rng,
    losses: &mut ChaCha8Rng,
) -> Vec<Telling> {
    let has_ipn = rng.random::<f64>() < plan.ipn;
    let mut slots = Vec::new();
    for (event, happened) in events.iter().enumerate() {
        let (outbound, ipn) = match &happened.what {
            What::Profile(_) => (true, false),
            What::Money(money) => (money.kind.action().is_some(), has_ipn),
        };
        // Nobody knows which feed is faster. Every draw is made whether it is needed or not, so that no share
        // that the plan names moves the others.
        let ipn_first = rng.random::<bool>();
        let mut feeds = [(Feed::Outbound, outbound), (Feed::Ipn, ipn)];
        feeds.rotate_left(usize::from(ipn_first));
        for (feed, told) in feeds {
            let again = rng.random::<f64>() < plan.duplicate;
            let after = pick(rng, &REPEAT_AFTER);
            let lost = losses.random::<f64>() < plan.loss;
            let again_lost = losses.random::<f64>() < plan.loss;
            if !told {
                continue;
            }
            let slot = slots.len();
            slots.push((slot, Telling { event, feed, repeat: false, lost }));
            if again {
                // What repeats nothing but a loss is heard for the first time.
                let repeat = Telling { event, feed, repeat: !lost, lost: again_lost };
                slots.push((slot + after, repeat));
            }
        }
    }
    // A repeat's slot is later than its original's, and the originals' slots only rise: all stay in order.
    slots.sort_by_key(|(slot, _)| *slot);
    slots.into_iter().map(|(_, telling)| telling).collect()
}
