//! How logs are written: for people, byte for byte, or for a program that reads events.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::CommandError;
use super::output::Output;
use crate::domain::Outcome;
use crate::views::{
    Cleaner, Decoder, Document, LogEvent, LogHeading, LogLine, OutcomeJson, RunEnding, Speakers, stamp,
    visible,
};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As it was printed.
    Raw,
    /// Without anything that steers a terminal, in which what goes through a pipe may end as well.
    Harmless,
    /// As events.
    Events,
}

/// What is written besides what was printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) manner: Manner,
    /// Put link and phase in front of each line; otherwise only the replica, if there are several.
    pub(super) names: bool,
    /// Each line says when it was stored.
    pub(super) timestamps: bool,
    /// All of it is there already, so no line has to be shown before it is complete.
    pub(super) whole_lines: bool,
}

/// Writes the logs of attempts, one after the other or several at once.
#[derive(Debug)]
pub(super) struct Sink<'a>(RefCell<Inner<'a>>);

/// The log of an attempt that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source(usize);

#[derive(Debug)]
struct Inner<'a> {
    output: &'a mut Output,
    layout: Layout,
    speakers: Speakers,
    open: BTreeMap<Source, Open>,
    /// How many logs, and replicas of them, there were.
    sources: usize,
    voices: usize,
}

/// What an attempt is called, and its replicas.
#[derive(Debug)]
struct Open {
    link: String,
    phase: String,
    attempt: u32,
    voices: Vec<(u32, Voice)>,
}

/// What is kept of a replica from one piece of its log to the next.
#[derive(Debug)]
struct Voice {
    number: usize,
    cleaner: Cleaner,
    decoder: Decoder,
    /// What stands in front of its lines.
    name: String,
    /// An incomplete line, and when its beginning was stored.
    begun: (String, Option<Timestamp>),
}

/// No more bytes of a line are kept until its end is there.
const LONGEST: usize = 64 * 1024;

impl<'a> Sink<'a> {
    pub(super) fn new(output: &'a mut Output, layout: Layout) -> Self {
        let (speakers, open) = (Speakers::default(), BTreeMap::new());
        Self(RefCell::new(Inner { output, layout, speakers, open, sources: 0, voices: 0 }))
    }

    pub(super) fn layout(&self) -> Layout {
        self.0.borrow().layout
    }

