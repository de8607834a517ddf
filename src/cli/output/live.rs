//! Live progress of an `apply` on a terminal.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::display::Display;
use super::live_screen::{self, LiveScreen};
use crate::apply::Listener;
use crate::cli::output::Output;
use crate::domain::{LinkId, PhaseName};
use crate::journal::Usual;
use crate::queries;
use crate::report::Progress;
use crate::state::State;
use crate::views::{ProgressText, Style, clip, pace, short, visible};

/// Minimum interval between frames: fast enough to follow, and cheap over a slow line.
const EVERY: Duration = Duration::from_millis(250);

/// How often, and with which pause, a process that exits at once tries to clean up the terminal.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Maximum width of a link and phase name, in columns. Wider names would leave no room for output.
const WIDEST: usize = 44;

/// A line per running phase, with its elapsed and usual duration and its last line of output. Ended phases scroll away
/// above.
#[derive(Debug)]
pub(in crate::cli) struct Live {
    shared: Arc<Shared>,
    state: Arc<dyn State>,
    runtime: Handle,
    drawing: Mutex<Option<JoinHandle<()>>>,
    style: Style,
}

#[derive(Debug)]
struct Shared {
    scene: Mutex<LiveContent>,
    over: Condvar,
    /// Held while writing. Never held together with the scene, since a terminal may be slow or stopped.
    writing: Mutex<()>,
}

/// Everything on the screen.
#[derive(Debug)]
struct LiveContent {
    screen: LiveScreen,
    running: Vec<Running>,
    usual: BTreeMap<LinkId, Usual>,
    began: Instant,
    links: usize,
    ended: usize,
    failed: usize,
    is_over: bool,
}

/// A phase of a link, or its deployment.
#[derive(Debug)]
struct Running {
    link: LinkId,
    phase: Option<PhaseName>,
    name: String,
    since: Instant,
    /// It began under another process.
    taken_over: bool,
    /// Its last line of output.
    line: String,
}

