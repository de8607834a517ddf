//! The output streams: width, colour, and closed pipes.

pub(super) mod confirm;
pub(super) mod display;
pub(super) mod live;
pub(super) mod live_screen;
pub(super) mod progress;
pub(super) mod screen;
pub(super) mod title;
pub(super) mod usual_durations;

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use self::screen::Size;
use crate::app::Host;
use crate::cli::error::CommandError;
use crate::config::Config;
use crate::manifest::Diagnostics;
use crate::views::{DiagnosticsText, Document, Style};

/// Limits of the layout width, in columns.
const NARROWEST: usize = 40;
const WIDEST: usize = 200;

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The two streams of a command.
#[derive(Debug)]
pub(in crate::cli) struct Output {
    out: BufWriter<Stdout>,
    err: Stderr,
    style: Style,
    error_style: Style,
    /// The width follows the terminal, because the user set none.
    fits_terminal: bool,
    /// The terminal cannot move the cursor.
    is_dumb: bool,
    has_window: bool,
    here: Option<PathBuf>,
}

impl Output {
    pub(in crate::cli) fn new(colour: Colour, config: &Config) -> Self {
        let style = |terminal: bool, columns: Option<usize>| Style {
            colour: match colour {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => terminal && !config.no_color,
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
            // The Linux console has no window title.
            has_window: config.terminal.as_deref().is_some_and(|kind| !["dumb", "linux"].contains(&kind)),
            here: config.directory.clone(),
        }
    }

    /// The working directory.
    pub(in crate::cli) fn here(&self) -> Option<&Path> {
        self.here.as_deref()
    }

    /// Style of the standard output.
    pub(in crate::cli) fn style(&self) -> Style {
        self.style
    }

    /// Style of the standard error.
    pub(in crate::cli) fn error_style(&self) -> Style {
        self.error_style
    }

    /// Measures the terminal on the standard output, and adopts its width. `None` without a terminal, or if it cannot
    /// redraw.
    pub(in crate::cli) fn measure(&mut self) -> Option<Size> {
        let size = Size::of(self.out.get_ref()).filter(|_| !self.is_dumb)?;
        if self.fits_terminal {
            self.style.width = size.columns.clamp(NARROWEST, WIDEST);
        }
        Some(size)
    }

    /// Whether the standard error is a terminal that can redraw.
    pub(in crate::cli) fn is_live(&self) -> bool {
        self.err.is_terminal() && !self.is_dumb
    }

    /// Whether the terminal has a window title.
    pub(in crate::cli) fn has_title(&self) -> bool {
        self.has_window
    }

    /// Writes a view, and a newline if the view does not end with one. A closed pipe affects neither the command's work
    /// nor its exit status.
    pub(in crate::cli) fn show(&mut self, view: impl fmt::Display) -> Result<(), CommandError> {
        let text = view.to_string();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let written = write!(self.out, "{text}{end}").and_then(|()| self.out.flush());
        Ok(unless_unread(written)?)
    }

    /// Writes raw bytes. Fails on a closed pipe: without a reader, the command has no purpose.
    pub(in crate::cli) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// Writes a JSON document.
    pub(in crate::cli) fn json(&mut self, document: &impl Serialize) -> Result<(), CommandError> {
        self.show(Document::new(document))
    }

    /// Writes a note to the standard error.
    pub(in crate::cli) fn note(&mut self, note: impl fmt::Display) {
        // A failed write to the standard error cannot be reported anywhere.
        let _ = writeln!(self.err, "{note}");
    }

    /// With `--verbose`, lists the AWS calls.
    pub(in crate::cli) fn calls(&mut self, host: &Host, verbose: u8) {
        if let Some(calls) = host.calls().filter(|_| verbose > 0) {
            self.note(calls);
        }
    }

    /// Writes the manifest's warnings to the standard error.
    pub(in crate::cli) fn warnings(&mut self, warnings: &Diagnostics) {
        if !warnings.is_empty() {
            let here = self.here.clone();
            let colour = self.error_style.colour;
            self.note(DiagnosticsText { diagnostics: warnings, colour, directory: here.as_deref() });
        }
    }

    /// Writes an error to the standard error.
    pub(in crate::cli) fn error(&mut self, error: &CommandError) {
        let text = error.view(self.error_style, self.here()).to_string();
        self.note(text);
    }

    /// Flushes the output. A full disk is reported here.
    pub(in crate::cli) fn finish(&mut self) -> io::Result<()> {
        unless_unread(self.out.flush())
    }
}

/// Ignores the error of a closed pipe.
pub(in crate::cli) fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

fn terminal_columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}
