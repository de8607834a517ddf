//! Logs of phases: harmless on a terminal, told apart by replica, and as events for programs.
//!
//! A log is what a stranger's code printed, perhaps a hundred megabytes of it: everything here takes it piece by piece
//! and keeps no more than a few bytes from one piece to the next.

mod clean;
mod decode;
mod event;
mod running;
mod sgr;
mod speakers;

pub use clean::Cleaner;
pub use decode::Decoder;
pub use event::{AwaitedRun, LogEvent, LogHeading, LogLine, RunEnding};
pub use running::{FailedPhase, RunningPhase, RunningText};
pub use speakers::{Speakers, stamp};

use super::visible;

/// A line of a log by itself, without anything that steers a terminal.
pub fn log_line(line: &str) -> String {
    let mut cleaner = Cleaner::new(false);
    let mut text = String::new();
    cleaner.clean(line.as_bytes(), &mut text);
    cleaner.finish(&mut text);
    visible(&text.replace('\t', "    ")).into_owned()
}
