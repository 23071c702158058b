//! Members, labels and tiers, and what becomes of them when they are written.

use super::State;
use super::filter::filter;
use super::http::{Answer, Request};
use serde::Serialize;
use serde_json::{Value, json};

/// What may be written of a member. Whatever else is sent has been echoed.
const WRITABLE: [&str; 7] =
    ["email", "name", "note", "labels", "tiers", "newsletters", "subscribed"];

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its address.
    pub email: String,
    /// The names of its labels, in order.
    pub labels: Vec<String>,
    /// The ids of its tiers.
    pub tiers: Vec<String>,
    /// `free`, `comped`, `paid` or `gift`.
    pub status: String,
    /// The states of its subscriptions at Stripe, each for its first tier.
    pub subscriptions: Vec<String>,
}

/// A tier.
#[derive(Debug, Clone, Serialize)]
pub struct Tier {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it is not archived.
    pub active: bool,
    /// `free` or `paid`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Tier {
    /// The one that everybody has.
    pub fn free() -> Self {
        Self { kind: "free".to_owned(), ..Self::paid("Free") }
    }

    /// One that is paid for.
    pub fn paid(name: &str) -> Self {
        let slug = name.to_lowercase();
        let (name, kind) = (name.to_owned(), "paid".to_owned());
        Self { id: format!("id-of-{slug}"), slug, name, active: true, kind }
    }
}

impl State {
    /// Somebody whom the operator has made by hand; answers the id.
    pub fn has(&mut self, member: Member) -> String {
        let id = self.id();
        for label in &member.labels {
            self.label(label);
        }
        let status = if member.status.is_empty() { "free".to_owned() } else { member.status };
        self.members.push(Member { id: id.clone(), status, ..member });
        id
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("65f0{:020x}", self.ids)
    }

    /// The name of a label as it is kept, which is made where it is not there yet.
    fn label(&mut self, name: &str) -> String {
        let same = |kept: &&String| kept.to_lowercase() == name.to_lowercase();
        if let Some(kept) = self.labels.iter().find(same) {
            return kept.clone();
        }
        self.labels.push(name.to_owned());
        name.to_owned()
    }

    /// What a member looks like.
    fn shown(&self, member: &Member, with_tiers: bool) -> Value {
        let labels: Vec<Value> = member
            .labels
            .iter()
            .map(|name| json!({ "id": "x", "name": name, "slug": "x" }))
            .collect();
        let of = |id: &String| self.tiers.iter().find(|tier| tier.id == *id).expect("a tier");
        let tiers: Vec<&Tier> = member.tiers.iter().map(of).collect();
        let at_stripe = member.subscriptions.iter().enumerate();
        let mut subscriptions: Vec<Value> = at_stripe
            .map(|(at, status)| json!({ "id": format!("sub_{at}"), "status": status }))
            .collect();
        // What is given is shown as if it were paid for, without an id.
        if member.status == "comped" {
            subscriptions.extend(
                tiers.iter().map(|tier| json!({ "id": "", "status": "active", "tier": tier })),
            );
        }
        let mut shown = json!({
            "id": member.id, "uuid": "83525d87-ac70-40f5-b13c-f9b9753dcbe8", "email": member.email, "name": null,
            "note": null, "labels": labels, "subscriptions": subscriptions, "status": member.status,
            "comped": member.status == "comped", "newsletters": [], "subscribed": false,
        });
        if with_tiers {
            shown["tiers"] = json!(tiers);
        }
        shown
    }

    /// Lists members, all of them or those with an address. Tiers are shown on request only.
    pub fn browse(&self, request: &Request) -> Answer {
        let wanted = match filter(request, "email") {
            Ok(wanted) => wanted,
            Err(refused) => return refused,
        };
        let same =
            |email: &str| wanted.as_ref().is_none_or(|wanted| email.eq_ignore_ascii_case(wanted));
        let with_tiers = request.query("include").split(',').any(|include| include == "tiers");
        let found = self.members.iter().filter(|member| same(&member.email));
        let found: Vec<Value> = found.map(|member| self.shown(member, with_tiers)).collect();
        Answer::json(200, &json!({ "members": found, "meta": { "pagination": {} } }))
    }

