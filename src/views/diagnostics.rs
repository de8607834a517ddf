//! The diagnostics of a manifest, as text and as JSON.
//!
//! A manifest may come from an untrusted pull request, so nothing in it that could control a terminal gets through:
//! control and direction characters are replaced, and long lines are cut around the marked text.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use schemars::JsonSchema;
use serde::Serialize;
use textwrap::WordSplitter;

use super::SeverityJson;
use super::json::KATKIT_VERSION;
use crate::manifest::{Diagnostic, Diagnostics, Position, Severity, Source, Span};

/// The diagnostics as text with carets, 80 columns wide, and their count in the last line.
#[derive(Clone, Copy, Debug)]
pub struct DiagnosticsText<'a> {
    /// The diagnostics to show.
    pub diagnostics: &'a Diagnostics,
    /// Whether to use colours. They never carry meaning.
    pub colour: bool,
    /// Files below this directory are shown relative to it.
    pub directory: Option<&'a Path>,
}

/// The diagnostics of a manifest; empty if it is valid.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit validate")]
pub struct DiagnosticsJson {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The number of errors listed.
    pub errors: usize,
    /// The number of warnings listed.
    pub warnings: usize,
    /// The number of further diagnostics that are not listed.
    pub left_out: usize,
    /// The diagnostics, ordered by file and position.
    pub diagnostics: Vec<DiagnosticItem>,
}

/// One diagnostic. Lines and columns count from 1; a column is a character.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DiagnosticItem {
    /// The severity.
    pub severity: SeverityJson,
    /// The problem as a lowercase fragment.
    pub message: String,
    /// The path of the file; null, like the positions, if no file could be read.
    pub file: Option<String>,
    /// The line of the first character.
    pub line: Option<usize>,
    /// The column of the first character.
    pub column: Option<usize>,
    /// The position after the last character.
    pub end: Option<DiagnosticPlace>,
    /// The text below the caret; may be empty.
    pub label: String,
    /// What to do about it; null if there is no hint.
    pub help: Option<String>,
    /// A related position; null if there is none.
    pub related: Option<RelatedPlace>,
}

/// A position in a file that the context names.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DiagnosticPlace {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A position related to a diagnostic.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RelatedPlace {
    /// The path of the file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// How it relates to the diagnostic.
    pub label: String,
}

impl DiagnosticsJson {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document, with files below `directory` named relative to it.
    pub fn new(diagnostics: &Diagnostics, directory: Option<&Path>) -> Self {
        let Diagnostics { items, left_out, .. } = diagnostics;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            errors: diagnostics.count(Severity::Error),
            warnings: diagnostics.count(Severity::Warning),
            left_out: *left_out,
            diagnostics: items.iter().map(|item| DiagnosticItem::new(item, diagnostics, directory)).collect(),
        }
    }
}

impl From<&Diagnostics> for DiagnosticsJson {
    /// The document, with paths as reached from the root file.
    fn from(diagnostics: &Diagnostics) -> Self {
        Self::new(diagnostics, None)
    }
}

impl DiagnosticItem {
    fn new(item: &Diagnostic, all: &Diagnostics, directory: Option<&Path>) -> Self {
        let Diagnostic { severity, message, span, label, help, related } = item;
        let start = span.and_then(|span| place(all, span, span.start));
        let end = span.and_then(|span| place(all, span, span.end));
        let related = related.as_ref().and_then(|(span, why)| {
            let (source, Position { line, column }) = place(all, *span, span.start)?;
            Some(RelatedPlace { file: file_name(source, directory), line, column, label: clean(why) })
        });
        Self {
            severity: severity.into(),
            message: clean(message),
            file: start.map(|(source, _)| file_name(source, directory)),
            line: start.map(|(_, at)| at.line),
            column: start.map(|(_, at)| at.column),
            end: end.map(|(_, Position { line, column })| DiagnosticPlace { line, column }),
            label: clean(label),
            help: help.as_deref().map(clean),
            related,
        }
    }
}

fn place(all: &Diagnostics, span: Span, byte: u32) -> Option<(&Source, Position)> {
    let source = all.sources.get(span.file as usize)?;
    Some((source, source.position(byte)))
}

fn file_name(source: &Source, directory: Option<&Path>) -> String {
    let short = directory.and_then(|directory| source.path.strip_prefix(directory).ok());
    clean(&short.unwrap_or(&source.path).to_string_lossy())
}

impl fmt::Display for DiagnosticsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnostics, colour, directory } = *self;
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(80)
            .with_links(false)
            // Commands in a hint stay in one piece.
            .with_word_splitter(WordSplitter::NoHyphenation)
            .without_syntax_highlighting();
        for item in &diagnostics.items {
            let mut drawn = String::new();
            handler.render_report(&mut drawn, &SourceExcerpt::new(item, diagnostics, directory))?;
            for line in drawn.lines() {
                writeln!(f, "{}", line.trim_end())?;
            }
            writeln!(f)?;
        }
        write!(f, "{diagnostics}")
    }
}

