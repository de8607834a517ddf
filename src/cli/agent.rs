//! `katkit agent`: what a fleet starts inside of a phase. Not for people.

use std::process::ExitCode;

use clap::Args;

use crate::agent;
use crate::config::AgentEnvironment;

/// Run one replica of a phase, as `LOG_PATH` says
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run() -> ExitCode {
    agent::main_from_environment(AgentEnvironment::from_environment())
}
