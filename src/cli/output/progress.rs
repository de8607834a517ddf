//! Progress of an `apply`: live on a terminal, plain lines elsewhere, JSON events on request.

use std::io::{self, Write};
use std::sync::Arc;

use super::display::Display;
use super::live::Live;
use crate::apply::Listener;
use crate::cli::arguments::Format;
use crate::cli::error::CommandError;
use crate::cli::output::{Output, unless_unread};
use crate::estate::Estate;
use crate::report::Progress;
use crate::views::{ApplyEvent, ApplyLine, Document, ProgressText, Style};

/// The listener for the output format. `links` is the number of links to work on.
pub(in crate::cli) fn listener(
    format: Format,
    links: usize,
    estate: &Estate,
    output: &Output,
) -> Arc<dyn Display> {
    let style = output.error_style();
    match format {
        Format::Json => Arc::new(Events),
        Format::Text if output.is_live() => Arc::new(Live::new(links, Arc::clone(&estate.state), output)),
        Format::Text => Arc::new(Lines { style }),
    }
}

/// One JSON object per line on the standard output.
#[derive(Debug)]
struct Events;

/// Writes an event and flushes. A closed pipe is no error.
pub(in crate::cli) fn tell(event: ApplyEvent<'_>) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    let written = write!(out, "{}", Document::line(&ApplyLine::from(event))).and_then(|()| out.flush());
    Ok(unless_unread(written)?)
}

impl Listener for Events {
    fn hear(&self, progress: &Progress) {
        // A write error is reported with the summary; the work goes on.
        let _ = ApplyEvent::of(progress).map(tell);
    }

    fn wants_log(&self) -> bool {
        false
    }
}

impl Display for Events {
    fn finish(&self) {}
}

/// One plain line per event on the standard error.
#[derive(Debug)]
struct Lines {
    style: Style,
}

impl Listener for Lines {
    fn hear(&self, progress: &Progress) {
        if let Some(text) = (ProgressText { progress, style: self.style }).line() {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    fn wants_log(&self) -> bool {
        false
    }
}

impl Display for Lines {
    fn finish(&self) {}
}
