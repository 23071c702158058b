//! Scenarios by name: each file of `tests/cases` promises something in plain words and shows it.
//!
//! Every case is told on both databases to three sites at once: as it happened, with every message
//! sent twice, and — where arrival does not decide — backwards. `tests/cases/README.md` says how a
//! case is written.

mod format;
mod site;
mod tell;
mod wire;
mod words;

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
    a_billing_period_of_months_is_clamped_to_the_months_end
    a_block_on_a_level_takes_only_that_level
    a_block_reaches_what_another_lead_of_the_member_buys
    a_cancellation_at_an_unknown_period_end_ends_at_once
    a_cancellation_at_period_end_after_a_refund_gives_nothing_back
    a_cancellation_at_period_end_keeps_what_is_paid
    a_cancellation_ends_access_at_once_by_default
    a_cancellation_leaves_what_another_purchase_gives
    a_cancellation_past_its_period_end_ends_at_once
    a_cancellation_that_is_kept_takes_nothing
    a_cancelled_trial_can_be_kept_to_its_end
    a_change_of_address_moves_access_in_one_step
    a_change_of_address_takes_the_block_along
    a_changed_policy_is_todays_for_every_purchase
    a_chargeback_block_moves_with_the_lead
    a_chargeback_block_survives_every_rebill
    a_chargeback_ends_a_completed_plan
    a_chargeback_ends_its_own_purchase_by_default
    a_chargeback_that_is_kept_takes_nothing
    a_completed_plan_stays_completed_after_another_rebill
    a_completed_plan_survives_its_cancellation
    a_corrected_payment_moves_the_address_whatever_comes_beside_it
    a_corrected_time_zone_moves_every_date
    a_date_in_the_future_is_cut_to_the_receipt
    a_date_is_read_in_the_sites_time_zone
    a_day_is_24_hours
    a_deleted_mapping_holds_its_purchases_again
    a_disabled_mapping_gives_nothing_and_holds_nothing
    a_disabled_mapping_of_the_price_point_replaces_nothing
    a_discarded_webhook_is_no_observation_until_restored
    a_downgrade_that_names_no_price_point_keeps_the_term
    a_duration_begins_anew_with_an_upgrade
    a_duration_counts_from_the_trial_that_waited
    a_duration_ends_access_whatever_else_happens
    a_failed_payment_after_a_cancellation_changes_nothing
    a_failed_payment_of_a_completed_plan_changes_nothing
    a_failed_payment_takes_nothing_by_default
    a_field_is_taken_from_the_best_vouched_that_says_something
    a_gap_between_two_reasons_is_no_access
    a_grace_can_begin_in_a_trial
    a_grace_of_no_days_suspends_at_once
    a_held_purchase_that_ended_is_not_counted
    a_held_upgrade_waits_for_its_price_point
    a_late_cancellation_of_an_old_subscription_leaves_the_new_one
    a_lead_without_address_belongs_to_nobody_until_one_is_known
    a_lead_without_profile_has_the_address_of_its_latest_event
    a_lifted_block_gives_back_from_then_on
    a_lifted_chargeback_block_gives_back_what_is_still_paid
    a_manual_grant_gives_a_level_whatever_billing_says
    a_manual_grant_moves_with_the_leads
    a_manual_grant_that_is_ended_ends_from_then_on
    a_mapping_can_lift_the_sites_duration
    a_mapping_of_the_price_point_replaces_that_of_the_product
    a_mapping_reaches_an_earlier_purchase_with_its_own_date
    a_mappings_own_policy_goes_before_the_sites
    a_one_time_sale_is_not_a_completed_plan
    a_partial_refund_can_end_access
    a_partial_refund_is_judged_on_the_sums_of_the_whole_purchase
    a_partial_refund_of_nothing_paid_never_ends_access
    a_partial_refund_takes_nothing_by_default
    a_payment_without_lead_id_does_not_move_the_purchase
    a_payments_parent_is_never_read
    a_plan_is_complete_at_its_last_payments_number
    a_plan_is_known_by_its_payments_left
    a_purchase_belongs_to_the_lead_of_its_latest_payment
    a_purchase_outside_every_window_is_not_held
    a_purchase_stays_active_until_something_ends_it
    a_rebill_after_a_cancellation_gives_access_again
    a_rebill_after_a_chargeback_gives_access_again
    a_rebill_recovers_after_the_refund_of_another_rebill
    a_rebill_that_names_no_days_reaches_as_far_as_the_one_before
    a_rebill_without_a_known_sale_starts_a_purchase
    a_rebill_without_subscription_belongs_to_its_first_order
    a_refund_after_an_upgrade_ends_the_new_term
    a_refund_ends_a_completed_plan
    a_refund_of_an_earlier_payment_can_leave_access
    a_refund_of_an_order_from_before_touches_nothing
    a_refund_that_is_kept_takes_nothing
    a_refund_that_names_no_payment_ends_access
    a_refund_with_the_sales_own_id_is_an_event_of_its_own
    a_replay_judges_the_secret_anew
    a_replayed_ipn_is_believed_before_the_outbound_twin
    a_resend_with_another_persons_address_takes_nothing_over
    a_retry_within_the_grace_leaves_access_unbroken
    a_reversal_acts_on_the_term_it_falls_in
    a_reversal_before_its_sale_waits_for_it
    a_reversal_of_an_order_of_several_subscriptions_is_unmatched
    a_reversal_that_names_nothing_goes_by_the_term_of_its_instant
    a_reversal_that_names_nothing_joins_the_latest_purchase
    a_reversal_that_names_nothing_leaves_another_person_alone
    a_reversal_without_subscription_finds_its_order
    a_sale_without_a_trial_does_not_wait
    a_second_failure_after_a_recovery_has_a_grace_of_its_own
    a_subscription_until_cancelled_is_no_finite_plan
    a_tag_touches_no_purchase_and_discovers_no_product
    a_trial_flag_without_days_is_no_trial
    a_trial_gives_access_by_default
    a_trial_payment_completes_no_plan
    a_trial_that_waits_gives_nothing_until_its_first_rebill
    a_waiting_trial_is_not_held
    a_waiting_trial_whose_first_payment_fails_still_waits
    a_window_goes_by_the_purchase_and_not_the_term
    a_window_goes_by_the_purchases_start
    an_address_nobody_has_is_answered_with_no_levels
    an_event_with_only_a_profile_address_belongs_to_it
    an_event_without_lead_id_belongs_to_its_address
    an_ignored_product_holds_nothing_until_it_is_mapped
    an_ipn_and_its_outbound_twin_are_one_event
    an_ipn_with_a_wrong_secret_is_rejected_until_replayed
    an_undated_message_has_the_instant_of_its_receipt
    an_unknown_type_of_ipn_is_no_money
    an_unreadable_message_touches_nothing
    an_upgrade_changes_the_level_at_its_instant
    an_upgrade_to_the_same_level_leaves_it_unbroken
    any_money_event_discovers_its_product
    buying_again_after_a_refund_gives_access_again
    cancelling_while_past_due_gives_nothing_back
    discarding_one_of_two_twins_leaves_the_other
    events_of_one_date_go_by_their_transaction_number
    late_news_with_an_old_address_moves_nobody_back
    leads_that_part_take_each_their_own
    lifting_a_chargeback_block_ends_those_begun_before
    nought_in_an_id_is_none
    of_two_events_of_one_instant_the_higher_number_names_the_address
    of_two_purchases_of_one_instant_the_later_number_is_meant
    one_product_can_give_many_levels
    orders_of_different_products_are_different_purchases
    partial_refunds_end_access_when_their_sum_reaches_the_share
    retries_do_not_move_the_grace
    the_billing_period_goes_before_the_days_of_earlier_payments
    the_days_that_kartra_names_go_before_the_billing_period
    the_feed_keeps_what_was_recorded_then
    the_order_goes_by_the_date_that_kartra_wrote
    the_profile_address_goes_before_the_transactions
    the_transaction_type_decides_before_the_action
    the_transactions_lead_goes_before_the_profiles
    two_leads_with_one_address_are_one_member
    two_resends_that_contradict_give_one_answer_in_any_order
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
    assert!(format::Case::read(good).is_ok());
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
        assert!(format::Case::read(&text).is_err(), "{slip}");
    }
}
