//! Finds TOML 1.1 syntax that TOML 1.0 does not allow. katkit reads it, but many editors and Python's `tomllib` refuse
//! it.

use toml_parser::decoder::Encoding;
use toml_parser::parser::{Event, EventKind, parse_document};

use super::Loaded;
use super::diagnostic::Diagnostic;
use super::source::{Source, Span};

impl Loaded {
    /// Warns of newer syntax. `texts` are those of [`Loaded::files`], in the same order.
    pub fn warn_of_newer_syntax(&mut self, texts: Vec<String>) {
        let found: Vec<_> = texts.iter().zip(0..).flat_map(|(text, file)| newer(file, text)).collect();
        if found.is_empty() {
            return;
        }
        let sources = self.files.iter().zip(texts).map(|(path, text)| Source::new(path.clone(), text));
        self.warnings.extend(sources.collect(), found);
    }
}

/// Warnings about newer syntax in a text that parses.
fn newer(file: u32, text: &str) -> Vec<Diagnostic> {
    let source = toml_parser::Source::new(text);
    let tokens = source.lex().into_vec();
    let mut found = Vec::new();
    let mut warn = |range: std::ops::Range<usize>, what: &str, help: &str| {
        let message = format!("{what} needs TOML 1.1, which many editors and parsers do not read");
        found.push(Diagnostic::warning(Span::new(file, &range), message).help(help));
    };
    // The enclosing arrays (`None`) and inline tables (whether one was warned of already).
    let mut around: Vec<Option<bool>> = Vec::new();
    let mut last_comma: Option<toml_parser::Span> = None;
    let mut receive = |event: Event| {
        let range = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::InlineTableOpen => around.push(Some(false)),
            EventKind::ArrayOpen => around.push(None),
            EventKind::ArrayClose => drop(around.pop()),
            EventKind::InlineTableClose => {
                if let Some(comma) = last_comma
                    && around.last() == Some(&Some(false))
                {
                    let comma = comma.start()..comma.end();
                    warn(comma, "a comma after the last key of an inline table", "remove the comma");
                }
                around.pop();
            }
            EventKind::Newline | EventKind::Comment => {
                if let Some(Some(warned @ false)) = around.last_mut() {
                    *warned = true;
                    let help = "put the table on one line, or write it as a table of its own: `[a.b]`";
                    warn(range.clone(), "an inline table on several lines", help);
                }
            }
            EventKind::SimpleKey | EventKind::Scalar => {
                if matches!(event.encoding(), Some(Encoding::BasicString | Encoding::MlBasicString)) {
                    for (at, escape) in escapes(&text[range.clone()]) {
                        let at = range.start + at;
                        let what = format!("the escape `{escape}`");
                        warn(at..at + escape.len(), &what, "write `\\u` and four hexadecimal digits");
                    }
                }
            }
            _ => {}
        }
        match event.kind() {
            EventKind::ValueSep => last_comma = Some(event.span()),
            EventKind::Whitespace | EventKind::Newline | EventKind::Comment => {}
            _ => last_comma = None,
        }
    };
    parse_document(&tokens, &mut receive, &mut ());
    found
}

/// The escapes of a string that TOML 1.0 does not know, with their positions.
fn escapes(raw: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut bytes = raw.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            match bytes.next() {
                Some((_, b'e')) => found.push((at, "\\e")),
                Some((_, b'x')) => found.push((at, "\\x")),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(text: &str) -> Vec<String> {
        let place = |item: Diagnostic| {
            let span = item.span.unwrap();
            let what = item.message.split(" needs").next().unwrap().to_owned();
            format!("{}: {what}", &text[span.start as usize..span.end as usize].escape_debug())
        };
        newer(0, text).into_iter().map(place).collect()
    }

    #[test]
    fn toml_1_0_gets_no_warning() {
        let text = "a = { b = [\n  1,\n  2,\n], c = 'x' }\nd = \"\\u001b \\\\x41 \\\\\"\ne = '''\n\\x'''\nf = []\ng = {}\n[h]\n";
        assert_eq!(warnings(text), [""; 0]);
    }

    #[test]
    fn each_newer_construct_gets_one_warning() {
        let text = "a = {\n  b = 1,\n  c = { d = 1, },\n}\ne = \"\\e[0m \\x41\"\nf = [{ g = 1, # why\n}]\n";
        assert_eq!(
            warnings(text),
            [
                "\\n: an inline table on several lines",
                ",: a comma after the last key of an inline table",
                "\\\\e: the escape `\\e`",
                "\\\\x: the escape `\\x`",
                "# why: an inline table on several lines",
            ]
        );
    }
}
