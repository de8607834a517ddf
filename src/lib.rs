//! katkit brings every environment to the commit its manifest asks for.
//!
//! The modules are listed from the leaves to the edges. Each layer may use only those above it and, where the table in
//! `tests/it/architecture.rs` allows it, modules of its own. `docs/architecture.md` explains why.

// Leaves: use nothing of ours.
#[cfg(feature = "aws")]
pub mod aws;
pub mod causes;
pub mod clock;
pub mod config;
#[cfg(feature = "docker")]
pub mod docker;
pub mod domain;
pub mod hardening;
pub mod hints;
pub mod liveness;
pub mod telemetry;

// Pure: use the domain and each other; never I/O, clock, environment or hash maps.
pub mod access;
pub mod attestation;
pub mod audit;
pub mod description;
pub mod journal;
pub mod lenient_json;
pub mod manifest;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod report;
pub mod views;
pub mod workflow;

// Ports: a trait and its adapters each; use the domain only, never each other.
pub mod blobs;
pub mod fleet;
pub mod git;
pub mod platform;
pub mod registry;
pub mod state;

// Use cases: use pure modules, ports and the clock.
pub mod agent;
pub mod apply;
pub mod attesting;
pub mod auditing;
#[cfg(feature = "aws")]
pub mod bootstrap;
pub mod consents;
pub mod doctor;
pub mod estate;
pub mod inventory;
pub mod prune;
pub mod queries;
pub mod requests;
pub mod secrets;
pub mod verify;

// Edges.
pub mod app;
pub mod cli;
pub mod manifest_at;
pub mod manifest_files;