/// The current display, so that a process that exits at once can clean up the terminal.
static DRAWN: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// Restores the terminal before the process exits at once.
pub(in crate::cli) fn leave() {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    if let Some(drawn) = drawn {
        let last = drawn.end();
        // A stopped terminal accepts no output, so do not wait for it.
        for _ in 0..TRIES {
            if drawn.writing.try_lock().is_ok() {
                return live_screen::write(&last);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Live {
    /// Starts drawing. `links` is the number of links to work on.
    pub(in crate::cli) fn new(links: usize, state: Arc<dyn State>, output: &Output) -> Self {
        let scene = LiveContent {
            screen: LiveScreen::new(output),
            running: Vec::new(),
            usual: BTreeMap::new(),
            began: Instant::now(),
            links,
            ended: 0,
            failed: 0,
            is_over: false,
        };
        let shared =
            Arc::new(Shared { scene: Mutex::new(scene), over: Condvar::new(), writing: Mutex::new(()) });
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&shared);
        let drawn = Arc::clone(&shared);
        let drawing = std::thread::spawn(move || drawn.draw());
        let (drawing, style) = (Mutex::new(Some(drawing)), output.error_style());
        Self { shared, state, runtime: Handle::current(), drawing, style }
    }

    /// Reads how long the phases of a link usually take, once, when the first of them starts.
    fn learn(&self, link: &LinkId) {
        let (state, shared, link) = (Arc::clone(&self.state), Arc::downgrade(&self.shared), link.clone());
        self.runtime.spawn(async move {
            let usual = queries::usual_durations(&*state, &link).await;
            if let Some(shared) = shared.upgrade() {
                shared.scene().usual.insert(link, usual);
            }
        });
    }
}

impl Shared {
    fn scene(&self) -> MutexGuard<'_, LiveContent> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redraws until it is over.
    fn draw(&self) {
        loop {
            let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut scene = self.scene();
            if scene.is_over {
                return;
            }
            let frame = scene.frame();
            drop(scene);
            live_screen::write(&frame);
            drop(writing);
            let waited = self.over.wait_timeout_while(self.scene(), EVERY, |scene| !scene.is_over);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Stops drawing. Returns the bytes that restore the terminal, to be written once no other thread is writing.
    fn end(&self) -> String {
        let mut scene = self.scene();
        scene.is_over = true;
        let last = scene.screen.last_frame();
        drop(scene);
        self.over.notify_all();
        last
    }
}

impl LiveContent {
    fn frame(&mut self) -> String {
        let Self { screen, running, usual, began, links, ended, failed, is_over: _ } = self;
        let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
        let counts = format!("{ended} of {links} links{failed}");
        // A single link's own lines say everything.
        let mut lines = Vec::new();
        if *links > 1 {
            lines.push(format!("  {counts}  {}", short(began.elapsed())));
        }
        for Running { link, phase, name, since, taken_over, line } in running.iter() {
            // The time before the takeover is unknown here.
            let usual = usual.get(link).filter(|_| !taken_over).and_then(|usual| usual.lasts(phase.as_ref()));
            lines.push(format!("  {name}  {}  {line}", pace(since.elapsed(), usual)).trim_end().to_owned());
        }
        let title = match running.first() {
            Some(running) if *links == 1 => format!("katkit: {}", running.name),
            None if *links == 1 => "katkit".to_owned(),
            _ => format!("katkit: {counts}"),
        };
        screen.frame(&lines, &title)
    }

    fn start(&mut self, link: &LinkId, phase: Option<&PhaseName>, taken_over: bool) {
        let name = match phase {
            Some(phase) => format!("{link} {phase}"),
            None => format!("{link} deployment"),
        };
        self.running.push(Running {
            link: link.clone(),
            phase: phase.cloned(),
            name: clip(&visible(&name), WIDEST).into_owned(),
            since: Instant::now(),
            taken_over,
            line: String::new(),
        });
    }

    fn stop(&mut self, link: &LinkId, phase: Option<&PhaseName>) {
        self.running.retain(|running| running.link != *link || running.phase.as_ref() != phase);
    }
}

impl Listener for Live {
    fn hear(&self, progress: &Progress) {
        let mut scene = self.shared.scene();
        if let Progress::PhaseStarted { link, .. } | Progress::DeployStarted { link, .. } = progress
            && !scene.usual.contains_key(link)
        {
            scene.usual.insert(link.clone(), Usual::default());
            self.learn(link);
        }
        match progress {
            Progress::PhaseStarted { link, phase, taken_over, .. } => {
                scene.start(link, Some(phase), *taken_over);
            }
            Progress::PhaseLog { link, phase, replica, line } => {
                let is_it =
                    |running: &&mut Running| running.link == *link && running.phase.as_ref() == Some(phase);
                if let Some(running) = scene.running.iter_mut().find(is_it) {
                    let replica = replica.map(|replica| format!("{replica}| ")).unwrap_or_default();
                    running.line = format!("{replica}{}", visible(line));
                }
            }
            Progress::PhaseEnded { link, phase, .. } => scene.stop(link, Some(phase)),
            Progress::DeployStarted { link, .. } => scene.start(link, None, false),
            Progress::DeployEnded { link, .. } => scene.stop(link, None),
            Progress::LinkEnded { link: _, failed } => {
                scene.ended += 1;
                scene.failed += usize::from(*failed);
            }
            Progress::RunStarted { .. } | Progress::Done { .. } | Progress::Swept { .. } => {}
        }
        let shown = !matches!(progress, Progress::PhaseStarted { .. } | Progress::DeployStarted { .. });
        if let Some(text) = (ProgressText { progress, style: self.style }).line().filter(|_| shown) {
            scene.screen.say(&text);
        }
    }

    fn wants_log(&self) -> bool {
        true
    }
}

impl Display for Live {
    fn finish(&self) {
        let last = self.shared.end();
        let drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(drawing) = drawing {
            // If the thread panicked, there is nothing more to draw.
            let _ = drawing.join();
        }
        live_screen::write(&last);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}
