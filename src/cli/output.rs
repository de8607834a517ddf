//! Where output goes, and how: width, colour, and what becomes of a reader who leaves early.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::{Global, When};
use super::error::CommandError;
use super::screen::Size;
use crate::app::App;
use crate::config::Config;
use crate::manifest::Diagnostics;
use crate::views::{DiagnosticsText, Document, Style};

/// Nothing is laid out for fewer columns, or for more.
const NARROWEST: usize = 40;
const WIDEST: usize = 200;

/// The two streams of a command.
#[derive(Debug)]
pub(super) struct Output {
    out: BufWriter<Stdout>,
    err: Stderr,
    style: Style,
    error_style: Style,
    /// Whether the width is that of the terminal, and no other was asked for.
    fits_terminal: bool,
    /// The terminal moves no cursor.
    is_dumb: bool,
    has_window: bool,
    here: Option<PathBuf>,
}

impl Output {
    pub(super) fn new(global: &Global, config: &Config) -> Self {
        let style = |terminal: bool, columns: Option<usize>| Style {
            colour: match global.color {
                When::Always => true,
                When::Never => false,
                When::Auto => terminal && !config.no_color,
            },
            width: config.columns.or(columns).unwrap_or(80).clamp(NARROWEST, WIDEST),
        };
        let (out, err) = (io::stdout(), io::stderr());
        let columns = terminal_columns(&out).or_else(|| terminal_columns(&err));
        Self {
            style: style(out.is_terminal(), columns),
            error_style: style(err.is_terminal(), columns),
            out: BufWriter::new(out),
            err,
            fits_terminal: config.columns.is_none(),
            is_dumb: config.terminal.as_deref() == Some("dumb"),
            // The console of Linux has none.
            has_window: config.terminal.as_deref().is_some_and(|kind| !["dumb", "linux"].contains(&kind)),
            here: config.directory.clone(),
        }
    }

    /// The working directory.
    pub(super) fn here(&self) -> Option<&Path> {
        self.here.as_deref()
    }

    /// How the standard output is written for.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// How the standard error is written for.
    pub(super) fn error_style(&self) -> Style {
        self.error_style
    }

    /// The size of the terminal that is the standard output, which from now on is written for that width; `None` if it is no
    /// terminal, or one on which nothing can be drawn again.
    pub(super) fn measure(&mut self) -> Option<Size> {
        let size = Size::of(self.out.get_ref()).filter(|_| !self.is_dumb)?;
        if self.fits_terminal {
            self.style.width = size.columns.clamp(NARROWEST, WIDEST);
        }
        Some(size)
    }

    /// Whether the standard error is a terminal on which something can be drawn again.
    pub(super) fn is_live(&self) -> bool {
        self.err.is_terminal() && !self.is_dumb
    }

    /// Whether a terminal has a window with a title.
    pub(super) fn has_title(&self) -> bool {
        self.has_window
    }

    /// Writes a view, and ends the line where the view has not. A reader who has seen enough changes nothing of what the
    /// command does, and of how it ends.
    pub(super) fn show(&mut self, view: impl fmt::Display) -> Result<(), CommandError> {
        let text = view.to_string();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let written = write!(self.out, "{text}{end}").and_then(|()| self.out.flush());
        Ok(unless_unread(written)?)
    }

    /// Writes bytes as they are, for a reader for whom alone this is done: fails when they leave.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// Writes a document.
    pub(super) fn json(&mut self, document: &impl Serialize) -> Result<(), CommandError> {
        self.show(Document::new(document))
    }

    /// Tells a person something that is not what the command was asked for.
    pub(super) fn note(&mut self, note: impl fmt::Display) {
        // Without a place to complain, nothing can be said about it.
        let _ = writeln!(self.err, "{note}");
    }

    /// With `--verbose`, tells a person what AWS was asked.
    pub(super) fn calls(&mut self, app: &App, global: &Global) {
        if let Some(calls) = app.calls().filter(|_| global.verbose > 0) {
            self.note(calls);
        }
    }

    /// Tells a person what the manifest probably does not mean.
    pub(super) fn warnings(&mut self, warnings: &Diagnostics) {
        if !warnings.is_empty() {
            let here = self.here.clone();
            let colour = self.error_style.colour;
            self.note(DiagnosticsText { diagnostics: warnings, colour, directory: here.as_deref() });
        }
    }

    /// Tells a person why the command failed.
    pub(super) fn error(&mut self, error: &CommandError) {
        let text = error.view(self.error_style, self.here()).to_string();
        self.note(text);
    }

    /// Whatever was not written yet is; a full disk shows here.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        unless_unread(self.out.flush())
    }
}

/// Success where the only trouble is that nobody reads any more.
pub(super) fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

fn terminal_columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}
