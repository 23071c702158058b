//! One example of everything that is sent and answered; together they are one story.

use serde_json::{Value, json};

/// An id of ours.
pub const ID: &str = "019b76da-a800-7a3c-9d1e-2f6b8c4d5e6f";
/// A state of a thing.
pub const ETAG: &str = "\"Zm9ydHktdHdv.c2V2ZW50eS1z\"";
/// When things began.
const BEGAN: &str = "2026-01-05T09:00:00Z";
/// When things will end.
const ENDS: &str = "2036-01-05T09:00:00Z";

/// The example of a query parameter, but for one whose schema lists words.
pub fn of_parameter(name: &str) -> Option<Value> {
    Some(match name {
        "email" => json!("dana@example.com"),
        "level" => json!("gold"),
        "destination" => json!(ID),
        "confirm" => json!("default"),
        "days" => json!(14),
        "at" => json!(BEGAN),
        "ends_before" => json!(ENDS),
        "after" => json!(0),
        "q" => json!("dana"),
        _ => return None,
    })
}

/// The example of a schema that is no list of words.
pub fn of(schema: &str) -> Option<Value> {
    sent(schema)
        .or_else(|| of_rules(schema))
        .or_else(|| of_people(schema))
        .or_else(|| of_records(schema))
        .or_else(|| of_destinations(schema))
}

/// More examples of a schema, where one does not say enough.
pub fn more_of(schema: &str) -> Vec<Value> {
    match schema {
        "CreateDestination" => vec![create_wordpress(), create_ghost()],
        _ => Vec::new(),
    }
}

fn sent(schema: &str) -> Option<Value> {
    Some(match schema {
        "CreateSite" => {
            json!({ "id": "kitchen", "name": "The kitchen", "kartra_time_zone": "America/New_York" })
        }
        "EditSite" => json!({
            "name": "The kitchen", "policy": policy(), "max_revocations": { "percent": 10 }, "alarms": edit_alarms(),
        }),
        "EditSiteAlarms" => edit_alarms(),
        "EditMaxRevocations" => json!({ "percent": 10 }),
        "RotateWebhookUrl" => json!({ "overlap_hours": 24 }),
        "EditProduct" => json!({ "ignored": false }),
        "CreateLevel" => json!({ "id": "silver", "name": "Silver" }),
        "EditLevel" => json!({ "name": "Gold" }),
        "CreateMapping" => json!({ "product_id": 558_475, "level": "gold", "policy": policy() }),
        "EditMapping" => json!({ "enabled": true, "purchased_before": null }),
        "CreatePlan" => json!({ "changes": [planned_change()] }),
        "PlannedChange" => planned_change(),
        "CreateGrant" => json!({ "level": "gold", "until": ENDS, "note": "Won it in the raffle." }),
        "CreateBlock" => json!({ "level": null, "until": null, "note": "Shared the password." }),
        "AccessQuestion" => json!({ "email": "dana@example.com", "level": "gold" }),
        "DriftRun" => json!({ "destination": null }),
        "CreateTestPurchase" => json!({ "product_id": 558_475, "email": "dana@example.com" }),
        "Resync" => json!({ "adopt": false }),
        "CreateKey" => {
            json!({ "name": "The theme of the site", "scopes": ["read"], "site": "default", "expires_at": ENDS })
        }
        _ => return None,
    })
}

fn of_rules(schema: &str) -> Option<Value> {
    Some(match schema {
        "Policy" => policy(),
        "MaxRevocations" => site()["max_revocations"].take(),
        "BillingPeriod" => json!({ "months": 1 }),
        "Site" => site(),
        "SiteAlarms" => site()["alarms"].take(),
        "EditedSite" => with(site(), "recompute", recompute()),
        "Connection" => site()["connection"].take(),
        "RotatedWebhookUrl" => json!({
            "webhook_url": "https://doors.example/hooks/kartra/Zm9ydHktdHdv",
            "previous_ends_at": "2026-01-06T09:00:00Z",
        }),
        "Recompute" => recompute(),
        "RecomputeOnly" => json!({ "recompute": recompute() }),
        "Product" => product(),
        "EditedProduct" => with(product(), "recompute", recompute()),
        "PricePoint" => product()["price_points"][0].take(),
        "Level" => json!({ "id": "gold", "name": "Gold", "members": 12 }),
        "Mapping" => mapping(),
        "Plan" => plan(),
        "AppliedPlan" => with(with(plan(), "state", json!("applied")), "recompute", recompute()),
        "PlannedRules" => planned_rules(),
        "PlannedStep" => json!({
            "email": "dana@example.com", "level": "gold", "before": null, "after": { "until": null },
        }),
        "PlannedEnd" => json!({ "until": null }),
        "PlannedWindow" => plan()["windows"][0].take(),
        "MovedSincePlan" => moved(),
        "WrittenMapping" => with(mapping(), "recompute", recompute()),
        _ => return None,
    })
}

