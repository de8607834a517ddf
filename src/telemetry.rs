//! katkit's own diagnostics: set up once, written to standard error, silent unless requested.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts diagnostics, selected by `filter` or by `verbose` (0: warnings, 1: decisions, 2: everything from katkit).
///
/// `ansi`: whether to use colours.
pub fn start(filter: Option<&str>, verbose: u8, ansi: bool) {
    let chosen = match (filter, verbose) {
        (Some(filter), _) => filter,
        (None, 0) => "katkit=warn",
        (None, 1) => "katkit=info",
        (None, _) => "katkit=debug",
    };
    let filter = EnvFilter::try_new(chosen).unwrap_or_else(|_| EnvFilter::new("katkit=info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Diagnostics)
        .with_ansi(ansi)
        .with_span_events(FmtSpan::NONE)
        .with_target(false)
        .without_time();
    // Only the first call in a process can succeed.
    let _ = subscriber.try_init();
}

/// Receives diagnostics instead of standard error.
pub type DiagnosticSink = Box<dyn Fn(&str) + Send + Sync>;

static DIVERTED: Mutex<Option<DiagnosticSink>> = Mutex::new(None);

/// Diverts diagnostics to `to`, or back to standard error: while a view draws on the terminal, other lines would be
/// overwritten.
pub fn divert(to: Option<DiagnosticSink>) {
    *DIVERTED.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// The writer for diagnostics.
struct Diagnostics;

impl Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let diverted = DIVERTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(take) = diverted.as_ref() {
            take(&String::from_utf8_lossy(bytes));
            return Ok(bytes.len());
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// How long to suppress a repeated message.
const QUIET: Duration = Duration::from_mins(1);

/// Limits the rate of a message that hundreds of links would log at once: what is unreachable for one is for all.
#[derive(Debug, Default)]
pub struct RateLimited(Mutex<Option<Instant>>);

impl RateLimited {
    /// A limit for a message that has not been logged yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether to log the message: the first time, and then once a minute.
    pub fn is_time(&self) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = logged.is_none_or(|last| last.elapsed() >= QUIET);
        if is_time {
            *logged = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_logged_once_a_minute() {
        let message = RateLimited::new();
        assert_eq!((0..500).filter(|_| message.is_time()).count(), 1);
        *message.0.lock().unwrap() = Instant::now().checked_sub(QUIET);
        assert!(message.is_time() && !message.is_time());
    }
}
