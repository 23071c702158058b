//! What every operation answers, noun by noun, in the order of the route table.

mod carried;

use super::operation::{Noun, Operation, operation};
use super::part::Parts;
use crate::api::views::{AccessView, BlockView, RecomputeView};
use crate::api::{
    access, alarms, changes, explain, held_open, hooks, keys, levels, mappings, members, openapi,
    overrides, plans, products, readings, recomputes, sites, stats, subscriptions, test_purchase,
    timeline, webhooks,
};
use actix_web::Handler;

/// How the feed is read.
const STREAM: &str = "The cursor is the position of the last change that was read: it can be kept. \
    410 says that the feed cannot be read on from there, and where to go on.\n\n\
    With `Accept: text/event-stream` the answer goes on as Server-Sent Events: each is a `change` whose data is such \
    a change and whose id is its position, with a comment now and then while there is none. Whoever comes back with \
    `Last-Event-ID` misses nothing and gets nothing twice.";

/// Every noun of the API.
pub fn nouns() -> Vec<Noun> {
    vec![
        noun(
            "sites",
            "One membership site fed by one Kartra account; owns everything else.",
            sites(),
        ),
        noun(
            "products",
            "Kartra's products, discovered when a money event first names them.",
            products(),
        ),
        noun("levels", "Access levels that the operator defines.", levels()),
        noun(
            "mappings",
            "Product (and perhaps price point) → level, with a policy. A change reaches purchases of before, too.",
            mappings(),
        ),
        noun(
            "plans",
            "What other rules would do to each member, seen before it happens, and applied once.",
            plans(),
        ),
        noun(
            "members",
            "Persons as the membership site knows them: one e-mail address.",
            members(),
        ),
        noun(
            "overrides",
            "An operator's manual grants and blocks, which hold whatever billing says.",
            overrides(),
        ),
        noun(
            "held-open",
            "Levels of members that exceed `max_revocations` and were not revoked: an operator decides.",
            held_opens(),
        ),
        noun("access", "The question that a membership site asks at its door.", access()),
        noun("webhooks", "What was received from Kartra, and what became of it.", webhooks()),
        noun("changes", "The feed: every recorded step of access, oldest first.", changes()),
        noun(
            "stats",
            "How it goes: what came and what it did, what waits, and who holds what.",
            all_stats(),
        ),
        noun("alarms", "What an operator is told of without asking.", alarms()),
        noun(
            "destinations",
            "Membership sites that access is carried to: WordPress, Ghost, or whoever takes signed webhooks.",
            carried::destinations(),
        ),
        noun(
            "pushes",
            "How far each member has been carried to each destination: nothing is called done that was not confirmed.",
            carried::pushes(),
        ),
        noun(
            "runs",
            "Going over every member of a destination: pushing everybody, and comparing what is there with what is wanted.",
            carried::runs(),
        ),
        noun("keys", "Who may use this API.", keys()),
        noun("document", "This document.", document()),
    ]
}

fn noun(name: &'static str, what: &'static str, operations: Vec<Operation>) -> Noun {
    Noun { name, what, operations }
}

/// Makes the shorthand for one method.
macro_rules! methods {
    ($($name:ident)*) => {$(
        fn $name<F: Handler<A>, A: Parts>(
            path: &'static str,
            handler: F,
            id: &'static str,
            summary: &'static str,
        ) -> Operation {
            operation(stringify!($name), path, handler, id, summary)
        }
    )*};
}
methods!(get post patch delete);

fn sites() -> Vec<Operation> {
    vec![
        get("/sites", sites::list, "listSites", "List the sites that the key opens")
            .page::<sites::SiteView>("The sites, newest first."),
        post("/sites", sites::create, "createSite", "Make a site")
            .says("A key that is bound to a site may not.")
            .made::<sites::SiteView>()
            .conflict("There is a site with this id already, or one is still being deleted."),
        get("/sites/{site}", sites::get, "getSite", "Look at a site")
            .thing::<sites::SiteView>("The site."),
        patch("/sites/{site}", sites::edit, "editSite", "Change a site")
            .says("Another policy or time zone reaches every purchase, also those of before.")
            .edited::<sites::Edited>()
            .or_later::<sites::Edited>(),
        delete("/sites/{site}", sites::remove, "deleteSite", "Delete a site")
            .says("With everything that belongs to it.")
            .ended("It is gone; what belonged to it is removed bit by bit.")
            .if_match(),
        post("/sites/{site}/webhook-url/rotate", hooks::rotate, "rotateWebhookUrl", "Make another webhook URL")
            .says("The old URL is still taken for a while, so that nothing Kartra sends meanwhile is lost.")
            .answers::<hooks::Rotated>("The new URL.")
            .conflict("Too many earlier URLs are still taken."),
        get("/sites/{site}/recomputes/{id}", recomputes::get, "getRecompute", "Follow a recompute")
            .says("It is finished when `done` equals `members`.")
            .thing::<RecomputeView>("How far it got."),
    ]
}

