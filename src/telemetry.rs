//! katkit's own diagnostics: set up once, written to the standard error, silent unless asked for.

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
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_span_events(FmtSpan::NONE)
        .with_target(false)
        .without_time();
    // Only the first of several in one process can be the one.
    let _ = subscriber.try_init();
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
