//! Adds the path and a hint to file system errors, which have neither.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

#[derive(Debug, thiserror::Error)]
#[error("{path} could not be {action}", path = path.display())]
struct ClaimError {
    path: PathBuf,
    action: &'static str,
    #[source]
    source: io::Error,
}

/// Adds the path and the failed action to an error: `created`, `opened`, `read`, `written`, `removed`, `started`. Keeps
/// the error's kind.
pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |source| io::Error::new(source.kind(), ClaimError { path: path.to_owned(), action, source })
}

/// An action that is only possible where the service's agent runs.
#[derive(Debug, thiserror::Error)]
#[error("{who} is working on it, out of reach from here: in another container or on another machine")]
struct Elsewhere {
    who: String,
}

/// The error for a service whose agent this process can neither see nor kill. `taker` is the process that claimed it,
/// if known.
pub fn elsewhere(taker: Option<String>) -> io::Error {
    io::Error::other(Elsewhere { who: taker.unwrap_or_else(|| "a process".to_owned()) })
}

/// The OS error number, even if [`at`] added a path.
pub fn errno(error: &io::Error) -> Option<i32> {
    let inner = || error.get_ref()?.downcast_ref::<ClaimError>()?.source.raw_os_error();
    error.raw_os_error().or_else(inner)
}

/// The error that would keep a file from being created in `directory`, which need not exist. Checks without writing.
pub fn unwritable(directory: &Path) -> Option<io::Error> {
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let error = if there.is_dir() {
        rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).err()?.into()
    } else {
        io::Error::from(Errno::NOTDIR)
    };
    Some(at("written", there)(error))
}

/// What the user can do about it.
pub fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<io::Error>()?;
    if error.get_ref().is_some_and(|inner| inner.is::<Elsewhere>()) {
        return Some("run katkit there, or apply again once that process has ended");
    }
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some("make it writable for this user"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("make room there"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Some("rename or remove the file in place of that directory")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_path_the_system_error_and_a_hint() {
        let path = Path::new("/srv/services/x/service.lock");
        let error = at("opened", path)(io::Error::from(Errno::ROFS));
        assert_eq!(errno(&error), Some(Errno::ROFS.raw_os_error()));
        let error = crate::fleet::FleetError::Unavailable {
            fleet: "process",
            action: "remove",
            source: error.into(),
        };
        assert_eq!(
            crate::causes::in_one_line(&error),
            "the process fleet could not remove: /srv/services/x/service.lock could not be opened: \
             Read-only file system (os error 30)"
        );
        assert_eq!(error.hint().as_deref(), Some("make it writable for this user"));
    }

    #[test]
    fn an_agent_out_of_reach_is_named_with_a_hint() {
        let source = elsewhere(Some("process 7 on builder".to_owned())).into();
        let error = crate::fleet::FleetError::Unavailable { fleet: "process", action: "stop", source };
        assert_eq!(
            crate::causes::in_one_line(&error),
            "the process fleet could not stop: process 7 on builder is working on it, out of reach from here: \
             in another container or on another machine"
        );
        let hint = "run katkit there, or apply again once that process has ended";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
}