    /// Lists labels, all of them or one.
    pub fn browse_labels(&self, request: &Request) -> Answer {
        let wanted = match filter(request, "name") {
            Ok(wanted) => wanted,
            Err(refused) => return refused,
        };
        let same =
            |name: &String| wanted.as_ref().is_none_or(|wanted| name.eq_ignore_ascii_case(wanted));
        let found = self.labels.iter().filter(|name| same(name));
        let mut found: Vec<&String> = found.collect();
        found.sort();
        let number = |key: &str, otherwise: usize| request.query(key).parse().unwrap_or(otherwise);
        // As of Ghost 6, no more than 100 at once.
        let (limit, page) = (number("limit", 15).min(100), number("page", 1));
        let pages = found.len().div_ceil(limit).max(1);
        let shown = found.iter().skip((page - 1) * limit).take(limit);
        let shown: Vec<Value> = shown.map(|name| json!({ "name": name })).collect();
        let (next, total) = ((page < pages).then_some(page + 1), found.len());
        let pagination =
            json!({ "page": page, "limit": limit, "pages": pages, "total": total, "next": next });
        Answer::json(200, &json!({ "labels": shown, "meta": { "pagination": pagination } }))
    }

    /// Shows a member.
    pub fn read(&self, id: &str) -> Answer {
        match self.members.iter().find(|member| member.id == id) {
            Some(member) => Answer::json(200, &json!({ "members": [self.shown(member, true)] })),
            None => not_found("read", "Member not found."),
        }
    }

    /// Makes a member.
    pub fn add(&mut self, request: &Request) -> Answer {
        let Some(sent) = self.sent(request) else { return unreadable() };
        let email = sent["email"].as_str().unwrap_or_default().to_owned();
        if let Err(refused) = self.may_have("save", &email, None) {
            return refused;
        }
        let status = match ids(&sent["tiers"]).len() {
            0 => "free",
            _ => "comped",
        };
        let mut member = Member { email, status: status.to_owned(), ..Member::default() };
        if let Err(refused) = self.write(&mut member, &sent, "save") {
            return refused;
        }
        if request.query("send_email") == "true" && request.query("email_type") == "signup" {
            self.mails.push(member.email.clone());
        }
        member.id = self.id();
        self.members.push(member.clone());
        Answer::json(201, &json!({ "members": [self.shown(&member, true)] }))
    }

    /// Changes a member.
    pub fn edit(&mut self, id: &str, request: &Request) -> Answer {
        let Some(sent) = self.sent(request) else { return unreadable() };
        let Some(at) = self.members.iter().position(|member| member.id == id) else {
            return not_found("edit", &format!("Could not find Member {id}"));
        };
        let mut member = self.members[at].clone();
        if let Some(email) = sent["email"].as_str() {
            if let Err(refused) = self.may_have("edit", email, Some(id)) {
                return refused;
            }
            email.clone_into(&mut member.email);
        }
        if let Err(refused) = self.write(&mut member, &sent, "edit") {
            return refused;
        }
        self.members[at] = member.clone();
        Answer::json(200, &json!({ "members": [self.shown(&member, true)] }))
    }

    /// The member that a request writes. What must not be written is kept in mind.
    fn sent(&mut self, request: &Request) -> Option<Value> {
        let sent = request.one("members")?;
        self.bodies.push(sent.clone());
        for field in sent.as_object()?.keys().filter(|field| !WRITABLE.contains(&field.as_str())) {
            self.wrong.push(format!("{}: {field} is sent back", request.what()));
        }
        Some(sent)
    }

    /// Writes labels and tiers.
    fn write(&mut self, member: &mut Member, sent: &Value, to: &str) -> Result<(), Answer> {
        if sent.get("tiers").is_some() && self.stripe {
            let tiers = ids(&sent["tiers"]);
            self.may_get(member, &tiers, to)?;
            if tiers != member.tiers {
                let status = if tiers.is_empty() { "free" } else { "comped" };
                status.clone_into(&mut member.status);
            }
            member.tiers = tiers;
        }
        if let Some(labels) = sent["labels"].as_array() {
            let names = labels.iter().map(|label| label["name"].as_str().expect("a name").trim());
            let mut kept: Vec<String> = Vec::new();
            for name in names {
                let name = self.label(name);
                if !kept.contains(&name) {
                    kept.push(name);
                }
            }
            member.labels = kept;
        }
        Ok(())
    }
}

fn ids(tiers: &Value) -> Vec<String> {
    let tiers = tiers.as_array().into_iter().flatten();
    tiers.map(|tier| tier["id"].as_str().expect("an id").to_owned()).collect()
}

fn not_found(to: &str, context: &str) -> Answer {
    let message = format!("Resource not found error, cannot {to} member.");
    Answer::refusal(404, "NotFoundError", &message, context)
}

fn unreadable() -> Answer {
    Answer::refusal(400, "BadRequestError", "No root key ('members') provided.", "")
}