fn products() -> Vec<Operation> {
    vec![
        get("/sites/{site}/products", products::list, "listProducts", "List the products")
            .page::<products::ProductView>("The products, the last discovered first."),
        get("/sites/{site}/products/{product}", products::get, "getProduct", "Look at a product")
            .thing::<products::ProductView>("The product."),
        patch(
            "/sites/{site}/products/{product}",
            products::edit,
            "editProduct",
            "Ignore a product, or end that",
        )
        .edited::<products::Edited>()
        .or_later::<products::Edited>()
        .conflict("A product with an enabled mapping cannot be ignored."),
    ]
}

fn levels() -> Vec<Operation> {
    vec![
        get("/sites/{site}/levels", levels::list, "listLevels", "List the levels")
            .page::<levels::LevelView>("The levels, newest first."),
        post("/sites/{site}/levels", levels::create, "createLevel", "Make a level")
            .made::<levels::LevelView>()
            .conflict("There is a level with this id already."),
        get("/sites/{site}/levels/{level}", levels::get, "getLevel", "Look at a level")
            .thing::<levels::LevelView>("The level."),
        patch("/sites/{site}/levels/{level}", levels::edit, "editLevel", "Rename a level")
            .edited::<levels::LevelView>(),
        delete("/sites/{site}/levels/{level}", levels::remove, "deleteLevel", "Delete a level")
            .ended("It is gone.")
            .if_match()
            .conflict("Mappings, grants, blocks or destinations use it."),
    ]
}

fn mappings() -> Vec<Operation> {
    let same = "Another mapping has the same product, price point, level and window.";
    vec![
        get("/sites/{site}/mappings", mappings::list, "listMappings", "List the mappings")
            .page::<mappings::MappingView>("The mappings, newest first."),
        post("/sites/{site}/mappings", mappings::create, "createMapping", "Map a product to a level")
            .says("It reaches purchases of before, with their own dates, and ends the ignoring of its product.")
            .made::<mappings::Written>()
            .or_later::<mappings::Written>()
            .conflict(same),
        get("/sites/{site}/mappings/{id}", mappings::get, "getMapping", "Look at a mapping")
            .thing::<mappings::MappingView>("The mapping."),
        patch("/sites/{site}/mappings/{id}", mappings::edit, "editMapping", "Change a mapping")
            .edited::<mappings::Written>()
            .or_later::<mappings::Written>()
            .conflict(same),
        delete("/sites/{site}/mappings/{id}", mappings::remove, "deleteMapping", "Delete a mapping")
            .says("What only it gave is revoked.")
            .ended("It is gone, and so is what only it gave.")
            .or_later::<mappings::RecomputeOnly>()
            .if_match(),
    ]
}

fn plans() -> Vec<Operation> {
    vec![
        get("/sites/{site}/plans", plans::list, "listPlans", "List the plans")
            .page::<plans::PlanView>("The plans, newest first."),
        post("/sites/{site}/plans", plans::create, "createPlan", "Ask what other rules would do")
            .says("Nothing is changed. The changes are taken one after the other; the plan is computed beside the webhooks, \
                and true as of the instant at which it is ready.")
            .accepted::<plans::PlanView>("The plan, to be followed until it is ready."),
        get("/sites/{site}/plans/{id}", plans::get, "getPlan", "Look at a plan")
            .thing::<plans::PlanView>("The plan."),
        get("/sites/{site}/plans/{id}/members", plans::members, "listPlanMembers", "Who gains, who loses")
            .says("A page may be short, or empty, before the last where few steps are of the kind or address asked for.")
            .page::<plans::PlannedView>("What would happen, by address and level."),
        post("/sites/{site}/plans/{id}/apply", plans::apply, "applyPlan", "Bring a plan about")
            .says("It is applied once. Whoever gains by it meanwhile, gains; nobody loses whom it does not name.")
            .answers::<plans::AppliedView>("It is applied.")
            .or_later::<plans::AppliedView>()
            .conflict("It is still being computed, has been applied already, or something has moved since: `moved` says what."),
    ]
}

