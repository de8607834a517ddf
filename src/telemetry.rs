//! katkit's own diagnostics: set up once, written to the standard error, silent unless asked for.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts writing what `filter` names, or what `verbose` (0: warnings, 1: decisions, 2: everything of ours) asks for.
///
/// `ansi`: whether colour may be used.
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
    // Only the first of several in one process can be the one.
    let _ = subscriber.try_init();
}

/// Takes a diagnostic in place of the standard error.
pub type Divert = Box<dyn Fn(&str) + Send + Sync>;

static DIVERTED: Mutex<Option<Divert>> = Mutex::new(None);

/// From now on diagnostics go there, or to the standard error again: something is drawn on that terminal, and a line that came
/// from elsewhere would be drawn over.
pub fn divert(to: Option<Divert>) {
    *DIVERTED.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Where diagnostics are written.
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

/// How long trouble is kept quiet that goes on.
const QUIET: Duration = Duration::from_mins(1);

/// Keeps trouble quiet that hundreds have at the same time, and go on having: what is away for one link is away for all.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Of which nothing was said yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is time to say it: the first time, and once a minute from then on.
    pub fn is_time(&self) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = said.is_none_or(|last| last.elapsed() >= QUIET);
        if is_time {
            *said = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_hundreds_with_the_same_trouble_one_says_so() {
        let trouble = Seldom::new();
        assert_eq!((0..500).filter(|_| trouble.is_time()).count(), 1);
        *trouble.0.lock().unwrap() = Instant::now().checked_sub(QUIET);
        assert!(trouble.is_time() && !trouble.is_time());
    }
}
