//! The tables as diesel sees them, the same for both databases.

mod carried;

pub use carried::{destination_runs, destinations, drift, pushes};

diesel::table! {
    sites (id) {
        id -> Text,
        name -> Text,
        kartra_time_zone -> Text,
        enabled -> Bool,
        policy -> Text,
        ipn_secret -> Nullable<Binary>,
        rules_version -> BigInt,
        feed_position -> BigInt,
        created_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
        feed_floor -> BigInt,
        plans_open -> BigInt,
        core_version -> BigInt,
        dues_reached -> Nullable<Text>,
        max_revocations -> Text,
        held_open_position -> BigInt,
        destinations -> BigInt,
    }
}

diesel::table! {
    hooks (token_hash) {
        token_hash -> Binary,
        site_id -> Text,
        token -> Binary,
        created_at -> Timestamp,
        ends_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    keys (id) {
        id -> Text,
        key_hash -> Binary,
        name -> Text,
        scopes -> Text,
        created_at -> Timestamp,
        site_id -> Nullable<Text>,
        expires_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    sessions (token_hash) {
        token_hash -> Binary,
        key_hash -> Binary,
        created_at -> Timestamp,
        used_at -> Timestamp,
    }
}

diesel::table! {
    sign_in_links (token_hash) {
        token_hash -> Binary,
        key_hash -> Binary,
        ends_at -> Timestamp,
    }
}

diesel::table! {
    webhooks (site_id, id) {
        site_id -> Text,
        id -> Text,
        received_at -> Timestamp,
        feed -> Text,
        status -> Text,
        kind -> Nullable<Text>,
        transaction_id -> Nullable<Text>,
        product_id -> Nullable<Text>,
        email -> Nullable<Text>,
        reason -> Nullable<Text>,
        changes -> Integer,
        body_hash -> Binary,
        secret_mac -> Nullable<Binary>,
        attempts -> Integer,
        next_attempt_at -> Nullable<Timestamp>,
        event_id -> Nullable<Text>,
        vouched -> Nullable<SmallInt>,
        said -> Nullable<Text>,
    }
}

diesel::table! {
    bodies (site_id, webhook_id) {
        site_id -> Text,
        webhook_id -> Text,
        body -> Binary,
    }
}

diesel::table! {
    events (site_id, id) {
        site_id -> Text,
        id -> Text,
        kind -> Text,
        lead_key -> Nullable<Text>,
        transaction_email -> Nullable<Text>,
        profile_email -> Nullable<Text>,
        product_id -> Nullable<Text>,
        date -> Timestamp,
        occurred_at -> Timestamp,
        hash -> Binary,
        loose -> Bool,
        purchase_id -> Nullable<Text>,
        said -> Text,
    }
}

diesel::table! {
    event_ties (site_id, tie, event_id) {
        site_id -> Text,
        tie -> Text,
        event_id -> Text,
    }
}

diesel::table! {
    lead_emails (site_id, email, lead_key) {
        site_id -> Text,
        email -> Text,
        lead_key -> Text,
    }
}

diesel::table! {
    purchases (site_id, id) {
        site_id -> Text,
        id -> Text,
        lead_key -> Text,
        product_id -> Text,
        price_point -> Nullable<Text>,
        status -> Text,
        started_at -> Timestamp,
        first_payment -> Text,
        terms -> Text,
        folded -> Text,
        standing -> Text,
        held_from -> Nullable<Timestamp>,
        held_until -> Nullable<Timestamp>,
        payment_due_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    purchase_terms (site_id, product_id, purchase_id, ordinal) {
        site_id -> Text,
        product_id -> Text,
        purchase_id -> Text,
        ordinal -> Integer,
        price_point -> Nullable<Text>,
    }
}

diesel::table! {
    leads (site_id, lead_key) {
        site_id -> Text,
        lead_key -> Text,
        email -> Nullable<Text>,
    }
}

diesel::table! {
    members (site_id, id) {
        site_id -> Text,
        id -> Text,
        email -> Text,
        version -> BigInt,
        next_change_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        held -> Text,
        held_version -> BigInt,
    }
}

diesel::table! {
    access (site_id, member_id, level) {
        site_id -> Text,
        member_id -> Text,
        level -> Text,
        since -> Timestamp,
        until -> Nullable<Timestamp>,
    }
}

diesel::table! {
    changes (site_id, position) {
        site_id -> Text,
        position -> BigInt,
        at -> Timestamp,
        member_id -> Text,
        email -> Text,
        level -> Text,
        what -> Text,
        until -> Nullable<Timestamp>,
        cause_kind -> Text,
        cause_id -> Text,
        reason -> Text,
        recorded_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    level_counts (site_id, level) {
        site_id -> Text,
        level -> Text,
        members -> BigInt,
    }
}

diesel::table! {
    product_counts (site_id, product_id) {
        site_id -> Text,
        product_id -> Text,
        purchases -> BigInt,
    }
}

diesel::table! {
    price_point_counts (site_id, product_id, price_point) {
        site_id -> Text,
        product_id -> Text,
        price_point -> Text,
        purchases -> BigInt,
    }
}

diesel::table! {
    level_losses (site_id, level, minute) {
        site_id -> Text,
        level -> Text,
        minute -> BigInt,
        revoked -> BigInt,
        parked -> BigInt,
    }
}

diesel::table! {
    daily_counts (site_id, day, counter) {
        site_id -> Text,
        day -> Date,
        counter -> SmallInt,
        webhooks -> BigInt,
        money_webhooks -> BigInt,
        granted -> BigInt,
        revoked -> BigInt,
    }
}

diesel::table! {
    levels (site_id, id) {
        site_id -> Text,
        id -> Text,
        name -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    mappings (site_id, id) {
        site_id -> Text,
        id -> Text,
        product_id -> Text,
        price_point -> Nullable<Text>,
        level -> Text,
        enabled -> Bool,
        purchased_from -> Nullable<Timestamp>,
        purchased_before -> Nullable<Timestamp>,
        policy -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    products (site_id, product_id) {
        site_id -> Text,
        product_id -> Text,
        name -> Nullable<Text>,
        named_at -> Nullable<Timestamp>,
        status -> Text,
        first_seen_at -> Timestamp,
        last_seen_at -> Timestamp,
    }
}

diesel::table! {
    overrides (site_id, id) {
        site_id -> Text,
        id -> Text,
        kind -> Text,
        level -> Nullable<Text>,
        email -> Text,
        begun_at -> Timestamp,
        until -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        note -> Nullable<Text>,
        held_open_number -> Nullable<BigInt>,
        held_open_at -> Nullable<Timestamp>,
        cause_kind -> Nullable<Text>,
        cause_id -> Nullable<Text>,
    }
}

diesel::table! {
    override_leads (site_id, lead_key, override_id) {
        site_id -> Text,
        lead_key -> Text,
        override_id -> Text,
    }
}

diesel::table! {
    recomputes (site_id, id) {
        site_id -> Text,
        id -> Text,
        product_id -> Nullable<Text>,
        reread_dates -> Bool,
        cause_kind -> Text,
        cause_id -> Text,
        members -> BigInt,
        done -> BigInt,
        reached -> Text,
        created_at -> Timestamp,
        finished_at -> Nullable<Timestamp>,
        plan_id -> Nullable<Text>,
        decides -> Nullable<Text>,
        decides_up_to -> Nullable<BigInt>,
    }
}

diesel::table! {
    plans (site_id, id) {
        site_id -> Text,
        id -> Text,
        kind -> Text,
        state -> Text,
        edits -> Text,
        scope -> Integer,
        reached -> Text,
        done -> BigInt,
        total -> BigInt,
        gains -> BigInt,
        losses -> BigInt,
        moves -> BigInt,
        windows -> Text,
        moved -> Nullable<Text>,
        created_at -> Timestamp,
        ready_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    plan_members (site_id, plan_id, email, level) {
        site_id -> Text,
        plan_id -> Text,
        email -> Text,
        level -> Text,
        what -> Text,
        before_until -> Nullable<Timestamp>,
        after_until -> Nullable<Timestamp>,
    }
}

diesel::table! {
    plan_touched (site_id, plan_id, email) {
        site_id -> Text,
        plan_id -> Text,
        email -> Text,
    }
}

diesel::table! {
    probes (id) {
        id -> Integer,
        at -> Timestamp,
    }
}

diesel::table! {
    alarms (site_id, id) {
        site_id -> Text,
        id -> Text,
        kind -> Text,
        first_seen_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        number -> BigInt,
        detail -> Text,
        message -> Text,
        next_post_at -> Nullable<Timestamp>,
        attempts -> Integer,
        claim -> Nullable<Text>,
        posted_at -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    alarm_settings (site_id) {
        site_id -> Text,
        url -> Nullable<Binary>,
        secret -> Nullable<Binary>,
        heartbeat_url -> Nullable<Binary>,
        gone_at -> Nullable<Timestamp>,
        thresholds -> Text,
        off -> Text,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        until -> Timestamp,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    sites,
    hooks,
    keys,
    sessions,
    sign_in_links,
    webhooks,
    bodies,
    events,
    event_ties,
    lead_emails,
    purchases,
    purchase_terms,
    leads,
    members,
    access,
    changes,
    level_counts,
    product_counts,
    price_point_counts,
    level_losses,
    daily_counts,
    levels,
    mappings,
    products,
    overrides,
    override_leads,
    recomputes,
    plans,
    plan_members,
    plan_touched,
    probes,
    alarms,
    alarm_settings,
    leases,
    destinations,
    pushes,
    destination_runs,
    drift,
);
