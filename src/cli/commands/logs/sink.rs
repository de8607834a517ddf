//! Writes logs: cleaned for a terminal, byte for byte, or as JSON events.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::Outcome;
use crate::views::{
    Cleaner, Decoder, Document, LogEvent, LogHeading, LogLine, OutcomeJson, RunEnding, Speakers, stamp,
    visible,
};

/// How to write a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum LogForm {
    /// As it was printed.
    Raw,
    /// Without terminal control sequences. Also applies to pipes, whose output may end up on a terminal.
    Harmless,
    /// As events.
    Events,
}

/// What to add to the printed text.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Layout {
    pub(in crate::cli) options: LogForm,
    /// Prefix each line with link and phase; otherwise only with the replica, if there are several.
    pub(in crate::cli) names: bool,
    /// Prefix each line with the time it was stored.
    pub(in crate::cli) timestamps: bool,
    /// The whole log is already stored, so hold each line back until it is complete.
    pub(in crate::cli) whole_lines: bool,
}

/// Writes the logs of attempts, one after another or several at once.
#[derive(Debug)]
pub(in crate::cli) struct Sink<'a>(RefCell<Inner<'a>>);

/// Identifies an attempt's log while it is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Source(usize);

#[derive(Debug)]
struct Inner<'a> {
    output: &'a mut Output,
    layout: Layout,
    speakers: Speakers,
    open: BTreeMap<Source, OpenAttempt>,
    /// Numbers of logs and of replicas opened so far.
    sources: usize,
    voices: usize,
}

/// An attempt whose log is being written.
#[derive(Debug)]
struct OpenAttempt {
    link: String,
    phase: String,
    attempt: u32,
    voices: Vec<(u32, ReplicaOutput)>,
}

/// The state of a replica between two pieces of its log.
#[derive(Debug)]
struct ReplicaOutput {
    number: usize,
    cleaner: Cleaner,
    decoder: Decoder,
    /// Prefix of its lines.
    name: String,
    /// An incomplete line, and when its beginning was stored.
    begun: (String, Option<Timestamp>),
}

/// The longest incomplete line to hold back, in bytes.
const LONGEST: usize = 64 * 1024;

impl<'a> Sink<'a> {
    pub(in crate::cli) fn new(output: &'a mut Output, layout: Layout) -> Self {
        let (speakers, open) = (Speakers::default(), BTreeMap::new());
        Self(RefCell::new(Inner { output, layout, speakers, open, sources: 0, voices: 0 }))
    }

    pub(in crate::cli) fn layout(&self) -> Layout {
        self.0.borrow().layout
    }

    /// Starts writing this attempt's log, alongside others still open.
    pub(in crate::cli) fn begin(
        &self,
        heading: &LogHeading<'_>,
        replicas: &[u32],
        of: u32,
    ) -> Result<Source, CommandError> {
        let mut inner = self.0.borrow_mut();
        let (link, phase) = (heading.link.to_string(), heading.phase.to_string());
        let mut voices = Vec::new();
        for replica in replicas {
            let name = match (inner.layout.names, replicas.len() > 1) {
                (false, false) => String::new(),
                (false, true) => format!("[{replica}] "),
                (true, false) => format!("[{link} {}] ", visible(&phase)),
                (true, true) => format!("[{link} {} {replica}] ", visible(&phase)),
            };
            let (cleaner, decoder) = (Cleaner::new(inner.output.style().colour), Decoder::default());
            let (number, begun) = (inner.voices, (String::new(), None));
            voices.push((*replica, ReplicaOutput { number, cleaner, decoder, name, begun }));
            inner.voices += 1;
        }
        let source = Source(inner.sources);
        inner.sources += 1;
        inner.open.insert(source, OpenAttempt { link, phase, attempt: heading.attempt.0, voices });
        match inner.layout.options {
            LogForm::Raw => {}
            LogForm::Harmless => inner.output.note(heading),
            LogForm::Events => inner.event(LogEvent::Attempt {
                link: heading.link.to_string(),
                sha: heading.sha.as_str(),
                phase: heading.phase.as_str(),
                attempt: heading.attempt.0,
                replicas: of,
                started: heading.started.to_string(),
            })?,
        }
        Ok(source)
    }

    /// Writes the next piece of a replica's log. `stored` is when it was stored.
    pub(in crate::cli) fn say(
        &self,
        source: Source,
        replica: u32,
        bytes: &[u8],
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        let Some(mut open) = inner.open.remove(&source) else { return Ok(()) };
        let said = inner.say(&mut open, replica, bytes, stored);
        inner.open.insert(source, open);
        said
    }

