//! What Latchkey asks of its database, in numbers that no machine changes: statements, writing transactions
//! and rows for 1,000 webhooks, and flushes to disk. A change that asks for more has to say so here.
//!
//! The numbers stand in `sqlite.txt` and `postgres.txt`, those of flushes in `fsyncs_sqlite.txt` and
//! `fsyncs_postgres.txt`. To move them, after a look at why they moved:
//! `LATCHKEY_TEST_MOVE_COSTS=1 tests/run -- guard`; the difference is then part of the change.

mod asked;
mod costs;
mod flushes;
mod rows;
mod stories;
mod syncs;
