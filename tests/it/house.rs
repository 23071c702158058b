//! The house rules, read off the sources: who may use whom, how long a file may be, and that the map
//! shows the house as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each room may use. A room that is not listed may not exist; a use that is not listed is a
/// wall broken. `app` stands on both sides of the surfaces: it starts them, and they are served
/// from it.
const MAY_USE: [(&str, &[&str]); 23] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "api",
            "app",
            "clock",
            "core",
            "first_start",
            "flow",
            "ids",
            "settings",
            "simulate",
            "store",
            "telemetry",
            "web",
        ],
    ),
    (
        "app",
        &[
            "alarms",
            "api",
            "clock",
            "console",
            "core",
            "dispatch",
            "egress",
            "first_start",
            "flow",
            "intake",
            "metrics",
            "secrets",
            "settings",
            "store",
            "web",
        ],
    ),
    ("intake", &["app", "clock", "core", "flow", "ids", "metrics", "secrets", "store", "web"]),
    ("alarms", &["clock", "core", "egress", "flow", "ids", "metrics", "secrets", "store"]),
    ("destinations", &["clock", "core", "egress", "secrets"]),
    (
        "dispatch",
        &["clock", "core", "destinations", "egress", "flow", "ids", "metrics", "secrets", "store"],
    ),
    ("egress", &[]),
    (
        "api",
        &[
            "alarms",
            "app",
            "core",
            "destinations",
            "dispatch",
            "first_start",
            "flow",
            "ids",
            "secrets",
            "simulate",
            "store",
            "web",
        ],
    ),
    // Pages know the API from outside: what they may do, a script may do.
    ("console", &["app", "core", "secrets", "web"]),
    ("web", &["app", "core", "flow", "metrics", "secrets", "store"]),
    ("flow", &["clock", "core", "ids", "metrics", "secrets", "store"]),
    ("first_start", &["core", "flow", "ids", "secrets", "settings", "store"]),
    ("store", &["core"]),
    ("metrics", &[]),
    ("telemetry", &["settings"]),
    ("clock", &["core"]),
    ("settings", &[]),
    ("secrets", &[]),
    ("simulate", &["core", "secrets"]),
    ("ids", &[]),
    ("core", &[]),
    ("lib", &[]),
];

/// Names that only some rooms may speak of: crates by what they do, and the doors to the world.
const ONLY_IN: [(&str, &[&str]); 8] = [
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    // The settings only read a URL with it.
    ("reqwest", &["cli", "egress", "settings"]),
    ("actix_web", &["app", "intake", "api", "console", "web", "cli"]),
    ("askama", &["console"]),
    ("indicatif", &["cli"]),
    ("prometheus", &["metrics"]),
    ("clap", &["cli", "main"]),
];

/// What makes a core impure.
const NOT_IN_CORE: [&str; 18] = [
    "diesel",
    "tokio",
    "actix_web",
    "reqwest",
    "rand",
    "getrandom",
    "uuid",
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::thread",
    "std::process",
    "std::time",
    "Utc::now",
    "SystemTime",
    "tracing",
    "async fn",
];

/// How many statements name a backend, file by file: each is one that diesel cannot say for both.
/// `store/conn.rs`, which makes the two into one, is left out.
const BACKEND_ARMS: [(&str, usize); 23] = [
    ("store/ageing.rs", 2),
    ("store/alarm_settings.rs", 1),
    ("store/alarms.rs", 1),
    ("store/daily_counts.rs", 2),
    ("store/destinations.rs", 2),
    ("store/disposal.rs", 2),
    ("store/door.rs", 1),
    ("store/events.rs", 4),
    ("store/gate.rs", 1),
    ("store/members.rs", 2),
    ("store/migrate.rs", 2),
    ("store/mod.rs", 1),
    ("store/observations.rs", 2),
    ("store/overrides.rs", 1),
    ("store/product_counts.rs", 2),
    ("store/products.rs", 1),
    ("store/purchases/revise.rs", 2),
    ("store/pushes.rs", 3),
    ("store/readers.rs", 1),
    ("store/sets.rs", 2),
    ("store/sites.rs", 3),
    ("store/wakeup.rs", 2),
    ("store/writer.rs", 1),
];

/// The migrations that are about how SQLite finds and keeps rows, and not about which there are: PostgreSQL makes
/// its own plans, and keeps each table in one way.
const OF_SQLITE_ALONE: [&str; 2] =
    ["2026-11-21-000008_statistics", "2026-11-22-000009_keys_that_are_rows"];

/// Who counts rows off, and how often. `store/runs.rs` makes no list of them: whenever there is a new run of a
/// destination, those beyond the newest so many are forgotten, and nobody reads on from there.
const BY_OFFSET: [(&str, usize); 1] = [("store/runs.rs", 1)];