fn members() -> Vec<Operation> {
    vec![
        get("/sites/{site}/members", members::list, "listMembers", "List the members")
            .says("A page may be short, or empty, before the last where few members hold the level or have the part of an address asked for. \
                With `at`, what all now known says of that instant, past or future.")
            .page::<members::MemberView>("The members, newest first."),
        get("/sites/{site}/members/{member}", members::get, "getMember", "Look at a member")
            .thing::<members::MemberView>("The member."),
        get("/sites/{site}/members/{member}/access", members::access, "getAccess", "What a member holds, and why")
            .says("With `at`, what all now known says of that instant.")
            .answers::<AccessView>("The levels held, and every grant that was considered."),
        get("/sites/{site}/members/{member}/explain", explain::explain, "explainAccess", "Why a member holds what they hold")
            .says("In sentences that can be passed on to them, grant by grant, and over time. With `at`, what all now known \
                says of that instant; `history` is of all time.")
            .answers::<explain::ExplanationView>("What is held, and why."),
        get("/sites/{site}/members/{member}/timeline", timeline::list, "listTimeline", "What happened to a member")
            .says("Webhooks that tell of the member, events, what operators decided, the steps that access took, and how far \
                each destination has been told. An event belongs to the member whose lead it is of now, and to whoever it \
                names.")
            .page::<timeline::ItemView>("What happened: oldest first, unless `order` says otherwise."),
    ]
}

fn overrides() -> Vec<Operation> {
    vec![
        post("/sites/{site}/members/{member}/grants", overrides::grant, "createGrant", "Give a level by hand")
            .says("It gives the level until its end, whatever billing says; a block takes it away all the same.")
            .made::<overrides::OverrideView>(),
        delete("/sites/{site}/members/{member}/grants/{id}", overrides::end_grant, "endGrant", "End a manual grant")
            .ended("It has ended."),
        get("/sites/{site}/members/{member}/blocks", overrides::blocks, "listBlocks", "List the blocks of a member")
            .says("What a chargeback blocks is among them.")
            .page::<BlockView>("The blocks in force, newest first."),
        post("/sites/{site}/members/{member}/blocks", overrides::block, "createBlock", "Block a level, or all of them")
            .says("It takes the level away whatever else gives it, and survives every rebill.")
            .made::<overrides::OverrideView>(),
        delete("/sites/{site}/members/{member}/blocks/{id}", overrides::end_block, "endBlock", "Lift a block")
            .says("Lifting what a chargeback blocks ends every chargeback block begun before.")
            .ended("It is lifted."),
    ]
}

fn held_opens() -> Vec<Operation> {
    let later =
        "With one call for all that is held open by then; what is held open later stays so.";
    vec![
        get("/sites/{site}/held-open", held_open::list, "listHeldOpen", "List what is held open")
            .page::<held_open::HeldOpenView>("The levels of members that are held open, newest first."),
        post("/sites/{site}/held-open/{id}/release", held_open::release, "releaseHeldOpen", "Let a level go")
            .says("The member holds from now on what the events say.")
            .ended("It is held open no longer."),
        post("/sites/{site}/held-open/{id}/discard", held_open::discard, "discardHeldOpen", "Let a member keep a level")
            .says(
                "The revocation is discarded: a manual grant gives the level from now on, and ends like any other. A \
                chargeback's block that would take it away is lifted.",
            )
            .ended("It is held open no longer, and given by hand."),
        post("/sites/{site}/held-open/release", held_open::release_all, "releaseAllHeldOpen", "Let all of them go")
            .says(later)
            .answers::<mappings::RecomputeOnly>("All of it was released.")
            .or_later::<mappings::RecomputeOnly>(),
        post("/sites/{site}/held-open/discard", held_open::discard_all, "discardAllHeldOpen", "Let all members keep them")
            .says(later)
            .answers::<mappings::RecomputeOnly>("All of it was discarded.")
            .or_later::<mappings::RecomputeOnly>(),
    ]
}

fn access() -> Vec<Operation> {
    vec![
        get(
            "/sites/{site}/access",
            access::allowed,
            "askAccess",
            "May this address have this level?",
        )
        .says("It is read anew each time: nobody is let in by an earlier answer. With `at`, it is worked out for that instant.")
        .thing::<access::Allowed>("Whether it may, now or at the instant asked for."),
        post(
            "/sites/{site}/access/check",
            access::check,
            "checkAccess",
            "The same, the address out of the logs",
        )
        .answers::<access::Allowed>("Whether it may, now or at the instant asked for."),
    ]
}

