//! Latchkey keeps a membership site's doors in step with what Kartra sells.
//!
//! # The way of one webhook
//!
//! ```text
//! Kartra ─POST→ intake ─row→ [webhooks] ─→ flow::process ──────────────────────→ [changes]
//!               answers                    core: kartra → event → link →            ↑
//!               after COMMIT               purchase → grant → access → change      api reads
//!                                          one transaction, no HTTP in it
//!     timers, changed mappings, overrides, rebuild ─→ flow::settle, the same place
//! ```
//!
//! 1. [`intake`] caps, masks and stores a body, and answers once it is committed.
//! 2. [`flow`] takes what is due, in batches under the site's lock: [`flow::process`] reads and judges
//!    it, [`flow::settle`] computes again whatever it touched and records the difference. What falls
//!    due by time, what a change of rules leaves behind ([`flow::recompute`]) and what an operator
//!    decides enter at the same place; [`flow::rebuild`] does everything again, or only compares;
//!    [`flow::past`] answers for instants that are over.
//! 3. [`core`] decides, and does nothing else: [`core::kartra`] reads, [`core::event`] merges,
//!    [`core::link`] tells which purchase, [`core::purchase`] folds, [`core::grant`] applies policies,
//!    [`core::access`] answers, [`core::change`] compares, [`core::breaker`] says how many may lose a level at
//!    once, [`core::explain`] puts it into words.
//! 4. [`store`] keeps it, on SQLite and on PostgreSQL; no other room knows diesel.
//! 5. [`alarms`] looks, off that way, for what an operator has to know, and posts it through [`egress`], the
//!    one client for every call that goes out.
//! 6. [`dispatch`] carries what was recorded to the membership sites, which [`destinations`] calls, one file a kind.
//! 7. [`api`] is the REST surface, on what [`web`] offers every surface; [`console`] is pages for people, which speak
//!    to nothing but that API.
//!
//! Around them: [`app`] puts the rooms together, [`first_start`] makes what is missing on an empty
//! disk, [`cli`] holds the commands, [`simulate`] invents members and works out with [`core`] alone
//! what they should hold, [`settings`] and [`telemetry`] are read first, [`metrics`] counts for
//! Prometheus, [`clock`] is the only caller of now, [`secrets`] seals and hashes, [`ids`] names things.
//!
//! # Invariants
//!
//! * Nothing is answered 200 before its commit.
//! * No transaction waits for anything but the database.
//! * The daemon calls nobody but through [`egress`], which vets each address when it connects.
//! * Access is computed in [`core::access::answer`] only; no caller adds a condition of its own.
//! * A read at or past a member's next change computes; it never trusts the record.
//! * No flood of revocations is recorded that nobody has seen: what exceeds the limit is held open.
//! * Whatever changes a site's access does so under that site's lock, in bounded batches.
//! * A webhook's body is never changed, but for its masked secret.
//! * `core` does no I/O; only `store` knows diesel.

#![forbid(unsafe_code)]

pub mod alarms;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod console;
pub mod core;
pub mod destinations;
pub mod dispatch;
pub mod egress;
pub mod first_start;
pub mod flow;
pub mod ids;
pub mod intake;
pub mod metrics;
pub mod secrets;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod web;
