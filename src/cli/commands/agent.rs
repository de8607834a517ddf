//! `katkit agent`: started by a fleet inside a phase, never by users.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::agent;
use crate::blobs;
use crate::config::AgentEnvironment;

/// Run one replica of a phase, configured by `LOG_PATH`
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Marks which service this process belongs to; the agent itself reads it from the environment
    #[arg(value_name = "KATKIT_SERVICE=DIR")]
    mark: Option<OsString>,
}

pub(in crate::cli) fn run() -> ExitCode {
    agent::main_from_environment(AgentEnvironment::from_environment(), blobs::open)
}
