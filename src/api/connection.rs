//! Whether Kartra talks to a site, in words, and the one thing to do next.

use crate::core::Instant;
use crate::core::kartra::Feed;
use crate::flow::silence::is_silent;
use crate::store::conn::Conn;
use crate::store::sites::Site;
use crate::store::{Result as Stored, connection};
use schemars::JsonSchema;
use serde::Serialize;

const ENABLE: &str = "Webhooks are stored and not applied. Enable the site to catch up.";
const PASTE: &str = "Paste webhook_url into Kartra (Integrations > My API > Outbound API), then buy something \
                     there in test mode.";
const LOOK: &str = "Nothing has come for longer than usual. Look in Kartra whether the Outbound API and \
                    the IPN still name webhook_url, and whether this address can be reached from outside.";
const MAP: &str = "Purchases are held because no mapping names their product and price point. Map these \
                   products to levels, or ignore them.";
const CHECK_SECRET: &str = "IPNs were rejected because their secret is not ipn_secret. Set ipn_secret to the \
                            secret of the notification in Kartra, then replay the rejected webhooks or \
                            discard them.";
const ADD_IPN: &str = "There are subscriptions, but no IPN has ever come: rebills, failed payments and \
                       chargebacks do not reach this site. Add an IPN in Kartra (Integrations > My API) with \
                       webhook_url as its address, and set its secret as ipn_secret.";
const NOTHING: &str = "Nothing: everything that Kartra has sent is connected.";

/// Whether Kartra talks to a site.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Connection {
    /// The state in a word.
    state: State,
    /// When the last webhook was received; null where none was.
    last_webhook_at: Option<Instant>,
    /// Which of Kartra's feeds were ever seen.
    #[schemars(with = "Vec<Feed>")]
    feeds_seen: Vec<&'static str>,
    /// What to do next, in words: the most useful thing first.
    next_step: String,
}

/// Whether Kartra talks to a site, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ConnectionState")]
enum State {
    /// Nothing has come yet.
    WaitingForFirstWebhook,
    /// Webhooks come.
    Receiving,
    /// None has come for longer than usual.
    Silent,
    /// The site is disabled: webhooks are stored and not applied.
    Disabled,
}

/// Looks whether Kartra talks to a site.
pub fn connection(conn: &mut Conn, site: &Site, now: Instant) -> Stored<Connection> {
    let (mut feeds_seen, mut last_webhook_at) = (Vec::new(), None);
    for feed in [Feed::Outbound, Feed::Ipn, Feed::Unknown] {
        let last = connection::last_by(conn, &site.id, feed.as_str())?;
        last_webhook_at = last_webhook_at.max(last);
        // What is of no known feed was no word of Kartra's, but it was heard.
        if last.is_some() && feed != Feed::Unknown {
            feeds_seen.push(feed.as_str());
        }
    }
    let state = match last_webhook_at {
        _ if !site.enabled => State::Disabled,
        None => State::WaitingForFirstWebhook,
        Some(last) if is_silent(conn, &site.id, last, now)? => State::Silent,
        Some(_) => State::Receiving,
    };
    let next_step = next_step(conn, &site.id, state, &feeds_seen, now)?;
    Ok(Connection { state, last_webhook_at, feeds_seen, next_step })
}

/// What to do: first whatever keeps all webhooks out, or who paid and has nothing, or what is said and
/// not believed; then, in any case, what is never said.
fn next_step(
    conn: &mut Conn,
    site_id: &str,
    state: State,
    feeds_seen: &[&str],
    now: Instant,
) -> Stored<String> {
    let first = match state {
        State::Disabled => Some(ENABLE),
        State::WaitingForFirstWebhook => Some(PASTE),
        State::Silent => Some(LOOK),
        State::Receiving if connection::holds(conn, site_id, now)? => Some(MAP),
        State::Receiving if connection::has_rejected(conn, site_id)? => Some(CHECK_SECRET),
        State::Receiving => None,
    };
    // Whatever else there is to do: what nobody says is missed by nobody.
    let lacks_ipn =
        !feeds_seen.contains(&Feed::Ipn.as_str()) && connection::has_subscriptions(conn, site_id)?;
    let steps: Vec<&str> = first.into_iter().chain(lacks_ipn.then_some(ADD_IPN)).collect();
    Ok(if steps.is_empty() { NOTHING.to_owned() } else { steps.join(" ") })
}
