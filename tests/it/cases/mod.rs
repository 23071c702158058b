//! Scenarios by name: each file of `tests/cases` promises something in plain words and shows it.
//!
//! Every case is told on both databases to three sites at once: as it happened, with every message
//! sent twice, and — where arrival does not decide — backwards. `tests/cases/README.md` says how a
//! case is written.

#![allow(clippy::missing_docs_in_private_items, reason = "the names of the cases say it")]

mod format;
mod site;
mod tell;
mod wire;

/// Makes a module with a test for each database out of each name.
macro_rules! cases {
    ($($name:ident)*) => {
        /// Every case that is told.
        const TOLD: &[&str] = &[$(stringify!($name)),*];

        $(mod $name {
            use crate::support::Database;

            #[test]
            fn on_sqlite() {
                super::tell::case(stringify!($name), Database::sqlite());
            }

            #[test]
            fn on_postgres() {
                if let Some(database) = Database::postgres() {
                    super::tell::case(stringify!($name), database);
                }
            }
        })*
    };
}

cases! {
    a_cancellation_leaves_what_another_purchase_gives
    a_change_of_address_moves_access_in_one_step
    a_change_of_address_takes_the_block_along
    a_completed_plan_survives_its_cancellation
    a_late_cancellation_of_an_old_subscription_leaves_the_new_one
    a_lifted_chargeback_block_gives_back_what_is_still_paid
    a_mapping_of_the_price_point_replaces_that_of_the_product
    a_mapping_reaches_an_earlier_purchase_with_its_own_date
    a_rebill_recovers_after_the_refund_of_another_rebill
    a_rebill_without_a_known_sale_starts_a_purchase
    a_refund_of_an_order_from_before_touches_nothing
    a_resend_with_another_persons_address_takes_nothing_over
    an_ipn_and_its_outbound_twin_are_one_event
    an_upgrade_changes_the_level_at_its_instant
    buying_again_after_a_refund_gives_access_again
    cancelling_while_past_due_gives_nothing_back
    retries_do_not_move_the_grace
}

#[test]
fn every_case_file_is_told() {
    let files = std::fs::read_dir("tests/cases").expect("the cases");
    let mut named: Vec<String> = files
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
        .collect();
    named.sort_unstable();
    assert_eq!(named, TOLD, "tests/cases and the list in tests/it/cases/mod.rs, both sorted");
}

#[test]
fn a_slip_of_the_pen_in_a_case_is_refused() {
    let good = "promise = 'It holds.'\n[[operator]]\nat = 2026-01-01\ngrants = { who = 'a@example.com' }\n";
    assert!(toml::from_str::<format::Case>(good).is_ok());
    for slip in [
        "expects = []",
        "[[kartra]]\nsays = 'sale'\nsubscripton = 1",
        "[[expect]]\nat = 2026-01-01\nwho = 'a@example.com'\nhold = []",
        "[[operator]]\nat = 2026-01-01\ngrant = { who = 'a@example.com' }",
        "[[operator]]\nat = 2026-01-01\nignores = 11\nwhy = 'tired'",
        "[[operator]]\nat = 2026-01-01\nblocks = { who = 'a@example.com', levl = 'gold' }",
        "[[expect_changes]]\nat = '2026-01-01'\nall = []",
    ] {
        let text = if slip.starts_with('[') {
            format!("promise = 'It holds.'\n{slip}")
        } else {
            format!("{slip}\n{good}")
        };
        assert!(toml::from_str::<format::Case>(&text).is_err(), "{slip}");
    }
}
