//! The evidence that was handed in for commits.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::json::{ActorJson, KATKIT_VERSION};
use super::moment::second;
use super::terminal::{hang, visible};
use super::{Style, TextStyle};
use crate::domain::{CommitReview, CommitSha, Consent, ConsentKind, enumerated};

/// Commits, each with the consents that are evidence for it.
pub type CommitEvidence<'a> = (&'a CommitSha, Vec<&'a Consent>);

/// The evidence for commits, as text.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceText<'a> {
    /// The evidence.
    pub commits: &'a [CommitEvidence<'a>],
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for EvidenceText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, style } = *self;
        for (sha, consents) in commits {
            writeln!(f, "{}", style.paint(TextStyle::Bold, sha.short()))?;
            if consents.is_empty() {
                f.write_str(&hang("  ", 2, "no evidence", style))?;
            }
            for Consent { id, at, by, why, what, .. } in consents {
                let ConsentKind::Evidence { review, .. } = what else { continue };
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                let heading = format!("evidence {id} by {by}, {} UTC{why}", second(*at));
                f.write_str(&hang("  ", 4, &visible(&heading), style))?;
                for line in lines(review) {
                    f.write_str(&hang("    ", 6, &visible(&line), style))?;
                }
            }
        }
        Ok(())
    }
}

/// A line for each statement. Not escaped yet.
fn lines(CommitReview { pull_request, approved_by, checks }: &CommitReview) -> impl Iterator<Item = String> {
    let pull_request = pull_request.iter().map(|it| format!("pull request {it}"));
    let people: Vec<_> = approved_by.iter().map(ToString::to_string).collect();
    let approvals = (!people.is_empty()).then(|| format!("approved by {}", enumerated(&people)));
    let checks = checks.iter().map(|(name, outcome)| format!("check `{name}`: {}", outcome.word()));
    pull_request.chain(approvals).chain(checks)
}

/// What evidence says, as a lowercase fragment for a line of its own. Not escaped yet.
pub(super) fn words(review: &CommitReview) -> String {
    lines(review).collect::<Vec<_>>().join(", ")
}

/// The evidence for commits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of katkit that wrote it.
    pub katkit_version: &'static str,
    /// The commits that were named, in that order.
    pub commits: Vec<CommitEvidenceJson<'a>>,
}

/// The evidence for a commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CommitEvidenceJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// What was handed in and not withdrawn, oldest first. A later result of a check replaces an earlier one.
    pub evidence: Vec<StatementJson<'a>>,
}

/// Evidence that an actor handed in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StatementJson<'a> {
    /// Its number in the journal of consents.
    pub id: u64,
    /// When it was handed in.
    pub at: String,
    /// Who handed it in. It counts for the links on which they have the right `evidence`.
    pub by: ActorJson<'a>,
    /// The reason they gave; null if there is none.
    pub why: Option<&'a str>,
    /// The pull request: a number or a URL; null if none was named.
    pub pull_request: Option<&'a str>,
    /// Who approved the pull request.
    pub approved_by: Vec<&'a str>,
    /// How each check ended: `success` or `failure`.
    pub checks: BTreeMap<&'a str, &'static str>,
}

impl<'a> EvidenceJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The evidence as JSON.
    pub fn of(commits: &'a [CommitEvidence<'a>]) -> Self {
        let statement = |consent: &&'a Consent| {
            let Consent { id, at, by, why, what, .. } = *consent;
            let ConsentKind::Evidence { review, .. } = what else { return None };
            let CommitReview { pull_request, approved_by, checks } = &**review;
            Some(StatementJson {
                id: id.0,
                at: at.to_string(),
                by: by.into(),
                why: why.as_deref(),
                pull_request: pull_request.as_deref(),
                approved_by: approved_by.iter().map(|name| name.as_str()).collect(),
                checks: checks.iter().map(|(name, outcome)| (name.as_str(), outcome.word())).collect(),
            })
        };
        let commit = |(sha, consents): &'a CommitEvidence<'a>| CommitEvidenceJson {
            sha: sha.as_str(),
            evidence: consents.iter().filter_map(statement).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            commits: commits.iter().map(commit).collect(),
        }
    }
}
