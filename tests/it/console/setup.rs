//! The checklist of the setup: each step ticks itself by what has really come, and says so in words.

use super::story::buys;
use super::support::{Console, Page};
use crate::on_both_databases;
use crate::support::{Ipn, TestApp};
use serde_json::json;

const PAGE: &str = "/sites/default/setup";
const SITE: &str = "/api/v1/sites/default";
const PASTE: &str = "Paste the webhook URL into Kartra";
const SEE: &str = "See the first webhook";
const IPN: &str = "Add the IPN (Instant Payment Notification) beside it";

/// Whether a step is ticked.
fn is_done(page: &Page, step: &str) -> bool {
    let done = page.says(&format!("{step} (done)"));
    assert_ne!(done, page.says(&format!("{step} (to do)")), "{step}: {}", page.text());
    done
}

/// An IPN comes, and is applied.
fn tells_by_ipn(app: &TestApp, id: u32) {
    assert_eq!(app.receives(Ipn::new("sale", id).of("ada@example.com").body()).status, 200);
    app.drain();
}

on_both_databases! {
    fn a_test_purchase_says_that_latchkey_works_and_ticks_no_step(app: &TestApp) {
        let console = Console::sign_in(app);
        let said = console.form(&format!("{PAGE}/test-purchase"), &[]);
        assert_eq!(said.status, 200, "{}", said.text());
        assert!(said.says("Latchkey works: it received the test purchase, stored it, and read it as “Sale”."), "{}", said.text());
        assert!(said.says("no step below is ticked by it") && said.says("Nothing has come yet."), "{}", said.text());
        for step in [PASTE, SEE, IPN] {
            assert!(!is_done(&said, step), "{step}");
        }
    }

    fn the_first_step_is_ticked_by_the_outbound_api_alone(app: &TestApp) {
        let console = Console::sign_in(app);
        assert_eq!(app.receives("something else").status, 200);
        app.drain();
        let noise = console.get(PAGE);
        assert!(!is_done(&noise, PASTE) && !is_done(&noise, SEE), "{}", noise.text());
        assert!(noise.says("it does not read as anything that Kartra sends"), "{}", noise.text());
        tells_by_ipn(app, 1);
        let ipn = console.get(PAGE);
        assert!(!is_done(&ipn, PASTE) && is_done(&ipn, SEE) && is_done(&ipn, IPN), "{}", ipn.text());
        assert!(ipn.says("IPNs have come, so Kartra reaches this address; the Outbound API has sent nothing yet."), "{}", ipn.text());
        buys(app, 1, "dana@example.com", 558_001, "Kitchen Club");
        app.drain();
        let both = console.get(PAGE);
        assert!(is_done(&both, PASTE), "{}", both.text());
        assert!(both.says("It works: webhooks of the Outbound API have come."), "{}", both.text());
    }

    fn the_home_page_names_the_next_step_until_all_are_done(app: &TestApp) {
        let console = Console::sign_in(app);
        let home = || console.get("/sites/default");
        assert!(!home().says("Setup is not finished"), "that nothing has come is said already");
        tells_by_ipn(app, 1);
        assert!(home().says(&format!("Setup is not finished: {PASTE}")), "{}", home().text());
        buys(app, 1, "dana@example.com", 558_001, "Kitchen Club");
        app.drain();
        assert!(home().says("Setup is not finished: Say what a product gives"), "{}", home().text());
        app.level("gold");
        app.map(&json!({ "product_id": "558001", "level": "gold" }));
        app.drain();
        assert!(home().says("Setup is not finished: Connect your membership site"), "{}", home().text());
        let steps = console.get(PAGE);
        assert!(steps.says("Connect your membership site (to do)"), "it goes by that name there: {}", steps.text());
    }

    fn the_first_step_says_which_zone_dates_are_read_in_and_where_the_address_is_written(app: &TestApp) {
        let console = Console::sign_in(app);
        let page = console.get(PAGE);
        for words in ["Latchkey reads them as those of America/New_York", "config/local.toml", "LATCHKEY__SERVER__PUBLIC_URL",
            "[server] public_url = \"https://latchkey.example.com\""] {
            assert!(page.says(words), "{words}: {}", page.text());
        }
    }

    fn an_ipn_is_said_to_be_believed_as_far_as_it_is(app: &TestApp) {
        let console = Console::sign_in(app);
        tells_by_ipn(app, 1);
        let unchecked = console.get(PAGE);
        assert!(unchecked.says("But no secret is set in Latchkey"), "{}", unchecked.text());
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" })).status, 200);
        tells_by_ipn(app, 2);
        let checked = console.get(PAGE);
        assert!(is_done(&checked, IPN) && checked.says("and their secret is checked."), "{}", checked.text());
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        tells_by_ipn(app, 3);
        let rejected = console.get(PAGE);
        assert!(!is_done(&rejected, IPN), "{}", rejected.text());
        assert!(rejected.says("some have another secret than the one in Latchkey"), "{}", rejected.text());
    }
}
