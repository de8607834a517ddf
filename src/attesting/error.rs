//! Why there is nothing to attest.

use crate::domain::{CommitSha, Head, LinkId, PhaseName};
use crate::journal::{IllegalMove, Withdrawal};
use crate::requests::CommitPrefixError;
use crate::state::StateError;

/// Why nothing was attested.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The record could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The text given for a commit does not identify one.
    #[error(transparent)]
    Commit(#[from] CommitPrefixError),
    /// The journal is damaged.
    #[error("the journal of `{link}` is invalid")]
    Journal {
        /// The link.
        link: LinkId,
        /// What is wrong with it.
        #[source]
        source: IllegalMove,
    },
    /// No commit was given, and there is no default.
    #[error("nothing is live in `{0}`, and nothing was verified there")]
    NoCommit(LinkId),
    /// No recorded commit begins with these digits.
    #[error("no commit that begins with `{text}` ran in `{link}`")]
    UnknownCommit {
        /// The link.
        link: LinkId,
        /// The digits.
        text: String,
    },
    /// The commit never ran through the workflow, or that is no longer on record.
    #[error("no run of `{link}` for {sha} is on record", sha = .sha.short())]
    NoRun {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
    },
    /// The link left the manifest, and the record does not say from which repository its commits are.
    #[error("`{0}` is not in the manifest, which names its repository")]
    NoRepository(LinkId),
    /// No phase said that it built an image.
    #[error("{}", not_built(link, sha, found.as_deref()))]
    NotBuilt {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
        /// An image whose digest a registry reported.
        found: Option<Box<str>>,
    },
    /// Another link built the images.
    #[error("`{link}` did not build {sha}: `{phase}` did not run there, since `{other}` had built its images",
        sha = .sha.short(), phase = .by.0, other = .by.1)]
    BuiltElsewhere {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
        /// The phase that did not run, and the link that built its images.
        by: Box<(PhaseName, LinkId)>,
    },
    /// There is no evidence that the commit is good.
    #[error("{}", not_verified(link, sha, withdrawn.as_deref()))]
    NotVerified {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
        /// Why there is no evidence any longer, if there was.
        withdrawn: Option<Box<Withdrawal>>,
    },
    /// The commit ran when the link was adopted.
    #[error("{sha} was adopted in `{link}`: no run has verified it", sha = .sha.short())]
    Adopted {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
    },
    /// Nothing was deployed by its digest.
    #[error("{}", no_digest(link, sha, image.as_deref()))]
    NoDigest {
        /// The link.
        link: LinkId,
        /// The commit.
        sha: CommitSha,
        /// An image that was deployed.
        image: Option<Box<str>>,
    },
}

impl AttestError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Commit(error) => Some(error.hint()),
            Self::Journal { link, .. } => Some(format!("`katkit doctor {link}` says how to fix it")),
            Self::NoCommit(_) => Some("name a commit".to_owned()),
            Self::UnknownCommit { link, .. } | Self::NoRun { link, .. } => {
                Some(format!("`katkit history {link}` shows its runs"))
            }
            Self::NoRepository(_) => {
                Some("use a revision of the manifest that still has the link".to_owned())
            }
            Self::NotBuilt { .. } => Some(
                "let the phase that builds an image list it in `katkit-images.txt`, and build a new commit"
                    .to_owned(),
            ),
            Self::BuiltElsewhere { sha, by, .. } => {
                Some(format!("use `katkit attest provenance {} {sha}`", by.1))
            }
            Self::NotVerified { link, sha, .. } => Some(format!("`katkit why {link} {sha}` explains it")),
            Self::Adopted { .. } => {
                Some("deploy a commit; the run that verifies it can be attested".to_owned())
            }
            Self::NoDigest { .. } => Some(
                "add `digest = \"pinned\"` to the policy of the tenant, and deploy a new commit".to_owned(),
            ),
        }
    }
}

fn not_built(link: &LinkId, sha: &CommitSha, found: Option<&str>) -> String {
    let what = format!("no phase of `{link}` listed an image that it built for {}", sha.short());
    match found {
        None => what,
        Some(image) => format!(
            "{what}: the digest of `{image}` is that of its registry, which does not say what built it"
        ),
    }
}

fn not_verified(link: &LinkId, sha: &CommitSha, withdrawn: Option<&Withdrawal>) -> String {
    let sha = sha.short();
    match withdrawn {
        None => format!("{sha} was not verified in `{link}`"),
        Some(Withdrawal::RolledBack { why }) => format!("{sha} was rolled back in `{link}`: {why}"),
        Some(Withdrawal::PassedOver) => {
            format!("{sha} no longer counts as verified in `{link}`: a rollback went further back")
        }
        Some(Withdrawal::RunFailed) => {
            format!("{sha} no longer counts as verified in `{link}`: its run was repeated and failed")
        }
        Some(Withdrawal::Superseded) => {
            format!("{sha} is not among the last {} commits that were verified in `{link}`", Head::VERIFIED)
        }
    }
}

fn no_digest(link: &LinkId, sha: &CommitSha, image: Option<&str>) -> String {
    let sha = sha.short();
    match image {
        None => format!("the run that verified {sha} in `{link}` deployed nothing"),
        Some(image) => format!("`{link}` deployed {sha} by tag, and nothing says what `{image}` contained"),
    }
}