fn of_people(schema: &str) -> Option<Value> {
    Some(match schema {
        "Member" => json!({
            "id": ID, "email": "dana@example.com", "version": 3, "levels": ["gold"], "blocked": false,
            "blocked_levels": [], "held_purchases": 0, "next_change_at": null, "created_at": BEGAN,
        }),
        "Access" => json!({
            "id": ID, "email": "dana@example.com", "at": "2026-02-01T00:00:00Z", "version": 3, "blocked": false,
            "levels": [held()], "considered": [considered()], "next_change_at": null,
        }),
        "HeldLevel" => held(),
        "Explanation" => explanation(),
        "ExplainedGrant" => explanation()["considered"][0].take(),
        "HistoryOfLevel" => explanation()["history"][0].take(),
        "Stretch" => explanation()["history"][0]["stretches"][0].take(),
        "LetIn" => explanation()["history"][0]["let_in"][0].take(),
        "ManualGrant" => {
            json!({ "begun_at": BEGAN, "until": ENDS, "note": "Won it in the raffle." })
        }
        "ConsideredGrant" => considered(),
        "PurchaseOfGrant" => considered()["purchase"].take(),
        "EventOfGrant" => considered()["event"].take(),
        "MappingOfGrant" => considered()["mapping"].take(),
        "Override" => json!({
            "id": ID, "level": "gold", "begun_at": BEGAN, "until": ENDS, "note": "Won it in the raffle.",
        }),
        "Block" => json!({
            "id": ID, "level": null, "begun_at": BEGAN, "until": null, "by": "operator", "transaction_id": null,
            "note": "Shared the password.",
        }),
        "Allowed" => json!({ "allowed": true, "until": null }),
        _ => return None,
    })
}

fn of_records(schema: &str) -> Option<Value> {
    Some(match schema {
        "Webhook" => json!({
            "id": ID, "received_at": BEGAN, "feed": "outbound", "status": "applied", "kind": "sale",
            "transaction_id": "100200300", "product_id": "558475", "email": "dana@example.com", "reason": null,
            "changes": 1,
        }),
        "Reading" => reading(),
        "SaysOfReading" => reading()["says"].take(),
        "EventOfReading" => reading()["event"].take(),
        "MemberOfReading" => reading()["member"].take(),
        "TestPurchase" => test_purchase(),
        "WouldGive" => test_purchase()["would_give"][0].take(),
        "TimelineItem" => {
            json!({ "at": BEGAN, "kind": "event", "id": "sale:100200300", "event": occurred() })
        }
        "EventOfTimeline" => occurred(),
        "OverrideOfTimeline" => json!({
            "what": "grant", "step": "began", "level": "gold", "until": ENDS, "note": "Won it in the raffle.",
        }),
        "Change" => json!({
            "id": 17, "at": BEGAN, "email": "dana@example.com", "level": "gold", "what": "granted", "until": null,
            "cause": cause(), "reason": "active",
        }),
        "Cause" => cause(),
        "Stats" => stats(),
        "DayOfStats" => stats()["days"][0].take(),
        "WaitingOfStats" => stats()["waiting"].take(),
        "LevelOfStats" => stats()["levels"][0].take(),
        "LagOfStats" => stats()["lag"].take(),
        "BacklogOfStats" => stats()["lag"]["webhooks"].take(),
        "Alarm" => alarm(),
        "PostOfAlarm" => alarm()["post"].take(),
        "OverdueSubscription" => json!({
            "purchase": "subscription:910233", "email": "dana@example.com", "product_id": "558475",
            "price_point": "monthly", "status": "active", "last_payment_at": BEGAN, "due_since": "2026-02-05T09:00:00Z",
        }),
        "HeldOpen" => json!({
            "id": ID, "email": "dana@example.com", "level": "gold", "held_open_at": BEGAN, "cause": cause(),
        }),
        "Run" => run(),
        "Runs" => json!({ "items": [run()] }),
        "Drift" => drift(),
        "DriftReport" => json!({ "runs": [run()], "items": [drift()], "next_cursor": null }),
        "Key" => key(),
        "MadeKey" => with(key(), "key", json!("lk_4f1c0e7b9a5d2836")),
        "Document" => json!({ "openapi": "3.1.0", "paths": {} }),
        "Problem" => json!({
            "type": "/problems/invalid", "title": "The body says what cannot be", "status": 422,
            "detail": "There is no such level. Make it first.", "errors": [fault()],
        }),
        "Fault" => fault(),
        _ => return None,
    })
}

