//! The logs of several replicas in one stream, each line with the number of its replica in front.

/// Puts `[0] ` before each line of replica 0, and so on.
///
/// Lines are passed on as they come, also when they are not complete yet; where another replica speaks before one has
/// ended its line, that line is broken.
#[derive(Debug, Default)]
pub struct Replicas {
    /// Whose line has begun and not ended.
    speaking: Option<u32>,
}

impl Replicas {
    /// Adds what a replica printed to `out`.
    pub fn say(&mut self, replica: u32, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.speaking != Some(replica) {
                self.end_line(out);
                out.extend_from_slice(format!("[{replica}] ").as_bytes());
            }
            out.extend_from_slice(line);
            self.speaking = if line.ends_with(b"\n") { None } else { Some(replica) };
        }
    }

    /// Ends the line that has begun, if one has.
    pub fn end_line(&mut self, out: &mut Vec<u8>) {
        if self.speaking.take().is_some() {
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_whose_it_is_also_when_two_speak_at_once() {
        let (mut replicas, mut out) = (Replicas::default(), Vec::new());
        for (replica, said) in
            [(0, "one\ntw"), (0, "o\n"), (1, "un"), (0, "three\n"), (1, "deux\n\n"), (0, "four")]
        {
            replicas.say(replica, said.as_bytes(), &mut out);
        }
        replicas.end_line(&mut out);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "[0] one\n[0] two\n[1] un\n[0] three\n[1] deux\n[1] \n[0] four\n");
    }
}