    /// Ends the log of the attempt.
    pub(in crate::cli) fn end(&self, source: Source, outcome: Option<&Outcome>) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        let Some(open) = inner.open.remove(&source) else { return Ok(()) };
        inner.end(open, outcome)
    }

    /// Ends all open logs, so that their colours do not leak into later output.
    pub(in crate::cli) fn stop(&self) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        while let Some((_, open)) = inner.open.pop_first() {
            inner.end(open, None)?;
        }
        Ok(())
    }

    /// Reports that the followed run has ended.
    pub(in crate::cli) fn run_ended(&self, ending: &RunEnding<'_>) -> Result<(), CommandError> {
        self.told(&ending.to_string(), ending.into())
    }

    /// Reports why katkit waits for the next run: a lowercase fragment.
    pub(in crate::cli) fn waiting(&self, message: &str) -> Result<(), CommandError> {
        self.told(message, LogEvent::Waiting { message })
    }

    /// Reports why there is no log: a lowercase fragment.
    pub(in crate::cli) fn nothing(&self, message: &str) -> Result<(), CommandError> {
        self.told(&sentence(message), LogEvent::Nothing { message })
    }

    /// Writes a note that is not part of the log. JSON output omits it.
    pub(in crate::cli) fn note(&self, note: &str) {
        let mut inner = self.0.borrow_mut();
        if inner.layout.options != LogForm::Events {
            inner.output.note(visible(note));
        }
    }

    fn told(&self, note: &str, event: LogEvent<'_>) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        match inner.layout.options {
            LogForm::Events => inner.event(event),
            LogForm::Raw | LogForm::Harmless => {
                inner.output.note(visible(note));
                Ok(())
            }
        }
    }
}

impl Inner<'_> {
    fn say(
        &mut self,
        open: &mut OpenAttempt,
        replica: u32,
        bytes: &[u8],
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        let OpenAttempt { link, phase, attempt, voices } = open;
        let output = voices.iter_mut().find(|(number, _)| *number == replica).map(|(_, output)| output);
        let Some(output) = output else { return Ok(()) };
        let mut text = String::with_capacity(bytes.len());
        match self.layout.options {
            LogForm::Raw => self.output.bytes(bytes),
            LogForm::Harmless => {
                let before = output.cleaner.is_coloured();
                output.cleaner.clean(bytes, &mut text);
                if self.has_heads(output) && (before || text.contains('\x1b')) {
                    // The next line may be another replica's.
                    text = text.replace('\n', "\x1b[0m\n");
                }
                self.lines(output, &text, stored)
            }
            LogForm::Events => {
                output.decoder.decode(bytes, |part| text.push_str(part));
                self.text((link, phase, *attempt), replica, &text, stored)
            }
        }
    }

    fn end(&mut self, open: OpenAttempt, outcome: Option<&Outcome>) -> Result<(), CommandError> {
        let OpenAttempt { link, phase, attempt, voices } = open;
        for (replica, mut output) in voices {
            let mut text = String::new();
            match self.layout.options {
                LogForm::Raw => {}
                LogForm::Harmless => {
                    let (rest, stored) = std::mem::take(&mut output.begun);
                    self.complete(&output, &rest, stored)?;
                    output.cleaner.finish(&mut text);
                    if !text.is_empty() {
                        self.output.bytes(text.as_bytes())?;
                    }
                    if self.has_heads(&output) {
                        let mut end = Vec::new();
                        self.speakers.end_line_of(output.number, &mut end);
                        self.output.bytes(&end)?;
                    }
                }
                LogForm::Events => {
                    output.decoder.finish(|part| text.push_str(part));
                    self.text((&link, &phase, attempt), replica, &text, None)?;
                }
            }
        }
        match self.layout.options {
            LogForm::Events => {
                let (link, phase) = (link.as_str(), phase.as_str());
                self.event(LogEvent::End { link, phase, attempt, outcome: outcome.map(OutcomeJson::from) })
            }
            LogForm::Raw | LogForm::Harmless => Ok(()),
        }
    }

    /// Whether the replica's lines have a prefix.
    fn has_heads(&self, output: &ReplicaOutput) -> bool {
        self.layout.timestamps || !output.name.is_empty()
    }

    fn lines(
        &mut self,
        output: &mut ReplicaOutput,
        text: &str,
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        if !self.has_heads(output) {
            return self.output.bytes(text.as_bytes());
        }
        let (mut rest, begun) = std::mem::take(&mut output.begun);
        if !rest.is_empty() {
            let end = text.find('\n').map_or(text.len(), |at| at + 1);
            rest.push_str(&text[..end]);
            if end == text.len() && !rest.ends_with('\n') && rest.len() < LONGEST {
                output.begun = (rest, begun);
                return Ok(());
            }
            self.complete(output, &rest, begun)?;
            return self.lines(output, &text[end..], stored);
        }
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        if self.layout.whole_lines && text.len() - whole < LONGEST {
            output.begun = (text[whole..].to_owned(), stored);
            return self.complete(output, &text[..whole], stored);
        }
        self.complete(output, text, stored)
    }

    /// Writes lines with their prefix.
    fn complete(
        &mut self,
        output: &ReplicaOutput,
        text: &str,
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        if text.is_empty() {
            return Ok(());
        }
        let time = if self.layout.timestamps { stamp(stored) + " " } else { String::new() };
        let mut lines = Vec::with_capacity(text.len() + text.len() / 16);
        self.speakers.say(output.number, &format!("{}{time}", output.name), text.as_bytes(), &mut lines);
        self.output.bytes(&lines)
    }

    fn text(
        &mut self,
        (link, phase, attempt): (&str, &str, u32),
        replica: u32,
        text: &str,
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        if text.is_empty() {
            return Ok(());
        }
        let stored = stored.filter(|_| self.layout.timestamps).map(|at| at.to_string());
        self.event(LogEvent::Text { link, phase, attempt, replica, stored, text })
    }

    fn event(&mut self, event: LogEvent<'_>) -> Result<(), CommandError> {
        self.output.bytes(Document::line(&LogLine::from(event)).to_string().as_bytes())
    }
}

/// Turns a fragment into a sentence.
fn sentence(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