fn of_destinations(schema: &str) -> Option<Value> {
    Some(match schema {
        "CreateDestination" => create_webhook(),
        "EditDestination" => {
            json!({ "name": "The course site", "config": { "types": ["access.changed"] } })
        }
        "EditDestinationLimits" => json!({ "calls_per_second": 10 }),
        "RotateDestinationSecret" => json!({ "overlap_hours": 24 }),
        "RetryPush" => json!({ "welcome": false }),
        "NamedLevel" => json!({ "level": "gold", "remote": "member_gold" }),
        "WebhookConfig" => create_webhook()["config"].take(),
        "WordpressConfig" => create_wordpress()["config"].take(),
        "GhostConfig" => create_ghost()["config"].take(),
        "TierOf" => create_ghost()["config"]["tiers"][0].take(),
        "Destination" => destination(),
        "DestinationLevel" => destination()["levels"][0].take(),
        "DestinationLimits" => destination()["limits"].take(),
        "WrittenDestination" => with(destination(), "secret", json!(DESTINATION_SECRET)),
        "RotatedDestinationSecret" => {
            json!({ "secret": DESTINATION_SECRET, "previous_ends_at": "2026-01-06T09:00:00Z" })
        }
        "TestedDestination" => json!({ "ok": true, "findings": [finding()] }),
        "Finding" => finding(),
        "AskRemotes" => {
            json!({ "kind": "wordpress", "config": create_wordpress()["config"] })
        }
        "Remotes" => json!({
            "ok": true, "remotes": [remote()], "complete": false, "makes_missing": false,
            "detail": "WordPress lists its roles to nobody: any other can be written down by its name.",
        }),
        "Remote" => remote(),
        "Push" => json!({
            "id": ID, "destination": ID, "email": "dana@example.com", "status": "done", "attempts": 1,
            "next_attempt_at": null, "last_error": null, "version": 1_767_603_600_000_000_i64, "what": "access.changed",
            "wanted_at": BEGAN, "done_at": BEGAN, "owned": ["member_gold"], "account": "ours", "welcome": "sent",
        }),
        _ => return None,
    })
}

/// A secret of nobody.
const DESTINATION_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn create_webhook() -> Value {
    json!({
        "kind": "webhook", "name": "The course site",
        "config": { "url": "https://courses.example.com/latchkey", "types": ["access.changed"] },
    })
}

fn create_wordpress() -> Value {
    json!({
        "kind": "wordpress", "name": "The club",
        "config": {
            "url": "https://club.example.com", "username": "latchkey",
            "application_password": "abcd EFGH 1234 ijkl MNOP 5678",
        },
        "levels": [{ "level": "gold", "remote": "member_gold" }],
    })
}

fn create_ghost() -> Value {
    json!({
        "kind": "ghost", "name": "The magazine",
        "config": {
            "url": "https://magazine.example.com",
            "admin_api_key": "6748592f4b9b7700010f6564:2c1e7f4b9d8a6053e1f7c2b4a6d8091f2e3c4b5a69788796a5b4c3d2e1f00112",
            "tiers": [{ "remote": "Gold", "tier": "gold" }],
        },
        "levels": [{ "level": "gold", "remote": "Gold" }],
    })
}

fn destination() -> Value {
    json!({
        "id": ID, "kind": "webhook", "name": "The course site", "enabled": true,
        "config": { "url": "https://courses.example.com/latchkey", "types": ["access.changed"] },
        "secrets_set": ["secret"], "levels": [{ "level": "gold", "remote": null }],
        "limits": { "calls_per_second": null, "concurrency": null }, "state": "ok", "detail": null,
        "paused_until": null, "secret_before_until": null, "version": 1, "created_at": BEGAN,
    })
}

