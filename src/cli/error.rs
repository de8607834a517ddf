//! Why a command failed, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::ExitStatus;
use crate::app::OpenError;
use crate::causes;
use crate::domain::NameError;
use crate::git::GitError;
use crate::inventory::BadPattern;
use crate::state::StateError;
use crate::views::{DiagnosticsText, Style, visible};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// There is nothing to work with.
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
    /// It could not be found out what may be removed.
    #[error(transparent)]
    Prune(#[from] crate::prune::PruneError),
    /// Not the name of a link.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a pattern for links.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// A file could not be read or written.
    #[error("{path} could not be {action}", path = path.display())]
    File {
        path: PathBuf,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    /// The output could not be written.
    #[error("the output could not be written")]
    Output(#[from] io::Error),
    /// Threads could not be started.
    #[error("katkit could not start its threads")]
    Runtime(#[source] io::Error),
    /// The command line makes no sense.
    #[error("{what}")]
    Usage { what: String, hint: Option<String> },
    /// Something that was asked for makes no sense as things are.
    #[error("{what}")]
    Refused { what: String, hint: Option<String> },
}

impl CommandError {
    /// Something that was asked for makes no sense, and what would.
    pub(super) fn refused(what: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// The command line makes no sense, and what would.
    pub(super) fn usage(what: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// How a command ends that failed so.
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
            Self::Open(OpenError::Place(error)) => Some(error.hint()),
            Self::Open(OpenError::Beyond { .. } | OpenError::NoBase { .. }) => Some(
                "read the proposal with care; what you trust is planned without `--against` and `--base`"
                    .to_owned(),
            ),
            Self::Usage { hint, .. } | Self::Refused { hint, .. } => hint.clone(),
            Self::Name(NameError::NotALink(_)) => {
                Some("name a link as `tenant/link`; `katkit status` lists them".to_owned())
            }
            Self::Blobs(error) => error.hint(),
            Self::Prune(error) => error.hint(),
            #[cfg(feature = "aws")]
            Self::Bootstrap(error) => error.hint(),
            Self::File { action: "written", source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Some("make room there, or name another place".to_owned())
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    Some("let yourself write there, or name another place".to_owned())
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

    /// The error as a person sees it.
    pub(super) fn view<'a>(&'a self, style: Style, here: Option<&'a Path>) -> ErrorText<'a> {
        ErrorText { error: self, style, here }
    }
}

/// An error with its causes and what to do about it.
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
