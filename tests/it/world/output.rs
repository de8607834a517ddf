//! Output as a user sees it, without what changes from run to run.

use std::fmt;

/// A command's output and exit code.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
}

impl Output {
    pub(super) fn new(stdout: &[u8], stderr: &[u8], code: Option<i32>, filters: &[(String, String)]) -> Self {
        let text = |bytes: &[u8]| filtered(&String::from_utf8_lossy(bytes), filters);
        let output = Self { stdout: text(stdout), stderr: text(stderr), code: code.unwrap_or(-1) };
        assert!(!output.to_string().contains('\u{1b}'), "colour that was not requested:\n{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
        output
    }
}

impl Output {
    /// Everything as one text, for a snapshot with times that depend on the day of the test.
    pub fn on_any_day(&self) -> String {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        days.iter().fold(self.to_string(), |text, day| text.replace(&format!("{day} <date>"), "<day> <date>"))
    }

    /// The same with the reason of a failed link on one line, wherever long paths made it wrap.
    pub fn unbroken(mut self) -> Self {
        let mut text = String::new();
        for line in self.stdout.split_inclusive('\n') {
            // The column beside a link's name.
            if line.starts_with("      ") {
                text.truncate(text.trim_end().len());
                text.push(' ');
                text.push_str(line.trim_start());
            } else {
                text.push_str(line);
            }
        }
        self.stdout = text;
        self
    }
}

/// Everything as one text, for a snapshot.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stdout, stderr, code } = self;
        write!(f, "{stdout}")?;
        if !stderr.is_empty() {
            write!(f, "----- stderr -----\n{stderr}")?;
        }
        write!(f, "----- exit {code}")
    }
}

/// Applies the filters, then replaces durations, times of day, processes and trailing blanks.
pub(super) fn filtered(text: &str, filters: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in filters {
        text = text.replace(from, to);
    }
    let words = |line: &str| recent(line.split(' ').map(word).collect()).join(" ").trim_end().to_owned();
    let lines: String = text.lines().map(|line| words(line) + "\n").collect();
    if text.ends_with('\n') { lines } else { lines.trim_end_matches('\n').to_owned() }
}

/// Replaces `2s ago` by `just now`, which it is on a faster machine.
fn recent(mut words: Vec<String>) -> Vec<String> {
    for at in 1..words.len() {
        let seconds = words[at - 1].strip_suffix('s').is_some_and(|number| number.parse::<u8>().is_ok());
        if let (true, Some(rest)) = (seconds, words[at].strip_prefix("ago")) {
            let now = format!("now{rest}");
            "just".clone_into(&mut words[at - 1]);
            words[at] = now;
        }
    }
    words
}

/// Replaces a duration, date or time of day by its placeholder.
fn word(word: &str) -> String {
    let bare = word.trim_end_matches(['.', ',', ')', ';', ':']);
    let rest = &word[bare.len()..];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is = |separator: char, lengths: &[usize]| {
        let parts: Vec<_> = bare.split(separator).collect();
        parts.len() == lengths.len()
            && parts.iter().zip(lengths).all(|(part, &long)| part.len() == long && digits(part))
    };
    let seconds = bare.strip_suffix('s').and_then(|number| number.split_once('.'));
    if seconds.is_some_and(|(whole, part)| digits(whole) && digits(part)) {
        format!("<time>{rest}")
    } else if is('-', &[4, 2, 2]) {
        format!("<date>{rest}")
    } else if is(':', &[2, 2]) {
        format!("<hour>{rest}")
    } else {
        word.to_owned()
    }
}
