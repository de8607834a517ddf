//! Executes the plan of one link, step by step; see `steps`.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Session;
use super::record::Record;
use super::stop::Stop;
use crate::domain::Epoch;
use crate::plan::LinkPlan;

/// Executes the steps of one link.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkExecutor<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) plan: &'a LinkPlan,
    pub(super) record: &'a Arc<Mutex<Record>>,
    pub(super) stop: &'a Stop,
    pub(super) epoch: Epoch,
}