/// A diagnostic with the surrounding lines, in the form the handler draws.
#[derive(Debug)]
struct SourceExcerpt {
    severity: Severity,
    message: String,
    label: String,
    help: Option<String>,
    snippet: Option<Snippet>,
}

/// The line of a diagnostic with its neighbours, safe to print.
#[derive(Debug)]
struct Snippet {
    file: String,
    text: String,
    /// The number of the first line, from 1.
    first: usize,
    lines: usize,
    /// The range in `text` that the caret points at.
    marked: Range<usize>,
    /// The position of that range in the file.
    position: Position,
}

impl SourceExcerpt {
    fn new(item: &Diagnostic, all: &Diagnostics, directory: Option<&Path>) -> Self {
        let Diagnostic { severity, message, span, label, help, related } = item;
        let related = related.as_ref().and_then(|(span, why)| {
            let (source, Position { line, column }) = place(all, *span, span.start)?;
            Some(format!("{} is at {}:{line}:{column}", clean(why), file_name(source, directory)))
        });
        let help: Vec<_> = related.into_iter().chain(help.as_deref().map(clean)).collect();
        let snippet = span.and_then(|span| {
            let source = all.sources.get(span.file as usize)?;
            Some(Snippet::new(source, span, all, file_name(source, directory)))
        });
        Self {
            severity: *severity,
            message: clean(message),
            label: clean(label),
            help: (!help.is_empty()).then(|| help.join("\n")),
            snippet,
        }
    }
}

impl Snippet {
    /// The most characters of a line that are shown.
    const WIDEST: usize = 120;

    fn new(source: &Source, span: Span, all: &Diagnostics, file: String) -> Self {
        let position = source.position(span.start);
        let first = position.line.saturating_sub(1).max(1);
        let last = (position.line + 1).min(source.line_count());
        // An empty last line is not worth showing.
        let last = if last > position.line && source.line(last).is_empty() { position.line } else { last };
        let mut snippet =
            Self { file, text: String::new(), first, lines: last - first + 1, marked: 0..0, position };
        for number in first..=last {
            let range = source.line(number);
            if number > first {
                snippet.text.push('\n');
            }
            let marked = (number == position.line).then_some(span);
            let text = &source.text[range.clone()];
            snippet.push_line(text, range.start, marked, |byte| all.is_masked(span.file, byte));
        }
        if snippet.marked.start == snippet.text.len() {
            // Gives the caret something to point at.
            snippet.text.push(' ');
        }
        snippet
    }

    fn push_line(&mut self, line: &str, offset: usize, marked: Option<Span>, hidden: impl Fn(u32) -> bool) {
        let byte = |at: usize| u32::try_from(offset + at).unwrap_or(u32::MAX);
        // A long line is also cut on the left if the marked text is far to the right.
        let start =
            marked.map_or(0, |span| line.char_indices().take_while(|(at, _)| byte(*at) < span.start).count());
        let skipped = start.saturating_sub(Self::WIDEST / 2);
        if skipped > 0 {
            self.text.push('…');
        }
        let mut marks = (None, None);
        let mut was_hidden = false;
        for (n, (at, c)) in line.char_indices().skip(skipped).enumerate() {
            let here = self.text.len();
            if let Some(span) = marked {
                marks.0 = marks.0.or((byte(at) >= span.start).then_some(here));
                marks.1 = marks.1.or((byte(at) >= span.end).then_some(here));
            }
            if n == Self::WIDEST {
                self.text.push('…');
                break;
            }
            let is_hidden = hidden(byte(at));
            match (is_hidden, was_hidden) {
                (true, false) => self.text.push_str("***"),
                (true, true) => {}
                (false, _) => self.text.extend(shown(c)),
            }
            was_hidden = is_hidden;
        }
        let end = self.text.len();
        if self.text.is_empty() || self.text.ends_with('\n') {
            // The handler draws no empty line.
            self.text.push(' ');
        }
        if marked.is_some() {
            let start = marks.0.unwrap_or(end);
            self.marked = start..marks.1.unwrap_or(end).max(start);
        }
    }
}

/// A character as it may be printed; `None` for a byte order mark.
fn shown(c: char) -> Option<char> {
    match c {
        '\u{feff}' => None,
        '\t' => Some(c),
        // Invisible, or able to change the direction of the text that follows.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' => {
            Some('\u{fffd}')
        }
        _ if c.is_control() => Some('\u{fffd}'),
        _ => Some(c),
    }
}

/// Cleans text for a single line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).filter_map(shown).collect()
}

impl fmt::Display for SourceExcerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SourceExcerpt {}

impl miette::Diagnostic for SourceExcerpt {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|snippet| snippet as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Range { start, end } = self.snippet.as_ref()?.marked;
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new(label, start, end - start))))
    }
}

impl SourceCode for Snippet {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without context, the handler wants the position for its header; with context, the lines.
        let (line, column) = match before + after {
            0 => (self.position.line - 1, self.position.column - 1),
            _ => (self.first - 1, 0),
        };
        let whole = (0, self.text.len()).into();
        let data = self.text.as_bytes();
        Ok(Box::new(MietteSpanContents::new_named(self.file.clone(), data, whole, line, column, self.lines)))
    }
}
