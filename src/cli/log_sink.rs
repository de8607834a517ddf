//! How logs are written: for people, byte for byte, or for a program that reads events.

use super::error::CommandError;
use super::output::Output;
use crate::domain::Outcome;
use crate::views::{
    Cleaner, Decoder, Document, LogEvent, LogHeading, LogLine, OutcomeJson, Replicas, RunEnding,
};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As it was printed.
    Raw,
    /// Without anything that steers a terminal, in which what goes through a pipe may end as well; with the replica in front
    /// of each line where there are several.
    Harmless,
    /// As events.
    Events,
}

/// Writes the logs of one attempt after the other.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    output: &'a mut Output,
    manner: Manner,
    /// What tells the replicas apart; `None` where there is only one.
    replicas: Option<Replicas>,
    voices: Vec<(u32, Voice)>,
}

/// What is kept of a replica from one piece of its log to the next.
#[derive(Debug)]
struct Voice {
    cleaner: Cleaner,
    decoder: Decoder,
}

impl<'a> Sink<'a> {
    pub(super) fn new(output: &'a mut Output, manner: Manner) -> Self {
        Self { output, manner, replicas: None, voices: Vec::new() }
    }

    /// What follows is the log of this attempt.
    pub(super) fn begin(
        &mut self,
        heading: &LogHeading<'_>,
        replicas: &[u32],
        of: u32,
    ) -> Result<(), CommandError> {
        let colour = self.output.style().colour;
        let voice = || Voice { cleaner: Cleaner::new(colour), decoder: Decoder::default() };
        self.voices = replicas.iter().map(|replica| (*replica, voice())).collect();
        self.replicas = (replicas.len() > 1).then(Replicas::default);
        match self.manner {
            Manner::Raw => Ok(()),
            Manner::Harmless => {
                self.output.note(heading);
                Ok(())
            }
            Manner::Events => self.event(LogEvent::Attempt {
                link: heading.link.to_string(),
                sha: heading.sha.as_str(),
                phase: heading.phase.as_str(),
                attempt: heading.attempt.0,
                replicas: of,
                started: heading.started.to_string(),
            }),
        }
    }

    /// The next piece of a replica's log.
    pub(super) fn say(&mut self, replica: u32, bytes: &[u8]) -> Result<(), CommandError> {
        let voice = self.voices.iter_mut().find(|(number, _)| *number == replica).map(|(_, voice)| voice);
        let Some(voice) = voice else { return Ok(()) };
        match self.manner {
            Manner::Raw => self.output.bytes(bytes),
            Manner::Harmless => {
                let before = voice.cleaner.is_coloured();
                let mut text = String::with_capacity(bytes.len());
                voice.cleaner.clean(bytes, &mut text);
                if self.replicas.is_some() && (before || text.contains('\x1b')) {
                    // The next line may be another replica's.
                    text = text.replace('\n', "\x1b[0m\n");
                }
                self.lines(replica, text.as_bytes())
            }
            Manner::Events => {
                let mut text = String::with_capacity(bytes.len());
                voice.decoder.decode(bytes, |part| text.push_str(part));
                self.text(replica, &text)
            }
        }
    }

    /// The log of the attempt ends here.
    pub(super) fn end(&mut self, outcome: Option<&Outcome>) -> Result<(), CommandError> {
        for (replica, mut voice) in std::mem::take(&mut self.voices) {
            let mut text = String::new();
            match self.manner {
                Manner::Raw => {}
                Manner::Harmless => {
                    voice.cleaner.finish(&mut text);
                    if !text.is_empty() {
                        self.output.bytes(text.as_bytes())?;
                    }
                }
                Manner::Events => {
                    voice.decoder.finish(|part| text.push_str(part));
                    self.text(replica, &text)?;
                }
            }
        }
        if let Some(replicas) = &mut self.replicas {
            let mut end = Vec::new();
            replicas.end_line(&mut end);
            self.output.bytes(&end)?;
        }
        match self.manner {
            Manner::Events => {
                let outcome = outcome.map(OutcomeJson::from);
                self.event(LogEvent::End { outcome })
            }
            Manner::Raw | Manner::Harmless => Ok(()),
        }
    }

    /// The run that was followed has ended.
    pub(super) fn run_ended(&mut self, ending: &RunEnding<'_>) -> Result<(), CommandError> {
        match self.manner {
            Manner::Events => self.event(ending.into()),
            Manner::Raw | Manner::Harmless => {
                self.note(&ending.to_string());
                Ok(())
            }
        }
    }

    /// There is no log, for this reason: a lowercase fragment.
    pub(super) fn nothing(&mut self, message: &str) -> Result<(), CommandError> {
        match self.manner {
            Manner::Events => self.event(LogEvent::Nothing { message }),
            Manner::Raw | Manner::Harmless => {
                self.note(&sentence(message));
                Ok(())
            }
        }
    }

    /// Tells a person something that is no part of the log.
    pub(super) fn note(&mut self, note: &str) {
        if self.manner != Manner::Events {
            self.output.note(crate::views::visible(note));
        }
    }

    fn lines(&mut self, replica: u32, bytes: &[u8]) -> Result<(), CommandError> {
        let Some(replicas) = &mut self.replicas else { return self.output.bytes(bytes) };
        let mut lines = Vec::with_capacity(bytes.len() + bytes.len() / 16);
        replicas.say(replica, bytes, &mut lines);
        self.output.bytes(&lines)
    }

    fn text(&mut self, replica: u32, text: &str) -> Result<(), CommandError> {
        if text.is_empty() {
            return Ok(());
        }
        self.event(LogEvent::Text { replica, text })
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
