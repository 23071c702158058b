//! Rows that are written, counted by triggers: exact on both databases, whoever writes them.

use crate::support::TestApp;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use latchkey::store::StoreError;
use latchkey::store::conn::Conn;
use std::collections::BTreeMap;

const TABLES_OF_SQLITE: &str = "SELECT name FROM sqlite_master WHERE type = 'table' \
                                AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'";
const TABLES_OF_POSTGRES: &str = "SELECT tablename AS name FROM pg_tables WHERE \
                                  schemaname = 'public' AND tablename NOT LIKE '\\_\\_%'";
/// On PostgreSQL a trigger sees all the rows of a statement at once.
const NOTE_OF_POSTGRES: &str = "CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN INSERT INTO written SELECT TG_TABLE_NAME, count(*) FROM noted; RETURN NULL; END $$;";

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = Text)]
    of_table: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Counts from now on.
pub fn count(app: &TestApp) {
    write(app, |conn| {
        let tables = match conn {
            Conn::Sqlite(_) => TABLES_OF_SQLITE,
            Conn::Postgres(_) => TABLES_OF_POSTGRES,
        };
        let tables = sql_query(tables).load::<Table>(conn)?;
        let mut statements = "CREATE TABLE written (of_table TEXT, number BIGINT);".to_owned();
        if let Conn::Postgres(_) = conn {
            statements += NOTE_OF_POSTGRES;
        }
        for Table { name } in tables {
            for (operation, rows) in [("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")] {
                let trigger =
                    format!("CREATE TRIGGER written_{name}_{operation} AFTER {operation}");
                let statement = match conn {
                    Conn::Sqlite(_) => format!(
                        "{trigger} ON {name} BEGIN INSERT INTO written VALUES ('{name}', 1); END;"
                    ),
                    Conn::Postgres(_) => format!(
                        "{trigger} ON {name} REFERENCING {rows} TABLE AS noted \
                         FOR EACH STATEMENT EXECUTE FUNCTION note_written();"
                    ),
                };
                statements += &statement;
            }
        }
        Ok(conn.batch_execute(&statements)?)
    });
}

/// How many rows have been written since the last look, table by table.
pub fn since_last_look(app: &TestApp) -> BTreeMap<String, u64> {
    write(app, |conn| {
        let sums = "SELECT of_table, CAST(sum(number) AS BIGINT) AS number FROM written \
                    GROUP BY of_table HAVING sum(number) > 0";
        let written = sql_query(sums).load::<Written>(conn)?;
        conn.batch_execute("DELETE FROM written")?;
        let count =
            |written: Written| (written.of_table, u64::try_from(written.number).expect("a count"));
        Ok(written.into_iter().map(count).collect())
    })
}

fn write<T>(app: &TestApp, work: impl FnOnce(&mut Conn) -> Result<T, StoreError>) -> T {
    app.app.store().write(work).expect("done")
}
