//! A search for the history that breaks katkit.
//!
//! Everything of katkit that plans and acts is the real code: inventory, planner, journal, executor, recovery, leases,
//! sweeping. What it acts on is simulated, on a clock that jumps from one thing to the next: the record, the blobs, a fleet
//! with agents, a platform, repositories. Each call to these may be refused, take effect without an answer, be late, be
//! delivered twice, or be the last of its process; processes freeze; people push, retry, cancel, roll back and meddle
//! meanwhile. Then everything calms down, and `apply` has to bring all links to rest.
//!
//! Everything that happens in a scenario depends on its data alone, so that a seed can be replayed and made smaller:
//!
//! ```text
//! scenario ── run ─┬─ process ── gate ─┬─ state, blobs, fleet (agents), platform, repositories ── world
//!                  ├─ people           │                                                            │
//!                  └─ settle           └─ faults                                        invariants ─┘
//! ```

pub mod agent;
pub mod blobs;
pub mod dice;
pub mod fleet;
pub mod gate;
pub mod invariants;
pub mod lease;
pub mod order;
pub mod people;
pub mod platform;
pub mod process;
pub mod report;
pub mod repositories;
pub mod requests;
pub mod run;
pub mod scenario;
pub mod search;
pub mod shrink;
pub mod state;
pub mod world;
