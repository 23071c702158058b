//! Rows that are written as a set: one statement on PostgreSQL, however many they are, as each would be
//! a round trip; a loop on SQLite, which has none, over one statement that stays prepared.

/// Inserts rows as a set. Each column is named as in the table and in the row, with its type.
macro_rules! insert_set {
    ($conn:expr, $table:ident, $rows:expr, $columns:tt) => {
        $crate::store::sets::insert_rows!($conn, $table, $rows, $columns, insert_into, "")
    };
}
pub(super) use insert_set;

/// As [`insert_set`], but a row that is there already stays as it is.
macro_rules! insert_missing {
    ($conn:expr, $table:ident, $rows:expr, $columns:tt) => {
        $crate::store::sets::insert_rows!(
            $conn,
            $table,
            $rows,
            $columns,
            insert_or_ignore_into,
            " ON CONFLICT DO NOTHING"
        )
    };
}
pub(super) use insert_missing;

/// Both of them: how a row is inserted on SQLite, and what stands behind the statement on PostgreSQL, which
/// gets an array for each column, so that the text of the statement is always the same.
macro_rules! insert_rows {
    (
        $conn:expr, $table:ident, $rows:expr, { $($column:ident: $type:ty),+ $(,)? },
        $insert_one:ident, $behind:literal
    ) => {
        match $conn {
            $crate::store::conn::Conn::Sqlite(c) => {
                for row in $rows {
                    diesel::$insert_one($table::table).values(row).execute(c)?;
                }
            }
            $crate::store::conn::Conn::Postgres(c) => {
                let columns = [$(stringify!($column)),+];
                let insertion = $crate::store::sets::insertion(stringify!($table), &columns);
                for rows in $rows.chunks($crate::store::sets::SET_ROWS_MAX) {
                    diesel::sql_query(format!("{insertion}{}", $behind))
                        $(.bind::<diesel::sql_types::Array<$type>, _>(
                            rows.iter().map(|row| &row.$column).collect::<Vec<_>>(),
                        ))+
                        .execute(c)?;
                }
            }
        }
    };
}
pub(super) use insert_rows;

/// How many rows one statement carries on PostgreSQL.
pub(super) const SET_ROWS_MAX: usize = 10_000;

/// The statement that inserts rows out of one array for each column.
pub(super) fn insertion(table: &str, columns: &[&str]) -> String {
    let (names, arrays) = (columns.join(", "), arrays(1, columns.len()));
    format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})")
}

/// The statement that sets columns of the rows of a site by their `id`, out of one array for each: the
/// first parameter is the site, the next the ids. `added` is not set but added to.
pub(super) fn update(table: &str, columns: &[&str], added: Option<&str>) -> String {
    let set = columns.iter().map(|column| format!("{column} = v.{column}"));
    let set: Vec<String> =
        set.chain(added.map(|column| format!("{column} = t.{column} + v.{column}"))).collect();
    let names: Vec<&str> = columns.iter().copied().chain(added).collect();
    let (set, names, arrays) = (set.join(", "), names.join(", "), arrays(2, names.len() + 1));
    format!(
        "UPDATE {table} t SET {set} FROM unnest({arrays}) AS v (id, {names}) \
         WHERE t.site_id = $1 AND t.id = v.id"
    )
}

/// So many parameters, from one on.
pub(super) fn arrays(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
