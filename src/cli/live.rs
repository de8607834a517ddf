//! How an `apply` is going, on a terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::Display;
use crate::apply::Listener;
use crate::domain::{LinkId, PhaseName};
use crate::report::Progress;
use crate::views::{ProgressText, Style, clip, visible};

/// The widest name of a phase with its link, in columns: more would leave no room for what it prints.
const WIDEST: usize = 44;

/// A line per running phase, with its time and what it printed last; what ended scrolls away above, and how far all of it
/// has come stands below.
#[derive(Debug)]
pub(super) struct Live {
    bars: MultiProgress,
    running: Mutex<BTreeMap<Place, ProgressBar>>,
    links: Links,
    style: Style,
}

/// What a line is about: a phase of a link, or its deployment.
type Place = (LinkId, Option<PhaseName>);

/// How many links are done.
#[derive(Debug)]
struct Links {
    bar: Option<ProgressBar>,
    all: usize,
    /// Those that are done, and those among them that failed.
    ended: Mutex<(usize, usize)>,
}

impl Live {
    /// Shows the work on so many links.
    pub(super) fn new(links: usize, style: Style) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        // Of a single link its own lines say all.
        let bar = (links > 1).then(|| {
            let bar = bars.add(ProgressBar::no_length());
            bar.set_style(styled("  {elapsed:>4}  {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let links = Links { bar, all: links, ended: Mutex::default() };
        links.show(0, 0);
        Self { bars, running: Mutex::default(), links, style }
    }

    fn start(&self, link: &LinkId, phase: Option<&PhaseName>, what: &str) {
        let bar = ProgressBar::no_length();
        let bar = match &self.links.bar {
            Some(last) => self.bars.insert_before(last, bar),
            None => self.bars.add(bar),
        };
        bar.set_style(styled("{spinner} {elapsed:>4}  {prefix}  {wide_msg}"));
        bar.set_prefix(clip(&visible(what), WIDEST).into_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        self.running().insert((link.clone(), phase.cloned()), bar);
    }

    fn stop(&self, link: &LinkId, phase: Option<&PhaseName>) {
        if let Some(bar) = self.running().remove(&(link.clone(), phase.cloned())) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Place, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn ended(&self, failed: bool) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.0 += 1;
        ended.1 += usize::from(failed);
        self.show(ended.0, ended.1);
    }

    fn show(&self, ended: usize, failed: usize) {
        if let Some(bar) = &self.bar {
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            bar.set_message(format!("{ended} of {} links{failed}", self.all));
        }
    }
}

fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Listener for Live {
    fn hear(&self, progress: &Progress) {
        match progress {
            Progress::PhaseStarted { link, phase, .. } => {
                self.start(link, Some(phase), &format!("{link} {phase}"));
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
            Progress::LinkEnded { link: _, failed } => self.links.ended(*failed),
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
