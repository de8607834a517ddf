//! The integration tests, in one binary: they drive katkit as its users do.
#![allow(missing_docs)]
// Clippy lets tests unwrap, but not their shared functions.
#![allow(clippy::unwrap_used)]

mod agent;
mod architecture;
mod blobs_conformance;
mod cli;
mod conformance;
mod crash;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "aws")]
mod ecs;
mod engines;
mod first_steps;
mod fleet_conformance;
mod formats;
mod fuzz_corpus;
mod git_local;
mod git_remote;
mod git_servers;
mod image_registry;
mod manifest;
mod phase;
mod platform_conformance;
mod process_fleet;
mod readme;
mod reads;
mod registry_conformance;
mod server;
mod servers;
mod state_conformance;
mod words;
mod world;
