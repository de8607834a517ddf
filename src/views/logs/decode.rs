//! Incremental UTF-8 decoding.

/// Decodes bytes chunk by chunk, wherever the chunks are cut. Invalid UTF-8 becomes `U+FFFD`.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The start of a character that the last chunk cut off.
    cut: Vec<u8>,
}

impl Decoder {
    /// Passes the text of the next chunk to `take`, in one or more parts.
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

    /// Ends the input; an incomplete character becomes `U+FFFD`.
    pub fn finish(&mut self, mut take: impl FnMut(&str)) {
        if !std::mem::take(&mut self.cut).is_empty() {
            take("\u{fffd}");
        }
    }
}
