//! Marks a file with its link: beside `shop.json`, `.shop.link` names the link that wrote it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::{FormerName, LinkId};
use crate::platform::{PlatformError, is_own};

use super::unavailable;

/// Longer content cannot be the name of a link.
const LARGEST: u64 = 1024;

/// The path of the mark beside a file.
fn path_of(file: &Path, link: &LinkId) -> PathBuf {
    file.with_file_name(format!(".{}.link", link.link))
}

/// Fails if another link wrote the file. A file without a mark was written by hand.
pub(super) fn check(file: &Path, link: &LinkId, formerly: &[FormerName]) -> Result<(), PlatformError> {
    let path = path_of(file, link);
    let by = match read(&path) {
        Ok(by) => by,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unavailable(&path, "read", error)),
    };
    if by.is_empty() || is_own(&by, link, formerly) {
        return Ok(());
    }
    Err(PlatformError::Taken {
        link: link.clone(),
        place: file.display().to_string(),
        by,
        hint: format!(
            "give one of them another `path`; or, if the other is gone or renamed, hand the file over: remove {}",
            path.display()
        ),
    })
}

/// Marks a file that is about to be written. Fails if another link marked it first.
pub(super) fn set(file: &Path, link: &LinkId, formerly: &[FormerName]) -> Result<(), PlatformError> {
    let path = path_of(file, link);
    // Reported for the file itself: the mark means nothing to the user.
    let refused = |error: io::Error| PlatformError::Refused {
        place: file.display().to_string(),
        action: "written",
        source: error.into(),
    };
    let write = |mut mark: File| {
        mark.write_all(link.to_string().as_bytes())?;
        // As durable as the file it marks: after a power loss an empty mark would have no owner.
        mark.sync_all()
    };
    let mut options = File::options();
    options.write(true).custom_flags(no_follow());
    match options.clone().create_new(true).open(&path) {
        Ok(new) => write(new).map_err(refused),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Its writer died before writing the content.
            let empty = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == 0);
            // A mark with a former name is overwritten, after it has been truncated.
            let is_old = read(&path).is_ok_and(|by| by != link.to_string() && is_own(&by, link, formerly));
            if empty || is_old {
                options.truncate(true).open(&path).and_then(write).map_err(refused)?;
            }
            check(file, link, formerly)
        }
        Err(error) => Err(refused(error)),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    let file = File::options().read(true).custom_flags(no_follow()).open(path)?;
    file.take(LARGEST).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).trim().escape_debug().to_string())
}

/// Flags that reject symbolic links and do not block on pipes.
pub(super) fn no_follow() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed()
}
