//! The policy of a site, which all its mappings stand on.

use super::{API, applied_to, back, planned};
use crate::console::support::Console;
use crate::on_both_databases;
use serde_json::json;

const PAGE: &str = "/sites/default/settings/policy";
/// How many questions there are.
const QUESTIONS: usize = 8;

on_both_databases! {
    fn each_answer_stands_there_once_and_says_whether_it_is_the_usual_one(app: &TestApp) {
        let page = Console::sign_in(app).get(PAGE);
        assert!(!page.says("As usual:"), "{}", page.text());
        assert_eq!(page.html.matches("(usual)").count(), QUESTIONS, "{}", page.text());
        assert_eq!(page.html.matches(" checked").count(), QUESTIONS, "{}", page.html);
        assert_eq!(page.html.matches("name=\"policy.trial\"").count(), 2, "{}", page.html);
        assert!(page.says("Counts only with the answer right above."), "{}", page.text());
        let (picture, questions) = (page.html.find("policypicture\" class"), page.html.find("policy.trial"));
        assert!(picture.expect("a picture") < questions.expect("questions"), "it is at hand on a phone, too");
    }

    fn what_is_wrong_is_said_with_its_question_and_which_that_is_at_the_top(app: &TestApp) {
        let answers = [
            ("policy.on_payment_failed", "grace_days"), ("policy.on_payment_failed.n", "99999"), ("do", "plan"),
        ];
        let refused = Console::sign_in(app).form(PAGE, &answers);
        assert_eq!(refused.status, 422);
        for told in [
            "Nothing was changed. What is wrong stands with its question: “A payment fails”.",
            "The number must be from 0 to 36500, not 99999.",
        ] {
            assert!(refused.says(told), "{told}: {}", refused.text());
        }
    }

    fn what_was_answered_is_there_again_on_the_way_back_and_once_it_is_saved(app: &TestApp) {
        let console = Console::sign_in(app);
        let answers = [
            ("policy.on_cancellation", "period_end"), ("policy.on_payment_failed", "grace_days"),
            ("policy.on_payment_failed.n", "7"), ("policy.trial", ""), ("do", "plan"),
        ];
        let plan = planned(app, &console.form(PAGE, &answers));
        let shown = back(&console, &plan);
        assert_eq!(app.get(API).json["policy"], json!({}), "nothing has changed yet");
        applied_to(app, &console, &plan, PAGE);
        let policy = json!({ "on_cancellation": "period_end", "on_payment_failed": { "grace_days": 7 } });
        assert_eq!(app.get(API).json["policy"], policy, "the usual answers are not written down");
        for page in [shown, console.get(PAGE)] {
            for chosen in ["value=\"period_end\" checked", "value=\"grace_days\" checked"] {
                assert!(page.html.contains(chosen), "{chosen}: {}", page.html);
            }
            assert_eq!(page.html.matches(" checked").count(), QUESTIONS, "{}", page.html);
            assert_eq!(page.value_of("policy.on_payment_failed.n").as_deref(), Some("7"));
        }
    }
}
