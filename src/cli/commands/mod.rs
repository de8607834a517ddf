//! One file per command: it parses its arguments, gathers, calls, shows, and returns an exit status.

pub(super) mod agent;
pub(super) mod apply;
pub(super) mod artifacts;
#[cfg(feature = "aws")]
pub(super) mod bootstrap;
pub(super) mod calendar;
pub(super) mod cancel;
mod carry_out;
pub(super) mod completions;
mod converge;
pub(super) mod doctor;
pub(super) mod freeze;
pub(super) mod history;
pub(super) mod import;
pub(super) mod init;
pub(super) mod logs;
mod others;
pub(super) mod pipeline;
pub(super) mod plan;
pub(super) mod promote;
pub(super) mod prune;
pub(super) mod request;
pub(super) mod retry;
pub(super) mod rollback;
pub(super) mod saved;
pub(super) mod schema;
pub(super) mod set;
pub(super) mod simulate;
pub(super) mod skip;
pub(super) mod status;
pub(super) mod thaw;
pub(super) mod unlock;
pub(super) mod validate;
pub(super) mod verify;
pub(super) mod wait;
pub(super) mod why;
pub(super) mod withdraw;
