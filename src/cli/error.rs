//! Why a command failed, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::ExitStatus;
use crate::app::OpenError;
use crate::attesting::AttestError;
use crate::auditing::AuditError;
use crate::causes;
use crate::domain::{BadPattern, NameError};
use crate::git::GitError;
use crate::queries::WhyError;
use crate::requests::{CommitPrefixError, Refusal, RequestError};
use crate::state::StateError;
use crate::views::{DiagnosticsText, Style, visible};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The manifest, or something it names, could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The record could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A repository could not be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A log, status or artifact could not be read.
    #[error(transparent)]
    Blobs(#[from] crate::blobs::BlobError),
    /// Something could not be created in AWS.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Bootstrap(#[from] crate::bootstrap::BootstrapError),
    /// The record or an export could not be audited.
    #[error(transparent)]
    Audit(AuditError),
    /// There is nothing to attest.
    #[error(transparent)]
    Attest(AttestError),
    /// What to prune could not be determined.
    #[error(transparent)]
    Prune(#[from] crate::prune::PruneError),
    /// An invalid link name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An invalid link pattern.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error("{path} could not be {action}", path = path.display())]
    File {
        path: PathBuf,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the output could not be written")]
    Output(#[from] io::Error),
    #[error("katkit could not start its threads")]
    Runtime(#[source] io::Error),
    /// An invalid command line.
    #[error("{what}")]
    Usage { what: String, hint: Option<String> },
    /// The command line is valid, but the request cannot be carried out in the current state.
    #[error("{what}")]
    Refused { what: String, hint: Option<String> },
}

impl CommandError {
    /// A request that cannot be carried out, and a hint.
    pub(super) fn refused(what: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// An invalid command line, and a hint.
    pub(super) fn usage(what: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// The exit status for this error.
    pub(super) fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage { .. } | Self::Name(_) | Self::Pattern(_) => ExitStatus::Usage,
            _ => ExitStatus::Failure,
        }
    }

    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) | Self::Open(OpenError::State(error)) => error.hint(),
            Self::Git(error) | Self::Open(OpenError::Git(error)) => error.hint(),
            Self::Open(OpenError::Absent { instead, .. }) => Some((*instead).to_owned()),
            Self::Open(OpenError::LocalPath(error)) => Some(error.hint()),
            Self::Open(OpenError::Beyond { .. } | OpenError::NoBase { .. }) => {
                Some("review the proposal; if you trust it, plan without `--against` and `--base`".to_owned())
            }
            Self::Usage { hint, .. } | Self::Refused { hint, .. } => hint.clone(),
            Self::Name(NameError::NotALink(_)) => {
                Some("name a link as `tenant/link`; `katkit status` lists them".to_owned())
            }
            Self::Blobs(error) => error.hint(),
            Self::Prune(error) => error.hint(),
            Self::Audit(error) => error.hint(),
            Self::Attest(error) => error.hint(),
            #[cfg(feature = "aws")]
            Self::Bootstrap(error) => error.hint(),
            Self::File { action: "written", source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Some("make room there, or choose another path".to_owned())
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    Some("get write permission there, or choose another path".to_owned())
                }
                _ => None,
            },
            Self::Open(OpenError::Manifest(_) | OpenError::Executable(_))
            | Self::Name(_)
            | Self::Pattern(_)
            | Self::File { .. }
            | Self::Output(_)
            | Self::Runtime(_) => None,
        }
    }

    /// The error as text.
    pub(super) fn view<'a>(&'a self, style: Style, here: Option<&'a Path>) -> ErrorText<'a> {
        ErrorText { error: self, style, here }
    }
}

impl From<RequestError> for CommandError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(Refusal { what, hint }) => Self::Refused { what, hint },
            RequestError::Commit(error) => error.into(),
            RequestError::State(error) => Self::State(error),
            RequestError::Git(error) => Self::Git(error),
        }
    }
}

impl From<AuditError> for CommandError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::State(error) => Self::State(error),
            AuditError::File { path, action, source } => Self::File { path, action, source },
            AuditError::Log(_) | AuditError::NotEmpty(_) | AuditError::NotAnExport(_) => Self::Audit(error),
        }
    }
}

impl From<AttestError> for CommandError {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::State(error) => Self::State(error),
            AttestError::Commit(error) => error.into(),
            error => Self::Attest(error),
        }
    }
}

impl From<CommitPrefixError> for CommandError {
    fn from(error: CommitPrefixError) -> Self {
        let (what, hint) = (error.to_string(), error.hint());
        match error {
            CommitPrefixError::Invalid(_) => Self::usage(what, hint),
            CommitPrefixError::Ambiguous { .. } => Self::refused(what, hint),
        }
    }
}

impl From<WhyError> for CommandError {
    fn from(error: WhyError) -> Self {
        match error {
            WhyError::State(error) => Self::State(error),
            WhyError::Blobs(error) => Self::Blobs(error),
            WhyError::Commit(error) => error.into(),
        }
    }
}

/// An error with its causes and a hint.
#[derive(Debug)]
pub(super) struct ErrorText<'a> {
    error: &'a CommandError,
    style: Style,
    here: Option<&'a Path>,
}

impl fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let CommandError::Open(OpenError::Manifest(diagnostics)) = self.error {
            let colour = self.style.colour;
            return write!(f, "{}", DiagnosticsText { diagnostics, colour, directory: self.here });
        }
        write!(f, "error: {}", visible(&causes::in_one_line(self.error)))?;
        if let CommandError::Open(OpenError::Beyond { reaches, .. }) = self.error {
            for reach in reaches {
                write!(f, "\n  {}", visible(&reach.to_string()))?;
            }
        }
        match self.error.hint() {
            Some(hint) => write!(f, "\n hint: {}", visible(&hint)),
            None => Ok(()),
        }
    }
}
