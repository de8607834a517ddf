//! Several logs in one stream: in front of each line stands whose it is, and when it was stored.

use jiff::Timestamp;

/// Puts a head in front of each line of several logs: `[dev/shop verify 0] ` or `[1] `, say.
///
/// Lines are passed on as they come, also when they are not complete yet; where another log goes on before one has ended its
/// line, that line is broken.
#[derive(Debug, Default)]
pub struct Speakers {
    /// Whose line has begun and not ended.
    speaking: Option<usize>,
}

impl Speakers {
    /// Adds what one of them printed to `out`.
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

    /// Ends the line that this one has begun, if it has.
    pub fn end_line_of(&mut self, speaker: usize, out: &mut Vec<u8>) {
        if self.speaking == Some(speaker) {
            self.end_line(out);
        }
    }

    /// Ends the line that has begun, if one has.
    pub fn end_line(&mut self, out: &mut Vec<u8>) {
        if self.speaking.take().is_some() {
            out.push(b'\n');
        }
    }
}

/// The time at which a line was stored, as wide as any other: RFC 3339 in UTC, to the millisecond. A dash where it is not known.
pub fn stamp(stored: Option<Timestamp>) -> String {
    let unknown = || format!("{:24}", "-");
    stored.map_or_else(unknown, |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_whose_it_is_also_when_two_speak_at_once() {
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
    fn every_stamp_is_as_wide_as_the_others() {
        let at = |text: &str| stamp(Some(text.parse().unwrap()));
        assert_eq!(at("2026-01-02T09:00:31.123456Z"), "2026-01-02T09:00:31.123Z");
        assert_eq!(at("2026-01-02T09:00:31Z"), "2026-01-02T09:00:31.000Z");
        assert_eq!(stamp(None).len(), 24);
    }
}