fn webhooks() -> Vec<Operation> {
    vec![
        get("/sites/{site}/webhooks", webhooks::list, "listWebhooks", "List the webhooks")
            .says("A page may be short, or empty, before the last where a product is asked for that few of them name.")
            .page::<webhooks::WebhookView>("The webhooks, newest first, without their bodies."),
        get("/sites/{site}/webhooks/{id}", webhooks::get, "getWebhook", "Look at a webhook")
            .says("With its body, for a key with the scope `support`, until the body has aged out.")
            .thing::<webhooks::WebhookView>("The webhook."),
        get("/sites/{site}/webhooks/{id}/reading", readings::get, "getReading", "What a webhook says, and what it led to")
            .thing::<readings::ReadingView>("What it says, its event, whose that is, and the steps of access."),
        post(
            "/sites/{site}/webhooks/{id}/replay",
            webhooks::replay,
            "replayWebhook",
            "Judge and apply it again",
        )
        .answers::<webhooks::WebhookView>("The webhook as it now is.")
        .conflict("It was discarded: restore it, which applies it as well. Or it is a test purchase, which never counts."),
        post(
            "/sites/{site}/webhooks/{id}/discard",
            webhooks::discard,
            "discardWebhook",
            "Let it count no more",
        )
        .answers::<webhooks::WebhookView>("The webhook as it now is."),
        post(
            "/sites/{site}/webhooks/{id}/restore",
            webhooks::restore,
            "restoreWebhook",
            "Let it count again",
        )
        .answers::<webhooks::WebhookView>("The webhook as it now is.")
        .conflict("It is not discarded: replay it to apply it again. Or it is a test purchase, which never counts."),
        post("/sites/{site}/test-purchase", test_purchase::create, "createTestPurchase", "See what comes of a purchase")
            .says(
                "What Kartra would send is stored as a webhook whose feed is `test` and whose status is `discarded` from the \
                first. Nobody gains a level by it, no product appears, no destination is told, and it can neither be \
                replayed nor restored. The answer says what would come of it by the mappings of now.",
            )
            .answers::<test_purchase::TestPurchaseView>("What would come of it."),
    ]
}

fn changes() -> Vec<Operation> {
    vec![
        get("/sites/{site}/changes", changes::list, "listChanges", "Read the feed")
            .says(STREAM)
            .page::<changes::ChangeView>("The changes, oldest first.")
            .streams(),
    ]
}

fn all_stats() -> Vec<Operation> {
    let days = "Days are days in UTC. Counting began with the version that brought it: of the days before, what is still \
        kept has been counted. A change counts on the day on which it was recorded.";
    vec![
        get("/sites/{site}/stats", stats::of_site, "getSiteStats", "How it goes at a site")
            .says(days)
            .answers::<stats::StatsView>("How it goes, as of now."),
        get("/stats", stats::of_all, "getStats", "How it goes at all sites")
            .says("Of all sites that the key opens, taken together. Days are days in UTC.")
            .answers::<stats::StatsView>("How it goes, as of now."),
    ]
}

fn alarms() -> Vec<Operation> {
    vec![
        get("/sites/{site}/alarms", alarms::list, "listAlarms", "List the alarms")
            .says("Each is an episode: it begins when its cause is first seen, about a minute after it is there at the \
                latest, and ends when the cause is gone.")
            .page::<alarms::AlarmView>("The open alarms, or those that have ended, newest first."),
        get(
            "/sites/{site}/subscriptions/overdue",
            subscriptions::overdue,
            "listOverdueSubscriptions",
            "List the subscriptions whose payment has not come",
        )
        .says("A payment was expected, and has not come for longer than `overdue_days` of the site's `alarms`. Nobody \
            loses access by it: Kartra may not have told.")
        .page::<subscriptions::OverdueView>("The overdue subscriptions, the latest to be due first."),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        get("/keys", keys::list, "listKeys", "List the keys")
            .page::<keys::KeyView>("The keys, newest first; never the secrets themselves."),
        post("/keys", keys::create, "createKey", "Make a key")
            .says("The key itself is in this answer and nowhere else. A key that is bound to a site makes keys of that site.")
            .made::<keys::MadeView>(),
        get("/keys/{id}", keys::get, "getKey", "Look at a key").thing::<keys::KeyView>("The key."),
        delete("/keys/{id}", keys::revoke, "revokeKey", "Revoke a key")
            .if_match()
            .ended("It is refused everywhere within a second."),
    ]
}

fn document() -> Vec<Operation> {
    vec![
        get("/openapi.json", openapi::get, "getDocument", "Read this document")
            .answers::<openapi::Document>("The document."),
    ]
}
