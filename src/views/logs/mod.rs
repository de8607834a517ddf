//! Logs of phases: made safe for a terminal, labelled by replica, and as events for programs.
//!
//! A log is the output of untrusted code, perhaps a hundred megabytes of it: everything here takes it in chunks and
//! keeps only a few bytes from one chunk to the next.

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

/// A single line of a log, without terminal control sequences.
pub fn log_line(line: &str) -> String {
    let mut cleaner = Cleaner::new(false);
    let mut text = String::new();
    cleaner.clean(line.as_bytes(), &mut text);
    cleaner.finish(&mut text);
    visible(&text.replace('\t', "    ")).into_owned()
}