fn remote() -> Value {
    json!({ "what": "role", "remote": "subscriber", "name": "Subscriber", "usable": true, "detail": null })
}

fn finding() -> Value {
    json!({ "what": "message", "ok": true, "detail": "A signed test message was taken." })
}

fn with(mut thing: Value, key: &str, value: Value) -> Value {
    thing[key] = value;
    thing
}

fn policy() -> Value {
    json!({ "on_payment_failed": { "grace_days": 7 }, "on_cancellation": "period_end" })
}

fn site() -> Value {
    json!({
        "id": "default", "name": "The kitchen", "kartra_time_zone": "America/New_York", "enabled": true,
        "webhook_url": "https://doors.example/hooks/kartra/c2V2ZW50eS1z", "previous_webhook_urls_end_at": null, "ipn_secret_set": false, "policy": policy(),
        "max_revocations": { "count": 20, "percent": 20, "window_minutes": 60 },
        "connection": {
            "state": "receiving", "last_webhook_at": BEGAN, "feeds_seen": ["outbound", "ipn"],
            "next_step": "Map the products that were discovered to levels.",
        },
        "alarms": {
            "url": "https://hooks.example.com/latchkey", "secret_set": true, "gone_at": null,
            "heartbeat_url": "https://beats.example.com/latchkey", "held_hours": 24, "unmatched_hours": 1,
            "timers_late_minutes": 15, "overdue_days": 3, "off": [],
        },
        "created_at": "2026-01-01T00:00:00Z",
    })
}

fn edit_alarms() -> Value {
    json!({ "url": "https://hooks.example.com/latchkey", "overdue_days": 5 })
}

fn alarm() -> Value {
    json!({
        "id": ID, "kind": "held_purchases", "first_seen_at": BEGAN, "ended_at": null, "count": 2,
        "detail": "2 purchases are held, the first since 4 January 2026, 08:59 UTC.",
        "next_step": "Map these products to levels, or ignore them.",
        "post": {
            "status": "done", "attempts": 1, "next_attempt_at": null, "posted_at": BEGAN, "last_error": null,
        },
    })
}

fn test_purchase() -> Value {
    json!({
        "test": true, "webhook_id": ID, "reading": "sale", "would_be": "applied",
        "would_give": [{ "level": "gold", "name": "Gold", "until": null }], "email": "dana@example.com",
        "product_id": "558475", "price_point": "1", "took_ms": 4,
    })
}

fn stats() -> Value {
    json!({
        "at": BEGAN, "sites": 1,
        "days": [{ "day": "2026-01-05", "webhooks": 120, "money_webhooks": 80, "granted": 12, "revoked": 1 }],
        "waiting": {
            "held_purchases": 2, "held_since": "2026-01-04T08:59:00Z", "unmatched_webhooks": 0,
            "unreadable_webhooks": 0, "rejected_webhooks": 0, "held_open": 0, "failed_pushes": 0, "open_alarms": 1,
        },
        "levels": [{ "site": "default", "level": "gold", "name": "Gold", "members": 12 }],
        "lag": {
            "webhooks": { "count": 3, "oldest_at": "2026-01-05T08:59:58Z", "oldest_seconds": 2 },
            "pushes": { "count": 0, "oldest_at": null, "oldest_seconds": 0 },
            "retrying": { "count": 0, "oldest_at": null, "oldest_seconds": 0 },
        },
    })
}

fn run() -> Value {
    json!({
        "id": ID, "destination": ID, "kind": "repair", "adopt": false, "state": "finished", "done": 12, "total": 12,
        "missing": 1, "surplus": 0, "unseen": 0, "failed": 0, "detail": null, "created_at": BEGAN,
        "finished_at": "2026-01-05T09:00:07Z",
    })
}

fn drift() -> Value {
    json!({ "destination": ID, "email": "dana@example.com", "remote": "gold", "what": "missing", "detail": null })
}

fn recompute() -> Value {
    json!({ "id": ID, "members": 12, "done": 12 })
}

fn product() -> Value {
    json!({
        "product_id": "558475", "name": "Meal plans", "status": "mapped", "held": 0, "oldest_held_at": null,
        "purchases": 12, "price_points": [{ "price_point": "monthly", "purchases": 12 }],
        "mappings": [mapping()], "first_seen_at": BEGAN,
        "last_seen_at": "2026-02-01T00:00:00Z",
    })
}

