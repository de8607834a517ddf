//! Repositories, and real servers on loopback that serve them.

mod https;
mod repo;
mod sshd;

pub use https::Https;
pub use repo::{Repo, clone, git};
pub use sshd::Sshd;

use std::ffi::OsString;

/// Environment variables for a child process.
pub type Environment = Vec<(OsString, OsString)>;
