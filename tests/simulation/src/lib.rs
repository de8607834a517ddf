//! A search for a history that breaks katkit.
//!
//! All planning and acting is katkit's real code: inventory, planner, journal, executor, recovery, leases, sweeping.
//! Everything it acts on is simulated, on a clock that jumps from event to event: the record, the blobs, a fleet with
//! agents, a platform, repositories. Any call to these may be refused, lose its answer, arrive late, be delivered
//! twice, or be the last of its process. Processes freeze; meanwhile users push, retry, cancel, roll back and interfere
//! by hand. Then the faults stop, and `apply` has to bring every link to rest.
//!
//! A scenario's data determines everything that happens in it, so a seed can be replayed and shrunk:
//!
//! ```text
//! scenario ── run ─┬─ process ── gate ─┬─ state, blobs, fleet (agents), platform, repositories ── world
//!                  ├─ people           │                                                            │
//!                  └─ settle           └─ faults                                        invariants ─┘
//! ```

pub mod agent;
mod approvals;
mod barriers;
pub mod blobs;
pub mod daily;
mod decisions;
pub mod dice;
pub mod fleet;
mod freezes;
pub mod gate;
pub mod invariants;
pub mod lease;
pub mod order;
pub mod people;
mod pinning;
pub mod platform;
pub mod process;
mod pull_requests;
pub mod report;
pub mod repositories;
pub mod requests;
mod reviews;
pub mod run;
pub mod scenario;
pub mod search;
pub mod shrink;
pub mod state;
mod working_hours;
pub mod world;
