//! katkit brings every environment to the commit that its manifest asks for.
//!
//! The modules below are listed from the leaves to the edges; each may use those above it, as
//! `tests/it/architecture.rs` holds. `docs/architecture.md` is the essay on why.

// Leaves: use nothing of ours.
pub mod domain;

// Pure: domain and what is named here; never I/O, clock, environment or hash maps.
pub mod description;
pub mod manifest;
pub mod views;
pub mod workflow;

// Ports: a trait and its adapters; use domain only, never each other.
pub mod blobs;
pub mod fleet;
pub mod git;
pub mod platform;
pub mod state;

// Use cases: pure modules, ports and the clock.
pub mod agent;
