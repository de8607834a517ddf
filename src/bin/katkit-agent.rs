//! `katkit agent` as a separate small program, for phases whose blobs are in a directory. Small, because every phase
//! starts one and each page costs time to load.

use std::process::ExitCode;

use katkit::config::AgentEnvironment;
use katkit::{agent, blobs, hardening};

fn main() -> ExitCode {
    hardening::protect();
    hardening::close_on_exec();
    agent::main_from_environment(AgentEnvironment::from_environment(), blobs::open_directory)
}
