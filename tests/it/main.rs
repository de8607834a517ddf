//! The integration tests, in one binary: they drive katkit as its users do.
#![allow(missing_docs)]

mod agent;
mod blobs_conformance;
mod fuzz_corpus;
mod git_local;
mod git_remote;
mod manifest;
mod process_fleet;
mod state_conformance;
