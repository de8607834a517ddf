//! Entries of all journals alike.

use jiff::Timestamp;

use crate::domain::{Actor, Consent, Event, LinkId, RecordedEvent};

/// An entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditEntry {
    /// An event of a link.
    Event(LinkId, RecordedEvent),
    /// A consent.
    Consent(Consent),
}

/// The kinds of entries.
pub const KINDS: [&str; 33] = [
    "adopted",
    "approval",
    "attempt-ended",
    "attempt-intended",
    "attempt-launched",
    "deploy-ended",
    "deploy-intended",
    "deploy-issued",
    "forgiveness",
    "forgotten",
    "freeze",
    "images-recorded",
    "moved-from",
    "moved-to",
    "override",
    "phase-restored",
    "phase-skipped",
    "pruned",
    "quarantined",
    "refused",
    "rejection",
    "release",
    "requested",
    "run-ended",
    "run-started",
    "service-removed",
    "service-swept",
    "taken-over",
    "thaw",
    "unlocked",
    "verified",
    "withdrawal",
    "withdrawn",
];

impl AuditEntry {
    /// When it was recorded.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(_, recorded) => recorded.at,
            Self::Consent(consent) => consent.at,
        }
    }

    /// Its actor. For a decision on a request: the actor who made the request.
    pub fn by(&self) -> &Actor {
        match self {
            Self::Event(_, recorded) => match &recorded.event {
                Event::Requested { from, .. } | Event::Refused { from, .. } => from,
                Event::Withdrawn { withdrawn_by, .. } => withdrawn_by,
                _ => &recorded.by,
            },
            Self::Consent(consent) => &consent.by,
        }
    }

    /// Its kind: `requested`, `freeze`, …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_, recorded) => recorded.event.word(),
            Self::Consent(consent) => consent.what.word(),
        }
    }
}
