//! What access means: values in, values out.
//!
//! The reading order is the order of the flow:
//!
//! * [`kartra`] reads one request body into an observation;
//! * [`event`] merges the observations of one event;
//! * [`link`] tells which purchase each event belongs to;
//! * [`purchase`] folds the events of one purchase into its terms and steps;
//! * [`policy`] and [`mapping`] say which level a term gives, and what each step does to it;
//! * [`grant`] walks the steps of a term through one mapping;
//! * [`member`] knows whose leads are whose, and what operators have overridden;
//! * [`access`] is the one function that answers which levels a member holds at an instant;
//! * [`due`] tells when the next payment is expected, and decides nothing;
//! * [`change`] is the difference of two answers, [`breaker`] limits how many of them take a level away, and
//!   [`explain`] puts an answer into sentences;
//! * [`alarm`] says what an operator is told of without asking, [`signature`] signs what is sent, [`token`] says
//!   who calls, and [`schedule`] says when to try again.
//!
//! Nothing in here does I/O: no clock, no database, no environment, no randomness, no async.

pub mod access;
pub mod alarm;
pub mod breaker;
pub mod change;
pub mod circuit;
pub mod drift;
pub mod due;
pub mod event;
pub mod explain;
pub mod grant;
pub mod kartra;
pub mod link;
pub mod mapping;
pub mod member;
pub mod night;
pub mod policy;
pub mod purchase;
pub mod push;
pub mod schedule;
pub mod scope;
pub mod signature;
pub mod site_time;
pub mod stretch;
pub mod token;

/// An instant in UTC. Microseconds are the finest step that both databases keep.
pub type Instant = chrono::DateTime<chrono::Utc>;
