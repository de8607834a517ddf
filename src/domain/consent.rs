//! Consents: what actors decided about deployments that are yet to come.
//!
//! A request asks for something to happen once and is granted or refused. A consent stands until it expires or another
//! ends it, and every decision in between takes it into account.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, Changes, CommitReview, CommitSha, EntryDigest, GateName, LinkId, LinkPatterns};

/// The place of a consent in the journal of consents, from 1; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsentId(pub u64);

impl fmt::Display for ConsentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An entry of the journal of consents. It is never changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Its place in the journal.
    pub id: ConsentId,
    /// When it was given.
    pub at: Timestamp,
    /// Who gave it.
    pub by: Actor,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What they decided.
    pub what: ConsentKind,
    /// The earlier consents that no longer stand because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<ConsentId>,
    /// The digest of the consent before it. The first has none, nor have those that an older katkit recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<EntryDigest>,
}

/// What an actor decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "consent", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConsentKind {
    /// Nothing may be deployed to these links for a while.
    Freeze {
        /// The links, including those that a manifest adds later.
        links: LinkPatterns,
        /// When it ends.
        until: Timestamp,
        /// The time zone in which people see that time.
        zone: String,
        /// Whether requested rollbacks must wait as well.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        holds_rollbacks: bool,
    },
    /// The freezes that it ends no longer hold anything.
    Thaw,
    /// These changes may be deployed to a link.
    Approval {
        /// The link.
        link: LinkId,
        /// The changes.
        changes: Box<Changes>,
        /// The digests of the approval rules for which it counts.
        rules: Vec<String>,
        /// When it expires.
        until: Timestamp,
    },
    /// The approvals that it ends no longer count.
    Withdrawal,
    /// Neither a commit nor any that contains it may run at a link. In a pipeline, this holds the other links of its stage
    /// and the stages after it as well.
    Rejection {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
    },
    /// The rejections that it ends no longer hold anything.
    Release,
    /// A commit may run at a link for a while although some conditions are not met. While it is live, this is a debt: no
    /// other commit may run before those conditions are met.
    Override {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
        /// The conditions that are overridden. Not empty.
        gates: Vec<GateName>,
        /// The conditions that earlier overrides still owe: this one takes over their debts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        owes: Vec<GateName>,
        /// The overrides whose debts it takes over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        takes_over: Vec<ConsentId>,
        /// What needs approvals, if the policy requires any: the commits since the last that owes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changes: Option<Box<Changes>>,
        /// The commits that lack a review which the policy requires, the oldest first: those that earlier overrides owe,
        /// and those that it adds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreviewed: Vec<CommitSha>,
        /// Until when the commit may start or be deployed.
        until: Timestamp,
    },
    /// The debts of the overrides that it ends are forgiven.
    Forgiveness,
    /// How a commit was reviewed and checked. It counts, with others for the same commit, until these are withdrawn.
    Evidence {
        /// The commit.
        sha: CommitSha,
        /// What is known of it.
        review: Box<CommitReview>,
    },
    /// The evidence for a commit no longer counts.
    EvidenceWithdrawal {
        /// The commit.
        sha: CommitSha,
    },
}

impl ConsentKind {
    /// Its name in output: `freeze`, `thaw`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Freeze { .. } => "freeze",
            Self::Thaw => "thaw",
            Self::Approval { .. } => "approval",
            Self::Withdrawal => "withdrawal",
            Self::Rejection { .. } => "rejection",
            Self::Release => "release",
            Self::Override { .. } => "override",
            Self::Forgiveness => "forgiveness",
            Self::Evidence { .. } => "evidence",
            Self::EvidenceWithdrawal { .. } => "evidence-withdrawal",
        }
    }

    /// The one link that it is for, if it is.
    pub fn link_mut(&mut self) -> Option<&mut LinkId> {
        match self {
            Self::Approval { link, .. } | Self::Rejection { link, .. } | Self::Override { link, .. } => {
                Some(link)
            }
            Self::Freeze { .. } | Self::Thaw | Self::Withdrawal | Self::Release | Self::Forgiveness => None,
            Self::Evidence { .. } | Self::EvidenceWithdrawal { .. } => None,
        }
    }

    /// Whether it stands until it expires or another ends it, for all that is decided from then on. Evidence is looked up
    /// by its commit instead, and the others only end some.
    pub fn stands(&self) -> bool {
        match self {
            Self::Freeze { .. } | Self::Approval { .. } | Self::Rejection { .. } | Self::Override { .. } => {
                true
            }
            Self::Thaw | Self::Withdrawal | Self::Release | Self::Forgiveness => false,
            Self::Evidence { .. } | Self::EvidenceWithdrawal { .. } => false,
        }
    }

    /// When it expires. An override does not: its debt may outlast it.
    pub fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Freeze { until, .. } | Self::Approval { until, .. } => Some(*until),
            Self::Rejection { .. } | Self::Override { .. } => None,
            Self::Thaw | Self::Withdrawal | Self::Release | Self::Forgiveness => None,
            Self::Evidence { .. } | Self::EvidenceWithdrawal { .. } => None,
        }
    }
}
