//! `katkit agent`: what a fleet starts inside of a phase. Not for people.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::agent;
use crate::blobs;
use crate::config::AgentEnvironment;

/// Run one replica of a phase, as `LOG_PATH` says
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What shows of which service this process is. The environment says the same to the agent itself
    #[arg(value_name = "KATKIT_SERVICE=DIR")]
    mark: Option<OsString>,
}

pub(super) fn run() -> ExitCode {
    agent::main_from_environment(AgentEnvironment::from_environment(), blobs::open)
}
