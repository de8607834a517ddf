//! katkit's own diagnostics: set up once, written to the standard error, silent unless asked for.

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
