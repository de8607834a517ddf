//! UTF-8 in pieces.

/// Turns bytes into text, piece by piece, wherever the pieces are cut. What is no UTF-8 becomes `U+FFFD`.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A character of which the last piece held only the beginning.
    cut: Vec<u8>,
}

impl Decoder {
    /// Gives `take` the text of the next piece, in one or more parts.
    pub fn decode(&mut self, bytes: &[u8], mut take: impl FnMut(&str)) {
        let joined;
        let mut rest = if self.cut.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.cut).as_slice(), bytes].concat();
            &joined
        };
        loop {
            let (text, error) = match std::str::from_utf8(rest) {
                Ok(text) => (text, None),
                Err(error) => {
                    let valid = std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default();
                    (valid, Some(error.error_len()))
                }
            };
            if !text.is_empty() {
                take(text);
            }
            rest = &rest[text.len()..];
            match error {
                None => return,
                Some(None) => return self.cut.extend_from_slice(rest),
                Some(Some(length)) => {
                    take("\u{fffd}");
                    rest = &rest[length..];
                }
            }
        }
    }

    /// There is no further piece.
    pub fn finish(&mut self, mut take: impl FnMut(&str)) {
        if !std::mem::take(&mut self.cut).is_empty() {
            take("\u{fffd}");
        }
    }
}
