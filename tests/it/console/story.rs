//! A site on which much has happened, full of names that are markup and formulas.

use crate::support::{TestApp, instant};
use serde_json::{Value, json};

/// Text that would run, or calculate, wherever it is taken for more than text.
pub const HOSTILE: &str = "=1+1<script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{7*7}}";

/// What has happened.
pub struct Story {
    member: String,
    webhook: String,
    unreadable: String,
    plan: String,
    destination: String,
    mapping: String,
}

impl Story {
    /// Tells it to a program.
    pub fn tell(app: &TestApp) -> Self {
        let made = app.post(
            "/api/v1/sites/default/levels",
            &json!({ "id": "gold", "name": format!("Gold {HOSTILE}") }),
        );
        assert_eq!(made.status, 201, "{made:?}");
        app.level("silver");
        let mapping = app.map(&json!({ "product_id": "558001", "level": "gold",
            "policy": { "on_cancellation": "period_end" } }));
        buys(app, 1, "dana@example.com", 558_001, "Kitchen Club");
        buys(app, 2, "lee@example.com", 558_002, HOSTILE);
        buys(app, 3, "dana@example.com", 558_001, "Kitchen Club");
        cancels(app, 4, "dana@example.com", 558_001, 1);
        // A reversal of nothing known, and what cannot be read at all.
        cancels(app, 9, "nobody@example.com", 558_009, 99);
        app.receives(HOSTILE);
        app.drain();
        app.at(instant("2026-01-02T09:00:00Z"));
        let grant = json!({ "level": "silver", "until": "2026-06-01T00:00:00Z", "note": HOSTILE });
        let granted = app.post("/api/v1/sites/default/members/lee@example.com/grants", &grant);
        assert_eq!(granted.status, 201, "{granted:?}");
        let destination = app.post(
            "/api/v1/sites/default/destinations",
            &json!({ "kind": "webhook", "name": format!("My site {HOSTILE}"), "config": { "url": "https://example.com/hook" } }),
        );
        assert_eq!(destination.status, 201, "{destination:?}");
        let change = json!({ "op": "create_mapping", "mapping": { "product_id": "558002", "level": "gold" } });
        let plan = app.post("/api/v1/sites/default/plans", &json!({ "changes": [change] }));
        assert_eq!(plan.status, 202, "{plan:?}");
        app.drain();
        let webhooks = app.webhooks();
        let with = |status: &str| {
            let found = webhooks.iter().find(|webhook| webhook["status"] == status);
            text(&found.unwrap_or_else(|| panic!("no {status} in {webhooks:?}"))["id"])
        };
        let member = app.get("/api/v1/sites/default/members/dana@example.com");
        Self {
            member: text(&member.json["id"]),
            webhook: with("applied"),
            unreadable: with("unreadable"),
            plan: text(&plan.json["id"]),
            destination: text(&destination.json["id"]),
            mapping: text(&mapping["id"]),
        }
    }

    /// Every page that there is, as name and path.
    pub fn pages(&self) -> Vec<(String, String)> {
        let site = "/sites/default";
        let pages = [
            ("home", site.to_owned()),
            ("setup", format!("{site}/setup")),
            ("products", format!("{site}/products")),
            ("mapping", format!("{site}/mappings/{}", self.mapping)),
            ("plan", format!("{site}/plans/{}", self.plan)),
            ("members", format!("{site}/members")),
            ("members-none", format!("{site}/members?q=nobody-has-this")),
            ("member", format!("{site}/members/{}", self.member)),
            ("member-grant", format!("{site}/members/lee%40example.com")),
            ("activity", format!("{site}/activity")),
            ("webhook", format!("{site}/activity/{}", self.webhook)),
            ("webhook-unreadable", format!("{site}/activity/{}", self.unreadable)),
            ("destinations", format!("{site}/destinations")),
            ("destination-new-wordpress", format!("{site}/destinations/new?kind=wordpress")),
            ("destination-new-ghost", format!("{site}/destinations/new?kind=ghost")),
            ("destination-new-webhook", format!("{site}/destinations/new?kind=webhook")),
            ("destination", format!("{site}/destinations/{}", self.destination)),
            ("destination-edit", format!("{site}/destinations/{}/edit", self.destination)),
            ("destination-pushes", format!("{site}/destinations/{}/pushes", self.destination)),
            ("destination-drift", format!("{site}/destinations/{}/drift", self.destination)),
            ("held-open", format!("{site}/held-open")),
            ("settings", format!("{site}/settings")),
            ("settings-policy", format!("{site}/settings/policy")),
            ("sites", "/sites".to_owned()),
            ("keys", "/keys".to_owned()),
            ("not-found", format!("{site}/activity/nothing")),
        ];
        pages.into_iter().map(|(name, path)| (name.to_owned(), path)).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// A sale of a subscription, as Kartra tells it.
pub fn buys(app: &TestApp, id: u64, email: &str, product: u64, name: &str) {
    let details = json!({ "transaction_id": 4_410_000 + id, "transaction_type": "sale",
        "transaction_date": "2025-12-02 09:20:03", "transaction_full_amount": 29, "lead_id": email.len(),
        "product_id": product, "product_name": name, "product_price_point": 2,
        "transaction_internal_subscription_id": 910_000 + id, "rebill_circle": 31 });
    tells(app, "buy_product", email, &details);
}

/// A cancellation of that subscription.
fn cancels(app: &TestApp, id: u64, email: &str, product: u64, bought: u64) {
    let details = json!({ "transaction_id": 4_420_000 + id, "transaction_type": "cancellation",
        "transaction_date": "2025-12-20 10:00:00", "lead_id": email.len(), "product_id": product,
        "transaction_internal_subscription_id": 910_000 + bought });
    tells(app, "cancel_subscription", email, &details);
}

fn tells(app: &TestApp, action: &str, email: &str, details: &Value) {
    let body = json!({ "lead": { "id": email.len(), "email": email, "first_name": HOSTILE },
        "action": action, "action_details": { "transaction_details": details } });
    let stored = app.receives(body.to_string());
    assert_eq!(stored.status, 200, "{stored:?}");
}
