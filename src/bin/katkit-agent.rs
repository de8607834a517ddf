//! `katkit agent` as a program of its own, for phases whose blobs are in a directory: a small one, because each phase
//! starts one, and the system needs time for every page of it.

use std::process::ExitCode;

use katkit::config::AgentEnvironment;
use katkit::{agent, blobs, hardening};

fn main() -> ExitCode {
    hardening::protect();
    hardening::close_on_exec();
    agent::main_from_environment(AgentEnvironment::from_environment(), blobs::open_directory)
}
