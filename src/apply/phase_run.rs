//! One phase of a run in progress: what its attempts share.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Session;
use super::record::Record;
use super::stop::Stop;
use crate::domain::{CommitSha, Epoch, Execution, LinkId, Phase, RunId};

/// One phase of one run, with everything its execution uses.
#[derive(Clone, Debug)]
pub(super) struct PhaseRun {
    pub(super) session: Arc<Session>,
    pub(super) record: Arc<Mutex<Record>>,
    pub(super) link: LinkId,
    pub(super) epoch: Epoch,
    pub(super) run: RunId,
    pub(super) sha: CommitSha,
    pub(super) phase: Phase,
    pub(super) execution: Execution,
    pub(super) stop: Stop,
}
