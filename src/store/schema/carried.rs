//! The tables of what carries access to the membership sites.

diesel::table! {
    destinations (site_id, id) {
        site_id -> Text,
        id -> Text,
        kind -> Text,
        name -> Text,
        enabled -> Bool,
        config -> Text,
        secrets -> Nullable<Binary>,
        levels -> Text,
        types -> Text,
        calls_per_second -> Nullable<Integer>,
        concurrency -> Nullable<Integer>,
        state -> Text,
        detail -> Nullable<Text>,
        down_since -> Nullable<Timestamp>,
        failures -> Integer,
        paused_until -> Nullable<Timestamp>,
        secret_before_until -> Nullable<Timestamp>,
        next_drift_at -> Nullable<Timestamp>,
        version -> BigInt,
        created_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    pushes (site_id, destination_id, subject) {
        site_id -> Text,
        destination_id -> Text,
        subject -> Text,
        id -> Text,
        what -> Text,
        email -> Nullable<Text>,
        status -> Text,
        wanted -> BigInt,
        confirmed -> Nullable<BigInt>,
        attempts -> Integer,
        next_attempt_at -> Nullable<Timestamp>,
        claim -> Nullable<Text>,
        last_error -> Nullable<Text>,
        wanted_at -> Timestamp,
        done_at -> Nullable<Timestamp>,
        version -> BigInt,
        message -> Nullable<Text>,
        remote_id -> Nullable<Text>,
        owned -> Text,
        account -> Nullable<Text>,
        welcome -> Nullable<Text>,
        moves_from -> Nullable<Text>,
        adopts -> Bool,
        run_id -> Nullable<Text>,
    }
}

diesel::table! {
    destination_runs (site_id, id) {
        site_id -> Text,
        id -> Text,
        destination_id -> Text,
        kind -> Text,
        adopts -> Bool,
        stage -> Text,
        reached -> Text,
        done -> BigInt,
        total -> BigInt,
        tries -> Integer,
        missing -> BigInt,
        surplus -> BigInt,
        unseen -> BigInt,
        failed -> BigInt,
        claim -> Nullable<Text>,
        claimed_until -> Nullable<Timestamp>,
        detail -> Nullable<Text>,
        created_at -> Timestamp,
        finished_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    drift (site_id, run_id, subject, remote) {
        site_id -> Text,
        run_id -> Text,
        subject -> Text,
        remote -> Text,
        what -> Text,
        detail -> Nullable<Text>,
    }
}
