//! The documents of `audit`.

use schemars::JsonSchema;
use serde::Serialize;

use super::search::consent_words;
use crate::audit::{AuditEntry, Finding, Flaw, Report};
use crate::domain::{Consent, ConsentId};
use crate::views::RecordedJson;
use crate::views::json::{ActorJson, KATKIT_VERSION};

/// Entries of all journals, oldest first. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and kinds they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit audit")]
pub struct AuditJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// Whether `--limit` left out older entries.
    pub more: bool,
    /// The entries that match.
    pub entries: Vec<AuditEntryJson<'a>>,
}

/// An entry of a journal: an event of a link, or a consent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditEntryJson<'a> {
    /// The kind of event or consent, as `--kind` takes it.
    pub kind: &'static str,
    /// The event; null for a consent.
    pub event: Option<RecordedJson<'a>>,
    /// The consent; null for an event.
    pub consent: Option<ConsentJson<'a>>,
}

/// A consent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConsentJson<'a> {
    /// Its number in the journal of consents, from 1.
    pub id: u64,
    /// When it was given.
    pub at: String,
    /// The name of the actor.
    pub by: &'a str,
    /// The actor, and how their identity was verified.
    pub actor: ActorJson<'a>,
    /// The reason they gave.
    pub why: Option<&'a str>,
    /// The consents that it ended.
    pub ends: Vec<u64>,
    /// When it expires; null if it only ends others.
    pub until: Option<String>,
    /// The decision in words.
    pub message: String,
}

impl<'a> AuditJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for these entries, oldest first.
    pub fn of(entries: &'a [AuditEntry], more: bool) -> Self {
        let entries = entries.iter().map(AuditEntryJson::from).collect();
        Self { format_version: Self::FORMAT_VERSION, katkit_version: KATKIT_VERSION, more, entries }
    }
}

impl<'a> From<&'a AuditEntry> for AuditEntryJson<'a> {
    fn from(entry: &'a AuditEntry) -> Self {
        let (event, consent) = match entry {
            AuditEntry::Event(link, recorded) => (Some(RecordedJson::of(link, recorded)), None),
            AuditEntry::Consent(consent) => (None, Some(ConsentJson::from(consent))),
        };
        Self { kind: entry.kind(), event, consent }
    }
}

impl<'a> From<&'a Consent> for ConsentJson<'a> {
    fn from(consent: &'a Consent) -> Self {
        let Consent { id, at, by, why, what, ends, previous: _ } = consent;
        Self {
            id: id.0,
            at: at.to_string(),
            by: &by.name,
            actor: by.into(),
            why: why.as_deref(),
            ends: ends.iter().map(|ConsentId(id)| *id).collect(),
            until: what.expires().map(|until| until.to_string()),
            message: consent_words(consent),
        }
    }
}

/// The result of `audit verify`. Compatible changes raise the second number of `format_version`, as in `audit`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit audit-verify")]
pub struct AuditVerificationJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The number of journals.
    pub journals: u64,
    /// The number of their entries.
    pub entries: u64,
    /// How many of these a checkpoint covers.
    pub covered: u64,
    /// How many entries an older katkit recorded without a digest: the next entry with one covers all of them.
    pub older: u64,
    /// How many entries a checkpoint covers and a recorded prune removed.
    pub pruned: u64,
    /// The number of checkpoints.
    pub checkpoints: u64,
    /// The last checkpoint; null if there is none.
    pub last_checkpoint: Option<CheckpointRefJson<'a>>,
    /// Whether signatures were verified.
    pub signatures_verified: bool,
    /// The number of checkpoints that the caller kept and gave.
    pub kept: usize,
    /// What is wrong.
    pub findings: Vec<FlawJson<'a>>,
}

/// When and by whom a checkpoint was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckpointRefJson<'a> {
    /// When, by the clock of the machine.
    pub at: String,
    /// Who made it.
    pub actor: ActorJson<'a>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FlawJson<'a> {
    /// The journal: `tenant/link` or `consents`; null for the log of checkpoints.
    pub journal: Option<&'a str>,
    /// The kind of problem.
    pub kind: &'static str,
    /// The number of the first entry that it is about; null if it is about none.
    pub entry: Option<u64>,
    /// The problem as a lowercase fragment.
    pub message: String,
}

impl<'a> AuditVerificationJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for a report.
    pub fn of(report: &'a Report) -> Self {
        let Report {
            journals,
            entries,
            covered,
            older,
            pruned,
            checkpoints,
            last,
            signatures,
            kept,
            findings,
            ..
        } = report;
        let last = last.as_ref().map(|(at, by)| CheckpointRefJson { at: at.to_string(), actor: by.into() });
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            ok: findings.is_empty(),
            journals: *journals,
            entries: *entries,
            covered: *covered,
            older: *older,
            pruned: *pruned,
            checkpoints: *checkpoints,
            last_checkpoint: last,
            signatures_verified: *signatures,
            kept: *kept,
            findings: findings.iter().map(FlawJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Finding> for FlawJson<'a> {
    fn from(Finding { journal, flaw }: &'a Finding) -> Self {
        let (kind, entry) = match flaw {
            Flaw::Changed { entry, by: _ } => ("changed", Some(*entry)),
            Flaw::Missing { from, .. } => ("missing", Some(*from)),
            Flaw::OutOfOrder { entry, .. } => ("out-of-order", Some(*entry)),
            Flaw::Unchained { entry } => ("unchained", Some(*entry)),
            Flaw::Rewritten { from, .. } => ("rewritten", Some(*from)),
            Flaw::Cut { from, .. } => ("cut", Some(*from)),
            Flaw::Beginning { entry } => ("beginning", Some(*entry)),
            Flaw::Moved { entry, .. } => ("moved", Some(*entry)),
            Flaw::Head => ("head", None),
            Flaw::Beyond { entry } => ("beyond", Some(*entry)),
            Flaw::Unreadable { .. } => ("unreadable", None),
            Flaw::Checkpoint { .. } => ("checkpoint", None),
            Flaw::NoCheckpoint => ("no-checkpoint", None),
            Flaw::Kept { .. } => ("kept-checkpoint", None),
        };
        Self { journal: journal.as_deref(), kind, entry, message: flaw.to_string() }
    }
}

/// The result of `audit checkpoint`. Compatible changes raise the second number of `format_version`, as in `audit`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit audit-checkpoint")]
pub struct CheckpointJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The number of the last checkpoint.
    pub checkpoint: u64,
    /// The number of journals that changed since the checkpoint before; 0 if no checkpoint was made.
    pub journals: usize,
    /// The signed note of the last checkpoint.
    pub note: &'a str,
    /// The key that verifies it; null if it was signed with an earlier key.
    pub key: Option<String>,
    /// What is wrong with journals, which the checkpoint leaves out.
    pub findings: Vec<FlawJson<'a>>,
}

impl<'a> CheckpointJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for a checkpoint: its number, and how many journals changed.
    pub fn of(
        (checkpoint, journals): (u64, usize),
        note: &'a str,
        key: Option<String>,
        findings: &'a [Finding],
    ) -> Self {
        let (format_version, katkit_version) = (Self::FORMAT_VERSION, KATKIT_VERSION);
        let findings = findings.iter().map(FlawJson::from).collect();
        Self { format_version, katkit_version, checkpoint, journals, note, key, findings }
    }
}
