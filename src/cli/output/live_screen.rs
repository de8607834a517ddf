//! Draws a command's progress on the terminal of the standard error, and in the title of its window.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::screen::{Screen, Size};
use super::title::Title;
use crate::cli::output::{Output, unless_unread};
use crate::telemetry;
use crate::views::{clip, visible};

/// Lines redrawn in place, below all other output. If the standard error is not a terminal that can redraw, writes only
/// the lines that stay.
#[derive(Debug)]
pub(in crate::cli) struct LiveScreen {
    is_live: bool,
    screen: Screen,
    title: Title,
    /// Lines that stay and are not written yet. Includes diagnostics, which a frame would overwrite otherwise.
    above: Arc<Mutex<String>>,
}

impl LiveScreen {
    pub(in crate::cli) fn new(output: &Output) -> Self {
        let is_live = output.is_live();
        let title = Title::new(is_live && output.has_title());
        let above = Arc::<Mutex<String>>::default();
        if is_live {
            let told = Arc::clone(&above);
            telemetry::divert(Some(Box::new(move |text| locked(&told).push_str(text))));
        }
        Self { is_live, screen: Screen::default(), title, above }
    }

    pub(in crate::cli) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Writes text that stays. On a terminal, it appears with the next frame.
    pub(in crate::cli) fn say(&mut self, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        match self.is_live {
            true => locked(&self.above).push_str(&format!("{text}{end}")),
            false => write(&format!("{text}{end}")),
        }
    }

    /// Draws these lines, each clipped to the width of the terminal, below the text that stays.
    pub(in crate::cli) fn show(&mut self, lines: &[String], title: &str) {
        write(&self.frame(lines, title));
    }

    /// The bytes that [`Self::show`] writes.
    pub(in crate::cli) fn frame(&mut self, lines: &[String], title: &str) -> String {
        let Some(size) = Size::of(&io::stderr()).filter(|_| self.is_live) else { return String::new() };
        // Leave the last column empty: some terminals wrap as soon as it is written.
        let fits = |line: &String| clip(&visible(line), size.columns.saturating_sub(1)).into_owned() + "\n";
        let text: String = lines.iter().map(fits).collect();
        let above = std::mem::take(&mut *locked(&self.above));
        self.screen.frame(&above, &text, size) + &self.title.change(title)
    }

    /// Erases the frame and restores the title. Text that stays remains.
    pub(in crate::cli) fn end(&mut self) {
        write(&self.last_frame());
    }

    /// The bytes that [`Self::end`] writes.
    pub(in crate::cli) fn last_frame(&mut self) -> String {
        if self.is_live {
            telemetry::divert(None);
        }
        let (erased, above) = (self.screen.erased(), std::mem::take(&mut *locked(&self.above)));
        format!("{erased}{above}{}", self.title.restored())
    }
}

impl Drop for LiveScreen {
    fn drop(&mut self) {
        self.end();
    }
}

fn locked(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes everything at once. If the terminal is gone, only the display ends, not the work.
pub(in crate::cli) fn write(text: &str) {
    if !text.is_empty() {
        let _ = unless_unread(io::stderr().lock().write_all(text.as_bytes()));
    }
}
