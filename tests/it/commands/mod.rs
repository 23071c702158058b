//! The real binary, command by command.

mod keys;
mod mappings;
mod quiet;
mod rebuild;
mod serve;
mod serve_anyway;
mod simulate;
mod wrong;

use crate::support::Ipn;
use crate::support::daemon::Daemon;
use serde_json::json;

/// Makes one test for each database out of a function that takes a `Home`.
macro_rules! on_each {
    ($(fn $name:ident($home:ident: &mut Home) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all that its file imports")]
            use super::*;

            fn acted($home: &mut Home) $body

            #[test]
            fn on_sqlite() {
                acted(&mut Home::new($crate::support::Database::sqlite()));
            }

            #[test]
            fn on_postgres() {
                if let Some(database) = $crate::support::Database::postgres() {
                    acted(&mut Home::new(database));
                }
            }
        }
    )*};
}
use on_each;

/// Ada pays by the month and is past due, Ben's trial was cancelled, Cy bought what nobody mapped, Dee
/// was given a level by hand, and somebody unknown took money back.
fn small_life(daemon: &Daemon) {
    daemon.make("/api/v1/sites/default/levels", &json!({"id": "gold"}));
    let policy =
        json!({"on_payment_failed": {"grace_days": 36_000}, "on_cancellation": "period_end"});
    let mapping = json!({"product_id": "501", "level": "gold", "policy": policy});
    daemon.make("/api/v1/sites/default/mappings", &mapping);
    let of_ada = |kind: &str, id: u32| Ipn::new(kind, id).of("ada@example.com").subscription(91);
    let of_ben = |kind: &str, id: u32| Ipn::new(kind, id).of("ben@example.com").subscription(92);
    let sent = [
        of_ada("sale", 1).on("2026-01-01 00:00:00").with("rebill_circle", 30),
        of_ada("rebill", 2).on("2026-01-31 00:00:00").with("rebill_circle", 30),
        of_ada("failed", 3).on("2026-03-02 00:00:00"),
        of_ben("sale", 4).on("2026-01-01 00:00:00").with("trial", 1).with("trial_period", 7),
        of_ben("cancellation", 5).on("2026-01-03 00:00:00"),
        Ipn::new("sale", 6).of("cy@example.com").product(777).on("2026-01-01 00:00:00"),
        Ipn::new("refund", 7).of("eve@example.com").on("2026-01-01 00:00:00"),
    ];
    for ipn in sent {
        daemon.receives(ipn.body());
    }
    daemon.drained();
    let grant = json!({"level": "gold", "until": "2100-01-01T00:00:00Z", "note": "by hand"});
    daemon.make("/api/v1/sites/default/members/dee@example.com/grants", &grant);
}
