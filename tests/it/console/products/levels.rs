//! Levels, on the page of the products.

use super::{API, HOME, buys};
use crate::console::support::Console;
use crate::on_both_databases;
use crate::support::TestApp;
use serde_json::json;

const LEVELS: &str = "/sites/default/levels";

fn names(app: &TestApp) -> Vec<(String, String)> {
    let listed = app.get(&format!("{API}/levels")).json;
    let level = |level: &serde_json::Value| {
        let text = |key: &str| level[key].as_str().expect("a text").to_owned();
        (text("id"), text("name"))
    };
    listed["items"].as_array().expect("items").iter().map(level).collect()
}

fn pair(id: &str, name: &str) -> (String, String) {
    (id.to_owned(), name.to_owned())
}

on_both_databases! {
    fn a_level_is_made_renamed_and_deleted(app: &TestApp) {
        let console = Console::sign_in(app);
        assert_eq!(console.form(LEVELS, &[("name", " Gold & more ")]).location, HOME);
        assert!(console.get(HOME).says("The level Gold & more is there now."));
        assert_eq!(names(app), [pair("gold-more", "Gold & more")]);
        assert_eq!(console.form(&format!("{LEVELS}/gold-more"), &[("name", "Platinum")]).location, HOME);
        assert!(console.get(HOME).says("Platinum gold-more 0 members"), "{}", console.get(HOME).text());
        assert_eq!(console.form(&format!("{LEVELS}/gold-more"), &[("do", "delete")]).location, HOME);
        assert!(names(app).is_empty());
    }

    fn what_is_wrong_with_a_name_stands_beside_it(app: &TestApp) {
        app.level("gold");
        let console = Console::sign_in(app);
        for (name, says) in [
            ("Gold", "There is a level with this name already. Choose another name."),
            (" ", "Give the level a name."),
        ] {
            let refused = console.form(LEVELS, &[("name", name)]);
            assert_eq!(refused.status, 422);
            assert!(refused.says(says), "{}", refused.text());
        }
        let empty = console.form(&format!("{LEVELS}/gold"), &[("name", "")]);
        assert_eq!(empty.status, 422);
        assert!(empty.says("Write between 1 and 200 characters."), "{}", empty.text());
        assert_eq!(names(app), [pair("gold", "gold")]);
        assert_eq!(console.form(&format!("{LEVELS}/tin"), &[("name", "Tin")]).status, 404);
    }

    fn two_levels_are_never_called_the_same(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        let console = Console::sign_in(app);
        for name in ["Meal plans", "Courses"] {
            assert_eq!(console.form(LEVELS, &[("name", name)]).status, 303);
        }
        let refused = console.form(&format!("{LEVELS}/courses"), &[("name", " meal PLANS ")]);
        let told = "There is a level with this name already. Choose another name.";
        assert!(refused.status == 422 && refused.says(told), "{}", refused.text());
        assert!(refused.html.contains("value=\"meal PLANS\""), "what was typed is kept: {}", refused.html);
        let again = console.form(&format!("{LEVELS}/courses"), &[("name", "courses")]);
        assert_eq!(again.status, 303, "its own name in other letters is no other level's");
        // What a level was called stays in its id, and what it is called now is taken, too.
        assert_eq!(console.form(&format!("{LEVELS}/courses"), &[("name", "Lessons")]).status, 303);
        for (name, says) in [
            ("Courses", "Another level has the id “courses”, which this name would get."),
            ("lessons", told),
        ] {
            let refused = console.form(LEVELS, &[("name", name)]);
            assert!(refused.status == 422 && refused.says(says), "{name}: {}", refused.text());
        }
        let refused = console.form(HOME, &[("new.501.level", "+"), ("new.501.level_name", "LESSONS")]);
        assert!(refused.status == 422 && refused.says("There is a level with this name already."), "{}", refused.text());
        assert!(refused.says("stands beside its field: “Name of the new level”."), "{}", refused.text());
        assert_eq!(names(app).len(), 2);
    }

    fn a_level_in_use_is_not_deleted_and_the_page_says_why(app: &TestApp) {
        buys(app, "501", 1, &["dana"]);
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        let console = Console::sign_in(app);
        assert_eq!(console.form(&format!("{LEVELS}/gold"), &[("do", "delete")]).location, HOME);
        let page = console.get(HOME);
        assert!(page.says("The level is in use by mappings"), "{}", page.text());
        assert_eq!(names(app).len(), 1);
    }
}
