//! Merges several logs into one stream, with a prefix that names the log of each line.

use jiff::Timestamp;

/// Prefixes each line of several logs, for example with `[dev/shop verify 0] ` or `[1] `.
///
/// Passes output on as it arrives, even incomplete lines; if another log writes in the middle of a line, that line is
/// broken.
#[derive(Debug, Default)]
pub struct Speakers {
    /// The log whose line is incomplete.
    speaking: Option<usize>,
}

impl Speakers {
    /// Appends the output of `speaker` to `out`, with `head` before each line.
    pub fn say(&mut self, speaker: usize, head: &str, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.speaking != Some(speaker) {
                self.end_line(out);
                out.extend_from_slice(head.as_bytes());
            }
            out.extend_from_slice(line);
            self.speaking = if line.ends_with(b"\n") { None } else { Some(speaker) };
        }
    }

    /// Ends the incomplete line if it belongs to `speaker`.
    pub fn end_line_of(&mut self, speaker: usize, out: &mut Vec<u8>) {
        if self.speaking == Some(speaker) {
            self.end_line(out);
        }
    }

    /// Ends the incomplete line, if any.
    pub fn end_line(&mut self, out: &mut Vec<u8>) {
        if self.speaking.take().is_some() {
            out.push(b'\n');
        }
    }
}

/// The time a line was stored, with fixed width: RFC 3339 in UTC, to the millisecond. A dash if unknown.
pub fn stamp(stored: Option<Timestamp>) -> String {
    let unknown = || format!("{:24}", "-");
    stored.map_or_else(unknown, |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_prefix_even_when_two_logs_interleave() {
        let (mut speakers, mut out) = (Speakers::default(), Vec::new());
        for (speaker, said) in
            [(0, "one\ntw"), (0, "o\n"), (1, "un"), (0, "three\n"), (1, "deux\n\n"), (0, "four")]
        {
            speakers.say(speaker, &format!("[{speaker}] "), said.as_bytes(), &mut out);
        }
        speakers.end_line(&mut out);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "[0] one\n[0] two\n[1] un\n[0] three\n[1] deux\n[1] \n[0] four\n");
    }

    #[test]
    fn every_stamp_has_the_same_width() {
        let at = |text: &str| stamp(Some(text.parse().unwrap()));
        assert_eq!(at("2026-01-02T09:00:31.123456Z"), "2026-01-02T09:00:31.123Z");
        assert_eq!(at("2026-01-02T09:00:31Z"), "2026-01-02T09:00:31.000Z");
        assert_eq!(stamp(None).len(), 24);
    }
}
