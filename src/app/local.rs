//! The record, if it can be read without a network.

use std::time::Duration;

use crate::manifest::{Manifest, StateConfig};
use crate::state::{SqliteState, State};

/// The manifest's record, if it is an existing file that is not locked.
pub fn local_record(manifest: &Manifest) -> Option<impl State> {
    match &manifest.state {
        StateConfig::Sqlite { path, .. } if !super::stores::is_absent(path) => {
            SqliteState::open_with_patience(path, Duration::ZERO).ok()
        }
        StateConfig::Sqlite { .. } | StateConfig::Dynamodb { .. } => None,
    }
}
