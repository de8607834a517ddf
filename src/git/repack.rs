//! When and how the packs of a mirror are merged: every fetch adds one, and a lookup may search all of them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::bare;

/// Merges the smallest packs until each one holds at least twice as many objects as the next smaller one, so that most
/// repacks are cheap and few packs remain. It keeps every object, referenced or not. Needs git 2.32.
///
/// A user's `repack.writeBitmaps` would make it fail, and nobody fetches from a mirror over dumb HTTP (`-n`).
pub(super) const COMMAND: &[&str] =
    &["repack", "--geometric=2", "-d", "-n", "--quiet", "--no-write-bitmap-index"];

/// The time limit of a repack.
pub(super) const LONGEST: Duration = Duration::from_mins(10);

/// When a mirror is repacked: after a fetch that leaves too many packs, but not too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepackSchedule {
    /// The most packs that are left alone.
    pub packs: usize,
    /// The shortest time between two repacks, also if the first one failed or was killed.
    ///
    /// It has to be longer than a reader takes to list the packs: if two repacks happen meanwhile, the list can miss
    /// both the old pack of an object and its new one.
    pub interval: Duration,
}

impl Default for RepackSchedule {
    fn default() -> Self {
        // As many packs as git itself leaves alone (git-config(1), `gc.autoPackLimit`).
        Self { packs: 50, interval: Duration::from_hours(1) }
    }
}

/// Whether to repack this mirror now. If so, records that a repack was started.
pub(super) fn is_due(directory: &Path, schedule: RepackSchedule) -> io::Result<bool> {
    let packs = bare::entries(&directory.join("objects/pack"))?;
    let packs = packs.iter().filter(|entry| entry.path().extension().is_some_and(|kind| kind == "idx"));
    if packs.count() <= schedule.packs {
        return Ok(false);
    }
    let stamp = directory.join(bare::REPACKED);
    match stamp.metadata().and_then(|stamp| stamp.modified()) {
        // A time in the future means that a clock was wrong.
        Ok(last) if last.elapsed().is_ok_and(|since| since < schedule.interval) => return Ok(false),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create(stamp)?.set_modified(SystemTime::now())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_mirror_is_repacked_when_it_has_many_packs_and_the_last_repack_was_long_ago() {
        let root = tempfile::tempdir().unwrap();
        let mirror = root.path().join("mirror");
        bare::create(&mirror).unwrap();
        let schedule = RepackSchedule { packs: 2, interval: Duration::from_hours(1) };
        let due = || is_due(&mirror, schedule).unwrap();
        for pack in 0..3 {
            assert!(!due());
            for kind in ["pack", "idx", "rev"] {
                fs::write(mirror.join(format!("objects/pack/pack-{pack}.{kind}")), "").unwrap();
            }
        }
        assert!(due());
        assert!(!due(), "the first one may have failed: it is not repeated at once");

        let stamp = || File::options().write(true).open(mirror.join(bare::REPACKED)).unwrap();
        let now = SystemTime::now();
        stamp().set_modified(now - Duration::from_mins(59)).unwrap();
        assert!(!due());
        stamp().set_modified(now - Duration::from_mins(61)).unwrap();
        assert!(due() && !due());
        stamp().set_modified(now + Duration::from_hours(48)).unwrap();
        assert!(due(), "a wrong clock must not end repacks");
    }
}
