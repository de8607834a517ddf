//! The two edits. Both replace only bytes of images.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::domain::{CommitSha, Images};
use crate::lenient_json::{Document, FormatError};

use super::image::HUBTAG;
use super::roles::{Role, ServiceDescription, read_roles};

/// A description with a commit's sha in its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retagged {
    /// The whole text, identical to the repository's except for the bytes of `<hubtag>` in images.
    pub text: String,
    /// Role and new image of each role with `<hubtag>`, in file order. Empty if no service is rolled.
    pub images: Vec<(String, String)>,
}

/// A live description with other images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebased {
    /// The whole text, identical to the live one except for the images.
    Edited(String),
    /// The live description lacks these roles, so it cannot be the base.
    Missing(Vec<String>),
}

impl ServiceDescription {
    /// Replaces `<hubtag>` in images with `sha`. The text is unchanged if no image contains it.
    pub fn retag(&self, sha: &CommitSha) -> Retagged {
        let Self { text, roles } = self;
        let mut edits = Vec::new();
        let mut images = Vec::new();
        for role in roles.iter().filter(|role| role.is_tagged()) {
            edits.extend(hubtags(text, role).into_iter().map(|range| (range, sha.as_str().to_owned())));
            images.push((role.name.clone(), role.image.replace(HUBTAG, sha.as_str())));
        }
        Retagged { text: replace(text, edits), images }
    }
}

/// The image of every role, unchecked: a live description need not meet the rules for repositories.
pub fn images(text: &str) -> Result<Images, FormatError> {
    let roles = read_roles(&Document::read(text)?)?;
    Ok(roles.into_iter().map(|role| (role.name, role.image)).collect())
}

/// Changes the images of the given roles in a live description. A role that already has its image keeps its bytes.
pub fn with_images(text: &str, images: &Images) -> Result<Rebased, FormatError> {
    let roles = read_roles(&Document::read(text)?)?;
    let missing: Vec<_> =
        images.keys().filter(|name| !roles.iter().any(|role| role.name == **name)).cloned().collect();
    if !missing.is_empty() {
        return Ok(Rebased::Missing(missing));
    }
    let edits = roles.iter().filter_map(|role| {
        let image = images.get(&role.name).filter(|image| **image != role.image)?;
        let inside = role.span.start + 1..role.span.end - 1;
        Some((inside, escaped(image, &text[role.span.start..=role.span.start])))
    });
    Ok(Rebased::Edited(replace(text, edits.collect())))
}

/// The byte ranges of `<hubtag>` in an image, written plainly or with escapes.
fn hubtags(text: &str, role: &Role) -> Vec<Range<usize>> {
    let chars = written(text, role.span.start + 1..role.span.end - 1);
    let mut value = String::new();
    let mut starts = BTreeMap::new();
    for (range, c) in &chars {
        starts.insert(value.len(), range.start);
        value.push(*c);
    }
    starts.insert(value.len(), role.span.end - 1);
    debug_assert_eq!(value, role.image, "both readers of escapes agree");
    value
        .match_indices(HUBTAG)
        .filter_map(|(at, tag)| Some(*starts.get(&at)?..*starts.get(&(at + tag.len()))?))
        .collect()
}

/// The characters of a JSON string, each with its byte range. `inside` has already been parsed without errors.
fn written(text: &str, inside: Range<usize>) -> Vec<(Range<usize>, char)> {
    let mut chars = Vec::new();
    let mut at = inside.start;
    while at < inside.end {
        let rest = &text[at..inside.end];
        let (length, c) = match rest.strip_prefix('\\') {
            Some(escape) => unescape(escape),
            None => rest.chars().next().map_or((rest.len(), ' '), |c| (c.len_utf8(), c)),
        };
        chars.push((at..at + length, c));
        at += length;
    }
    chars
}

/// The length of an escape, including its backslash, and the character it stands for. `rest` starts after the
/// backslash.
fn unescape(rest: &str) -> (usize, char) {
    let unit = |at: usize| rest.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    match rest.chars().next() {
        Some('u') => {
            // A character beyond the first 65 536 is written as two escapes.
            let units = [unit(1), rest.get(5..7).filter(|next| *next == "\\u").and_then(|_| unit(7))];
            match char::decode_utf16(units.into_iter().flatten()).next() {
                Some(Ok(c)) => (if c.len_utf16() == 2 { 12 } else { 6 }, c),
                _ => (6, char::REPLACEMENT_CHARACTER),
            }
        }
        Some('b') => (2, '\u{8}'),
        Some('f') => (2, '\u{c}'),
        Some('n') => (2, '\n'),
        Some('r') => (2, '\r'),
        Some('t') => (2, '\t'),
        Some(c) => (1 + c.len_utf8(), c),
        None => (1, '\\'),
    }
}

/// Escapes `image` for use between two `quote`s.
fn escaped(image: &str, quote: &str) -> String {
    let mut text = String::with_capacity(image.len());
    for c in image.chars() {
        if c == '\\' || quote.contains(c) {
            text.push('\\');
            text.push(c);
        } else if c.is_control() {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Replaces ranges, which must be sorted and must not overlap.
fn replace(text: &str, edits: Vec<(Range<usize>, String)>) -> String {
    let mut edited = String::with_capacity(text.len() + edits.len() * 40);
    let mut from = 0;
    for (range, new) in edits {
        edited.push_str(&text[from..range.start]);
        edited.push_str(&new);
        from = range.end;
    }
    edited.push_str(&text[from..]);
    edited
}