/// The longest file, in lines.
const FILE_LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a directory, but for what is made and what is fetched.
fn files(directory: &Path) -> Vec<PathBuf> {
    let skipped = ["target", ".git", "data", "vendor"];
    let entries = std::fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let kept = paths.filter(|path| !skipped.iter().any(|name| path.ends_with(name)));
    kept.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The sources under `src`, each with its path from there, without comments.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let rust = files(&src).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).expect("under src").display().to_string();
        (name, without_comments(&std::fs::read_to_string(&path).expect("a source")))
    };
    rust.map(read).collect()
}

/// Cuts line comments off, so that prose may name what code may not.
fn without_comments(source: &str) -> String {
    let code = |line: &str| {
        let comment = if line.trim_start().starts_with("//") { Some(0) } else { line.find(" // ") };
        comment.map_or(line, |start| &line[..start]).to_owned() + "\n"
    };
    source.lines().map(code).collect()
}

fn room(file: &str) -> &str {
    let first = file.split('/').next().expect("a name");
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The rooms that a source names by `crate::` (or, from the program, `latchkey::`).
fn uses(source: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |text: &str| text.chars().take_while(|c| is_name(*c)).collect::<String>();
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "latchkey::"] {
        for (at, _) in source.match_indices(prefix) {
            let before = source[..at].chars().next_back();
            if before.is_some_and(|c| is_name(c) || c == '$' || c == '=' || c == ',') {
                continue;
            }
            let rest = &source[at + prefix.len()..];
            match rest.strip_prefix('{') {
                None => drop(found.insert(name(rest))),
                Some(group) => found.extend(heads(group).iter().map(|head| name(head.trim()))),
            }
        }
    }
    found.remove("");
    found
}

/// The outermost items of a group of imports that has just been opened.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(String::new()),
            c if depth == 0 => heads.last_mut().expect("a head").push(c),
            _ => {}
        }
    }
    heads
}

