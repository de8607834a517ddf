//! How an `apply` is going: live on a terminal, plain lines elsewhere, JSON events on demand.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::Format;
use super::error::CommandError;
use super::output::Output;
use crate::apply::Listener;
use crate::domain::{LinkId, PhaseName};
use crate::report::Progress;
use crate::views::{ApplyEvent, ApplyLine, Document, ProgressText, Style, visible};

/// A listener that has to be told when it is over.
pub(super) trait Display: Listener {
    /// Leaves the terminal as it should be.
    fn finish(&self);
}

/// The listener for the way in which the output is read.
pub(super) fn listener(format: Format, output: &Output) -> Arc<dyn Display> {
    let style = output.error_style();
    match format {
        Format::Json => Arc::new(Events),
        Format::Text if output.is_live() => Arc::new(Live::new(style)),
        Format::Text => Arc::new(Lines { style }),
    }
}

/// One JSON object a line on the standard output.
#[derive(Debug)]
struct Events;

/// Tells a program, at once.
pub(super) fn tell(event: ApplyEvent<'_>) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    write!(out, "{}", Document::line(&ApplyLine::from(event)))?;
    Ok(out.flush()?)
}

impl Listener for Events {
    fn hear(&self, progress: &Progress) {
        // A reader who left is noticed when the summary is written; the work goes on.
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

/// A line per running phase, with its time and what it printed last; what ended scrolls away above.
#[derive(Debug)]
struct Live {
    bars: MultiProgress,
    running: Mutex<BTreeMap<(LinkId, Option<PhaseName>), ProgressBar>>,
    style: Style,
}

impl Live {
    fn new(style: Style) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { bars, running: Mutex::default(), style }
    }

    fn start(&self, link: &LinkId, phase: Option<&PhaseName>, what: &str) {
        let bar = self.bars.add(ProgressBar::no_length());
        let template = "{spinner} {prefix} {elapsed:>4}  {wide_msg}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_prefix(visible(what).into_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        self.running().insert((link.clone(), phase.cloned()), bar);
    }

    fn stop(&self, link: &LinkId, phase: Option<&PhaseName>) {
        if let Some(bar) = self.running().remove(&(link.clone(), phase.cloned())) {
            bar.finish_and_clear();
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<(LinkId, Option<PhaseName>), ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Live {
    fn hear(&self, progress: &Progress) {
        match progress {
            Progress::PhaseStarted { link, phase, .. } => {
                self.start(link, Some(phase), &format!("{link} {phase}"))
            }
            Progress::PhaseLog { link, phase, replica, line } => {
                if let Some(bar) = self.running().get(&(link.clone(), Some(phase.clone()))) {
                    let replica = replica.map(|replica| format!("{replica}| ")).unwrap_or_default();
                    bar.set_message(format!("{replica}{}", visible(line)));
                }
            }
            Progress::PhaseEnded { link, phase, .. } => self.stop(link, Some(phase)),
            Progress::DeployStarted { link, .. } => self.start(link, None, &format!("{link} deployment")),
            Progress::DeployEnded { link, .. } => self.stop(link, None),
            Progress::RunStarted { .. } | Progress::Done { .. } | Progress::Swept { .. } => {}
        }
        let shown = !matches!(progress, Progress::PhaseStarted { .. } | Progress::DeployStarted { .. });
        if let Some(text) = (ProgressText { progress, style: self.style }).line().filter(|_| shown) {
            // A terminal that went away ends the showing, not the work.
            let _ = self.bars.println(text);
        }
    }

    fn wants_log(&self) -> bool {
        true
    }
}

impl Display for Live {
    fn finish(&self) {
        self.running().clear();
        let _ = self.bars.clear();
    }
}
