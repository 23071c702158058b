//! Every statement that is asked of a database, heard from diesel itself: nothing in the program knows of it.

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};

/// What has been asked, statement by statement, without the values: how often.
pub type Asked = BTreeMap<String, u64>;

/// What is heard of one database.
#[derive(Default)]
struct Heard {
    /// Whether anybody looks: what other tests ask is not worth its spelling out.
    is_looked_at: AtomicBool,
    asked: Mutex<Asked>,
}

/// What is heard of each database, by the URL of its connections.
static HEARD: Mutex<BTreeMap<String, Arc<Heard>>> = Mutex::new(BTreeMap::new());
static LISTENING: Once = Once::new();

/// Listens to every connection that this process makes from now on. Other tests make some, too: each database
/// is told apart by its URL.
pub fn listen() {
    LISTENING.call_once(|| {
        set_default_instrumentation(|| Some(Box::new(Listener::default()))).expect("set");
    });
}

/// What has been asked of a database since the last look at it; the first look finds nothing.
pub fn since_last_look(database_url: &str) -> Asked {
    let url = database_url.strip_prefix("sqlite://").unwrap_or(database_url);
    let heard = Arc::clone(HEARD.lock().unwrap().entry(url.to_owned()).or_default());
    heard.is_looked_at.store(true, Ordering::SeqCst);
    std::mem::take(&mut *heard.asked.lock().unwrap())
}

/// Whether a statement begins a transaction that may write.
pub fn begins_to_write(statement: &str) -> bool {
    statement.starts_with("BEGIN") && statement != "BEGIN" && !statement.contains("READ ONLY")
}

/// Whether a statement begins a transaction that only reads.
pub fn begins_to_read(statement: &str) -> bool {
    statement.starts_with("BEGIN") && !begins_to_write(statement)
}

/// What hears one connection.
#[derive(Default)]
struct Listener(Arc<Heard>);

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => {
                self.0 = Arc::clone(HEARD.lock().unwrap().entry(url.to_owned()).or_default());
            }
            InstrumentationEvent::StartQuery { query, .. }
                if self.0.is_looked_at.load(Ordering::SeqCst) =>
            {
                let said = query.to_string();
                let statement = said.split(" -- binds:").next().expect("a statement");
                *self.0.asked.lock().unwrap().entry(statement.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
}
