//! Two processes that remove the rows of a deleted site at the same moment.

use super::count;
use crate::support::{Database, instant};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use latchkey::first_start::new_site;
use latchkey::store::conn::Conn;
use latchkey::store::{Result, Store, StoreError, disposal, sites};
use std::thread;

const SITES: &str = "SELECT count(*) AS count FROM sites";
const ROWS: &str = "SELECT count(*) AS count FROM event_ties";

#[test]
fn only_one_of_two_processes_removes_a_batch_and_the_site_goes_with_its_last_row() {
    let Some(database) = Database::postgres() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let open = || Store::open(&database.url(directory.path()), 2).expect("a store").with_lease(1);
    let (store, other) = (open(), open());
    store.migrate().expect("a schema");
    let at = instant("2026-01-01T00:00:00Z");
    let make = |conn: &mut Conn| {
        sites::insert(conn, &new_site("doomed", "Doomed", at))?;
        conn.batch_execute(
            "INSERT INTO event_ties SELECT 'doomed', 'tie', n FROM generate_series(1, 2500) n",
        )?;
        disposal::delete_site(conn, "doomed", at)
    };
    store.write(make).expect("a deleted site");
    let remove =
        |conn: &mut Conn| disposal::remove_batch(conn, "doomed", at + TimeDelta::minutes(1));

    let both = store.write(|conn| {
        let first = remove(conn)?;
        let second = thread::scope(|scope| scope.spawn(|| other.write(remove)).join());
        Ok::<_, StoreError>((first, second.expect("no panic")?))
    });
    assert_eq!(both.expect("removed"), (true, false), "the second leaves it to the first");
    let left = || (count(&store, SITES), count(&store, ROWS));
    assert_eq!(left(), (1, 1_500));
    let removed: Result<Vec<_>> =
        (0..4).map(|_| other.write(remove).map(|any| (any, left()))).collect();
    let expected = [(true, (1, 500)), (true, (1, 0)), (true, (0, 0)), (false, (0, 0))];
    assert_eq!(removed.expect("removed"), expected);
}
