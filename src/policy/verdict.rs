//! Policies, and the judgement of a deployment by them.

use std::time::Duration;

use jiff::Timestamp;

use super::approvals::ApprovalRule;
use super::moment::Moment;
use super::review::ReviewRule;
use super::span::Reading;
use super::window::Window;
use super::zone::Zone;
use crate::domain::{Actor, ConsentId};

/// The conditions that a tenant's deployments must meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// When nothing may be deployed. A freeze takes precedence over `allow`.
    pub freezes: Vec<Freeze>,
    /// When something may be deployed; at any time if there are none.
    pub allow: Vec<Window>,
    /// Whether a commit must be on the branch of its repository, and not older than what is live.
    pub on_branch: bool,
    /// Whether images are deployed by digest: what an earlier stage verified or the run recorded.
    pub pinned: bool,
    /// How many deployments of a link may begin on one day.
    pub per_day: Option<DailyLimit>,
    /// How long a commit of a pipeline must have been live and verified in the stages before.
    pub soak: Option<SoakTime>,
    /// The approvals that a commit needs.
    pub approvals: Vec<ApprovalRule>,
    /// The review that every commit needs which a deployment adds to what is live.
    pub review: Option<ReviewRule>,
}

/// How long a commit must soak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoakTime {
    /// How long it, or a later verified commit, must have been live.
    pub time: Duration,
    /// The only hours that count, if not all do.
    pub hours: Option<Window>,
    /// Whether the stages before take nothing new meanwhile.
    pub train: bool,
}

/// The most deployments of each link that may begin on one civil day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyLimit {
    /// How many.
    pub count: u32,
    /// The zone whose days count.
    pub zone: Zone,
    /// The reason, for people.
    pub why: Option<String>,
}

/// A window in which nothing may be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The window that it covers.
    pub window: Window,
    /// The reason, for people.
    pub why: Option<String>,
    /// Whether rollbacks that are requested must wait as well.
    pub holds_rollbacks: bool,
    /// Why it is in force.
    pub cause: FreezeCause,
}

/// Why a freeze is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreezeCause {
    /// It is a rule of the policy.
    Rule,
    /// An actor gave it.
    ByHand(ByHand),
    /// As many deployments began that day as the policy allows.
    DailyLimit {
        /// How many.
        count: u32,
    },
}

/// Who froze deployments by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The consent that is the freeze.
    pub id: ConsentId,
    /// Who gave it.
    pub by: Actor,
}

/// Why something may not happen now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The first condition that is not met.
    pub first: Condition,
    /// The other conditions that are not met.
    pub others: Vec<Condition>,
    /// The earliest time at which all conditions are met, in the zone of the policy. `None` if that is
    /// more than [`Policy::HORIZON_DAYS`] away, or never.
    pub opens: Option<Moment>,
}

/// A condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No freeze is in force.
    Frozen {
        /// The reason of the freeze.
        why: Option<String>,
        /// When this freeze ends. Another may follow it.
        until: Moment,
        /// Why it is in force.
        cause: FreezeCause,
    },
    /// A window for deployments is open.
    OutsideWindows {
        /// When the next one opens. A freeze may be in force then.
        opens: Option<Moment>,
    },
}

impl Policy {
    /// How far ahead the earliest time is looked for.
    pub const HORIZON_DAYS: i64 = 400;

    /// Whether a deployment may begin at `now`: an upgrade, or an unattended repair.
    pub fn deployment(&self, now: Timestamp) -> Option<Closed> {
        let frozen = self.freezes.iter().filter_map(|freeze| freeze.condition(now));
        let mut conditions: Vec<_> = frozen.chain(self.outside_windows(now)).collect();
        if conditions.is_empty() {
            return None;
        }
        let first = conditions.remove(0);
        let opens = self.opening(now).map(|at| self.zone().at(at));
        Some(Closed { first, others: conditions, opens })
    }

    /// Whether a requested rollback may begin at `now`.
    pub fn rollback(&self, now: Timestamp) -> Option<Closed> {
        let holding = self.freezes.iter().filter(|freeze| freeze.holds_rollbacks).cloned().collect();
        Self { freezes: holding, ..Self::default() }.deployment(now)
    }

    fn outside_windows(&self, now: Timestamp) -> Option<Condition> {
        let is_open = |window: &Window| window.active(now, Reading::Shortest).is_some();
        if self.allow.is_empty() || self.allow.iter().any(is_open) {
            return None;
        }
        let next = self
            .allow
            .iter()
            .filter_map(|window| Some(window.zone().at(window.next(now, Reading::Shortest)?.start)));
        Some(Condition::OutsideWindows { opens: next.min() })
    }
}

impl Freeze {
    fn condition(&self, now: Timestamp) -> Option<Condition> {
        let span = self.window.active(now, Reading::Longest)?;
        let until = self.window.zone().at(span.end);
        Some(Condition::Frozen { why: self.why.clone(), until, cause: self.cause.clone() })
    }
}