fn mapping() -> Value {
    json!({
        "id": ID, "product_id": "558475", "price_point": null, "level": "gold", "enabled": true,
        "purchased_from": null, "purchased_before": null, "policy": policy(), "version": 1,
    })
}

fn planned_change() -> Value {
    json!({ "op": "create_mapping", "mapping": { "product_id": 558_476, "level": "gold", "policy": policy() } })
}

fn plan() -> Value {
    json!({
        "id": ID, "kind": "edit", "state": "ready", "rules": planned_rules(), "changes": [planned_change()], "done": 12, "total": 12, "gains": 11, "losses": 0, "moves": 1,
        "windows": [{
            "mapping": ID, "product_id": "558475", "price_point": null, "level": "gold", "purchased_from": BEGAN,
            "purchased_before": null, "purchases": 12,
        }],
        "moved": [moved()], "created_at": BEGAN, "ready_at": BEGAN, "ended_at": null,
    })
}

fn planned_rules() -> Value {
    json!({ "policy": null, "levels": [], "new": [mapping()], "edited": [], "gone": [], "ignored": [] })
}

fn moved() -> Value {
    json!({ "what": "member", "id": "dana@example.com", "level": "gold" })
}

fn held() -> Value {
    json!({ "level": "gold", "since": BEGAN, "until": null, "grants": [considered()] })
}

fn considered() -> Value {
    json!({
        "level": "gold", "held": true, "reason": "active",
        "purchase": {
            "id": ID, "product_id": "558475", "price_point": "monthly", "status": "active", "started_at": BEGAN,
        },
        "event": { "id": ID, "kind": "sale", "transaction_id": "100200300", "occurred_at": BEGAN },
        "mapping": { "id": ID, "version": 1 }, "grant": null, "held_open": null, "changes_at": null,
    })
}

fn explanation() -> Value {
    json!({
        "id": ID, "email": "dana@example.com", "at": "2026-02-01T00:00:00Z",
        "sentences": [
            "On 1 February 2026 at 00:00 UTC, dana@example.com has Gold.",
            "Gold counts from 5 January 2026, with no known end, because subscription 910233 was paid on 5 January 2026; \
             nothing else gives Gold.",
        ],
        "considered": [{ "because": "subscription 910233 was paid on 5 January 2026", "grant": considered() }],
        "history": [{
            "level": "gold",
            "stretches": [{ "since": BEGAN, "until": null }],
            "let_in": [{
                "from": "2026-01-06T09:00:00Z", "until": null, "cause": { "kind": "mapping", "id": ID },
            }],
        }],
        "recorded_from": null,
    })
}

fn reading() -> Value {
    json!({
        "webhook": ID,
        "says": {
            "kind": "sale", "name": null, "transaction_id": "100200300", "lead_id": "424242",
            "transaction_email": "dana@example.com", "profile_email": "dana@example.com", "product_id": "558475",
            "product_name": "The kitchen", "price_point": "monthly", "subscription_id": "910233", "original_id": null,
            "parent_id": null, "amount": "29.00", "date": "2026-01-05T04:00:00", "trial": null, "trial_period": null,
            "rebill_circle": 30, "installments": null, "payments_left": 9999, "pay_number": 1,
        },
        "event": {
            "id": "sale:100200300", "kind": "sale", "occurred_at": BEGAN, "purchase": "subscription:910233",
            "told_by": [ID],
        },
        "member": { "id": ID, "email": "dana@example.com" },
        "changes": [{
            "id": 17, "at": BEGAN, "email": "dana@example.com", "level": "gold", "what": "granted", "until": null,
            "cause": cause(), "reason": "active",
        }],
    })
}

fn occurred() -> Value {
    json!({
        "kind": "sale", "transaction_id": "100200300", "product_id": "558475", "price_point": "monthly",
        "purchase": "subscription:910233", "email": "dana@example.com",
    })
}

fn cause() -> Value {
    json!({ "kind": "event", "id": ID })
}

fn key() -> Value {
    json!({
        "id": ID, "name": "The theme of the site", "scopes": ["read"], "site": "default", "created_at": BEGAN,
        "expires_at": ENDS, "last_used_at": null,
    })
}

fn fault() -> Value {
    json!({ "pointer": "/level", "detail": "There is no such level. Make it first." })
}
