//! What the file system said no to, and where: its own error has neither path nor advice.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

#[derive(Debug, thiserror::Error)]
#[error("{path} could not be {action}", path = path.display())]
struct Fault {
    path: PathBuf,
    action: &'static str,
    #[source]
    source: io::Error,
}

/// Adds to an error what was done to which path: `created`, `opened`, `read`, `written`, `removed`, `started`. Its kind
/// stays what it is.
pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |source| io::Error::new(source.kind(), Fault { path: path.to_owned(), action, source })
}

/// Something that can only be done where the agent of a service runs.
#[derive(Debug, thiserror::Error)]
#[error(
    "{who} is at work on it, which is not seen from here: it is in another container, or on another machine"
)]
struct Elsewhere {
    who: String,
}

/// What is said of a service whose agent this process can neither see nor end; `taker`: who took it, if that is known.
pub fn elsewhere(taker: Option<String>) -> io::Error {
    io::Error::other(Elsewhere { who: taker.unwrap_or_else(|| "a process".to_owned()) })
}

/// The system's number of an error, also where a path was added to it.
pub fn errno(error: &io::Error) -> Option<i32> {
    let inner = || error.get_ref()?.downcast_ref::<Fault>()?.source.raw_os_error();
    error.raw_os_error().or_else(inner)
}

/// Why nothing could be made in `directory`, which need not exist, as far as that shows without trying.
pub fn unwritable(directory: &Path) -> Option<io::Error> {
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let error = if there.is_dir() {
        rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).err()?.into()
    } else {
        io::Error::from(Errno::NOTDIR)
    };
    Some(at("written", there)(error))
}

/// What a person can do about it.
pub fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<io::Error>()?;
    if error.get_ref().is_some_and(|inner| inner.is::<Elsewhere>()) {
        return Some("run katkit there, or apply again once that process has ended");
    }
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some("let yourself write there"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("make room there"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Some("move away what stands in the place of that directory")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_where_and_what_to_do_and_keeps_what_the_system_said() {
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
        assert_eq!(error.hint().as_deref(), Some("let yourself write there"));
    }

    #[test]
    fn an_agent_that_is_not_seen_from_here_is_named_with_what_to_do() {
        let source = elsewhere(Some("process 7 on builder".to_owned())).into();
        let error = crate::fleet::FleetError::Unavailable { fleet: "process", action: "stop", source };
        assert_eq!(
            crate::causes::in_one_line(&error),
            "the process fleet could not stop: process 7 on builder is at work on it, which is not seen from here: it is \
             in another container, or on another machine"
        );
        let hint = "run katkit there, or apply again once that process has ended";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
}
