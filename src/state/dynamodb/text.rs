//! Texts that may be too large for one item: heads and events.
//!
//! The item holds the text itself, or the number of its parts. The parts are in another partition, so that they do not
//! slow down reading a page of heads.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{self, Item, n, s};
use super::layout::Key;

/// The most bytes of text in one item, which may hold 400 KB in total.
pub const LARGEST: usize = 380_000;

/// The most parts of a text: with its item, as many as one transaction can read.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html>
pub const MOST: usize = 99;

/// A text, in as many pieces as it needs.
#[derive(Debug)]
pub struct Pieces<'a>(Vec<&'a str>);

impl<'a> Pieces<'a> {
    /// Cuts `text` between characters.
    pub fn of(mut text: &'a str) -> Self {
        let mut pieces = Vec::new();
        while text.len() > LARGEST {
            let (piece, rest) = text.split_at(text.floor_char_boundary(LARGEST));
            pieces.push(piece);
            text = rest;
        }
        pieces.push(text);
        Self(pieces)
    }

    /// The attribute for the item: the text itself under `name`, or the number of its parts.
    pub fn attribute(&self, name: &'static str) -> (&'static str, AttributeValue) {
        match &*self.0 {
            [whole] => (name, s(*whole)),
            parts => ("parts", n(parts.len() as u64)),
        }
    }

    /// The items of the parts, with the keys that `key` gives for the numbers from 1; none if there is only one piece.
    pub fn parts(&self, write: &str, key: impl Fn(usize) -> Key) -> Vec<Item> {
        if self.0.len() == 1 {
            return Vec::new();
        }
        let part = |(number, piece): (usize, &&str)| {
            item::item(&key(number + 1), [("text", s(*piece)), ("write", s(write))])
        };
        self.0.iter().enumerate().map(part).collect()
    }
}

/// How many parts the text of an item has; `None` if the item holds the text itself.
pub fn parts(item: &Item) -> Option<usize> {
    item::number(item, "parts").map(|parts| usize::try_from(parts).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_nothing_is_lost() {
        let large = "a".repeat(LARGEST - 1) + &"\u{1F980}".repeat(100_000);
        let pieces = Pieces::of(&large);
        assert_eq!(pieces.0.len(), 3);
        assert!(pieces.0.iter().all(|piece| piece.len() <= LARGEST));
        assert_eq!(pieces.0.concat(), large);
        assert_eq!(Pieces::of("").0, [""]);
        assert_eq!(Pieces::of(&large[..LARGEST - 1]).0.len(), 1);
    }
}