    /// From now on the log of this attempt is written, besides those that were not ended.
    pub(super) fn begin(
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
            voices.push((*replica, Voice { number, cleaner, decoder, name, begun }));
            inner.voices += 1;
        }
        let source = Source(inner.sources);
        inner.sources += 1;
        inner.open.insert(source, Open { link, phase, attempt: heading.attempt.0, voices });
        match inner.layout.manner {
            Manner::Raw => {}
            Manner::Harmless => inner.output.note(heading),
            Manner::Events => inner.event(LogEvent::Attempt {
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

    /// The next piece of a replica's log, and when it was stored.
    pub(super) fn say(
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

    /// The log of the attempt ends here.
    pub(super) fn end(&self, source: Source, outcome: Option<&Outcome>) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        let Some(open) = inner.open.remove(&source) else { return Ok(()) };
        inner.end(open, outcome)
    }

    /// Nothing more is written of any log: colours must not outlive them.
    pub(super) fn stop(&self) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        while let Some((_, open)) = inner.open.pop_first() {
            inner.end(open, None)?;
        }
        Ok(())
    }

    /// The run that was followed has ended.
    pub(super) fn run_ended(&self, ending: &RunEnding<'_>) -> Result<(), CommandError> {
        self.told(&ending.to_string(), ending.into())
    }

    /// The next run is waited for, for this reason: a lowercase fragment.
    pub(super) fn waiting(&self, message: &str) -> Result<(), CommandError> {
        self.told(message, LogEvent::Waiting { message })
    }

    /// There is no log, for this reason: a lowercase fragment.
    pub(super) fn nothing(&self, message: &str) -> Result<(), CommandError> {
        self.told(&sentence(message), LogEvent::Nothing { message })
    }

    /// Tells a person something that is no part of the log.
    pub(super) fn note(&self, note: &str) {
        let mut inner = self.0.borrow_mut();
        if inner.layout.manner != Manner::Events {
            inner.output.note(visible(note));
        }
    }

    fn told(&self, note: &str, event: LogEvent<'_>) -> Result<(), CommandError> {
        let mut inner = self.0.borrow_mut();
        match inner.layout.manner {
            Manner::Events => inner.event(event),
            Manner::Raw | Manner::Harmless => {
                inner.output.note(visible(note));
                Ok(())
            }
        }
    }
}

impl Inner<'_> {
    fn say(
        &mut self,
        open: &mut Open,
        replica: u32,
        bytes: &[u8],
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        let Open { link, phase, attempt, voices } = open;
        let voice = voices.iter_mut().find(|(number, _)| *number == replica).map(|(_, voice)| voice);
        let Some(voice) = voice else { return Ok(()) };
        let mut text = String::with_capacity(bytes.len());
        match self.layout.manner {
            Manner::Raw => self.output.bytes(bytes),
            Manner::Harmless => {
                let before = voice.cleaner.is_coloured();
                voice.cleaner.clean(bytes, &mut text);
                if self.has_heads(voice) && (before || text.contains('\x1b')) {
                    // The next line may be another replica's.
                    text = text.replace('\n', "\x1b[0m\n");
                }
                self.lines(voice, &text, stored)
            }
            Manner::Events => {
                voice.decoder.decode(bytes, |part| text.push_str(part));
                self.text((link, phase, *attempt), replica, &text, stored)
            }
        }
    }

    fn end(&mut self, open: Open, outcome: Option<&Outcome>) -> Result<(), CommandError> {
        let Open { link, phase, attempt, voices } = open;
        for (replica, mut voice) in voices {
            let mut text = String::new();
            match self.layout.manner {
                Manner::Raw => {}
                Manner::Harmless => {
                    let (rest, stored) = std::mem::take(&mut voice.begun);
                    self.complete(&voice, &rest, stored)?;
                    voice.cleaner.finish(&mut text);
                    if !text.is_empty() {
                        self.output.bytes(text.as_bytes())?;
                    }
                    if self.has_heads(&voice) {
                        let mut end = Vec::new();
                        self.speakers.end_line_of(voice.number, &mut end);
                        self.output.bytes(&end)?;
                    }
                }
                Manner::Events => {
                    voice.decoder.finish(|part| text.push_str(part));
                    self.text((&link, &phase, attempt), replica, &text, None)?;
                }
            }
        }
        match self.layout.manner {
            Manner::Events => {
                let (link, phase) = (link.as_str(), phase.as_str());
                self.event(LogEvent::End { link, phase, attempt, outcome: outcome.map(OutcomeJson::from) })
            }
            Manner::Raw | Manner::Harmless => Ok(()),
        }
    }

    /// Whether something stands in front of each line of this voice.
    fn has_heads(&self, voice: &Voice) -> bool {
        self.layout.timestamps || !voice.name.is_empty()
    }

    fn lines(
        &mut self,
        voice: &mut Voice,
        text: &str,
        stored: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        if !self.has_heads(voice) {
            return self.output.bytes(text.as_bytes());
        }
        let (mut rest, begun) = std::mem::take(&mut voice.begun);
        if !rest.is_empty() {
            let end = text.find('\n').map_or(text.len(), |at| at + 1);
            rest.push_str(&text[..end]);
            if end == text.len() && !rest.ends_with('\n') && rest.len() < LONGEST {
                voice.begun = (rest, begun);
                return Ok(());
            }
            self.complete(voice, &rest, begun)?;
            return self.lines(voice, &text[end..], stored);
        }
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        if self.layout.whole_lines && text.len() - whole < LONGEST {
            voice.begun = (text[whole..].to_owned(), stored);
            return self.complete(voice, &text[..whole], stored);
        }
        self.complete(voice, text, stored)
    }

    /// Lines with what stands in front of each.
    fn complete(&mut self, voice: &Voice, text: &str, stored: Option<Timestamp>) -> Result<(), CommandError> {
        if text.is_empty() {
            return Ok(());
        }
        let time = if self.layout.timestamps { stamp(stored) + " " } else { String::new() };
        let mut lines = Vec::with_capacity(text.len() + text.len() / 16);
        self.speakers.say(voice.number, &format!("{}{time}", voice.name), text.as_bytes(), &mut lines);
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

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