#[test]
fn the_reader_of_imports_sees_what_is_written() {
    let source = "use crate::{api, store::{self, conn}, web};\nlet x = crate::ids::new();\n\
                  use crate::flow;\n$crate::nothing::of_ours; // crate::prose\n";
    let expected = ["api", "flow", "ids", "store", "web"];
    assert_eq!(uses(&without_comments(source)).into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_room_uses_only_what_it_may() {
    let may: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut broken = Vec::new();
    for (file, source) in sources() {
        let room = room(&file);
        let Some(may) = may.get(room) else {
            broken.push(format!("{file}: the room {room} is not in MAY_USE"));
            continue;
        };
        let foreign = uses(&source).into_iter().filter(|used| used != room);
        let foreign = foreign.filter(|used| !may.contains(&used.as_str()));
        broken.extend(foreign.map(|used| format!("{file}: {room} may not use {used}")));
        // Nobody leaves a room by climbing out of it.
        let depth = file.matches('/').count() + 1 - usize::from(file.ends_with("/mod.rs"));
        let out = "super::".repeat(depth);
        if source.contains(&out) && !file.ends_with("tests.rs") && !source.contains("mod tests") {
            broken.push(format!("{file}: {out} leads out of the room; say crate::"));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_use_that_is_allowed_is_made() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, source) in sources() {
        used.entry(room(&file).to_owned()).or_default().extend(uses(&source));
    }
    for (room, may) in MAY_USE {
        let made = used.get(room).unwrap_or_else(|| panic!("there is no room {room}"));
        for other in may {
            assert!(made.contains(*other), "{room} may use {other} and does not: forbid it");
        }
    }
}

#[test]
fn only_the_store_knows_diesel_and_each_door_has_its_room() {
    let mut broken = Vec::new();
    for (file, source) in sources() {
        for (name, rooms) in ONLY_IN {
            let spoken = [format!("{name}::"), format!("use {name};")];
            if spoken.iter().any(|word| mentions(&source, word)) && !rooms.contains(&room(&file)) {
                broken.push(format!("{file} speaks of {name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether a word is there, and not as the end of a longer one.
fn mentions(source: &str, word: &str) -> bool {
    source.match_indices(word).any(|(at, _)| {
        let before = source[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[test]
fn the_core_does_nothing_but_decide() {
    let mut broken = Vec::new();
    // A test may read its samples.
    let core = |file: &str| file.starts_with("core/") && !file.contains("/tests/");
    for (file, source) in sources().into_iter().filter(|(file, _)| core(file)) {
        let impure = NOT_IN_CORE.into_iter().filter(|word| mentions(&source, word));
        broken.extend(impure.map(|word| format!("{file} speaks of {word}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn access_is_computed_in_one_function_only() {
    let defined = |source: &str| source.matches("pub fn answer(").count();
    let called = |source: &str| source.matches("answer(Known ").count();
    let of = |count: &dyn Fn(&str) -> usize| {
        let found = sources().into_iter().filter(|(_, source)| count(source) > 0);
        found.map(|(file, _)| file).collect::<BTreeSet<_>>()
    };
    assert!(of(&defined).contains("core/access.rs"));
    // What is recorded, and what the whole picture says; both hand over all they know.
    let callers = ["core/access.rs", "flow/record.rs"].map(str::to_owned);
    assert_eq!(of(&called), BTreeSet::from(callers));
}

#[test]
fn each_statement_that_names_a_backend_is_counted() {
    let arms = |source: &str| {
        [
            "on_backend!(",
            "Conn::Postgres(",
            "Conn::Sqlite(",
            "DatabaseUrl::Sqlite(",
            "Self::Sqlite(",
            "Self::Postgres(",
        ]
        .iter()
        .map(|arm| source.matches(arm).count())
        .sum::<usize>()
    };
    let counted = sources().into_iter().map(|(file, source)| (file, arms(&source)));
    let counted = counted.filter(|(file, count)| *count > 0 && file != "store/conn.rs");
    let counted: BTreeMap<String, usize> = counted.collect();
    let expected = BACKEND_ARMS.into_iter().map(|(file, count)| (file.to_owned(), count));
    assert_eq!(counted, expected.collect(), "each more is a statement written twice");
}

/// A page begins behind the key of the last item before it: what is counted off is read all the same, the more the
/// deeper the page lies, and an item that comes or goes meanwhile moves all others.
#[test]
fn no_list_is_paged_by_offset() {
    let spoken =
        |source: &str| source.matches(".offset(").count() + source.matches("OFFSET").count();
    let counted = sources().into_iter().map(|(file, source)| (file, spoken(&source)));
    let counted: BTreeMap<String, usize> = counted.filter(|(_, count)| *count > 0).collect();
    let expected = BY_OFFSET.into_iter().map(|(file, count)| (file.to_owned(), count));
    assert_eq!(counted, expected.collect(), "a page begins behind a key");
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let written = ["rs", "sql", "toml", "md", "html", "css", "js", "sh", "yml", "yaml"];
    let mut long = Vec::new();
    for path in files(root()) {
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        if extension.as_deref().is_some_and(|extension| !written.contains(&extension)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "split these: {long:#?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let of = |database: &str| {
        let directory = root().join("migrations").join(database);
        let files = files(&directory).into_iter().map(|path| {
            let text = std::fs::read_to_string(&path).expect("a migration");
            let name = path.strip_prefix(&directory).expect("under it").display().to_string();
            // The words in which the two differ: PostgreSQL keeps each table in one way.
            (name, text.replace("BYTEA", "BLOB").replace(" WITHOUT ROWID", ""))
        });
        files.collect::<BTreeMap<_, _>>()
    };
    let (sqlite, postgres) = (of("sqlite"), of("postgres"));
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres));
    for (name, text) in &sqlite {
        let (directory, file) = name.rsplit_once('/').expect("a directory each");
        assert!(["up.sql", "down.sql"].contains(&file), "{name}");
        assert!(sqlite.contains_key(&format!("{directory}/up.sql")), "{directory}");
        assert!(sqlite.contains_key(&format!("{directory}/down.sql")), "{directory}");
        if !OF_SQLITE_ALONE.contains(&directory) {
            assert_eq!(text, &postgres[name], "{name} makes other tables on PostgreSQL");
        }
    }
}

#[test]
fn the_map_shows_every_room_and_no_other() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("the map");
    let is_map = |line: &&str| line.starts_with("//!");
    let map: String = lib.lines().filter(is_map).collect::<Vec<_>>().join("\n");
    let declared: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")))
        .map(|line| line.trim_end_matches(';'))
        .collect();
    let shown: BTreeSet<&str> = map
        .split("[`")
        .skip(1)
        .filter_map(|link| link.split_once("`]").map(|(name, _)| name))
        .collect();
    let rooms: BTreeSet<&str> =
        shown.iter().map(|name| name.split("::").next().expect("a name")).collect();
    assert_eq!(rooms, declared);
    let files = files(&root().join("src"));
    let on_disk: BTreeSet<String> = files
        .iter()
        .map(|path| path.strip_prefix(root().join("src")).expect("under it"))
        .map(|path| room(&path.display().to_string()).to_owned())
        .filter(|room| !["main", "lib"].contains(&room.as_str()))
        .collect();
    assert_eq!(on_disk, declared.iter().map(|name| (*name).to_owned()).collect());
    for name in shown.iter().filter(|name| name.contains("::")) {
        let mut parts = name.split("::");
        let (room, inner) = (parts.next().expect("a room"), parts.next().expect("an inner one"));
        let base = root().join("src").join(room).join(inner);
        let there = base.with_extension("rs").is_file() || base.join("mod.rs").is_file();
        assert!(there, "the map shows {name}, which is not there");
    }
}
