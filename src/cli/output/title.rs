//! Shows progress in the title of the terminal's window.

use crate::views::{clip, visible};

/// Most terminals truncate wider titles.
const WIDEST: usize = 80;

/// A window title that is set, and restored later.
#[derive(Debug, Default)]
pub(in crate::cli) struct Title {
    set: Option<String>,
    /// The terminal has a window title.
    is_there: bool,
}

impl Title {
    pub(in crate::cli) fn new(is_there: bool) -> Self {
        Self { set: None, is_there }
    }

    /// The bytes that set the title; empty if it is already set. The first call also makes the terminal save its own
    /// title.
    ///
    /// Sources: ECMA-48 §8.3.89, and <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>, "OSC 2" and "CSI 22 t".
    pub(in crate::cli) fn change(&mut self, text: &str) -> String {
        let text = clip(&visible(text), WIDEST).into_owned();
        if !self.is_there || self.set.as_ref() == Some(&text) {
            return String::new();
        }
        let first = if self.set.is_none() { "\x1b[22;2t" } else { "" };
        let bytes = format!("{first}\x1b]2;{text}\x1b\\");
        self.set = Some(text);
        bytes
    }

    /// The bytes that restore the terminal's own title, or an empty title if the terminal saved none.
    pub(in crate::cli) fn restored(&mut self) -> &'static str {
        if self.set.take().is_some() { "\x1b]2;\x1b\\\x1b[23;2t" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_set_only_when_it_changes_and_restored_once() {
        let mut title = Title::new(true);
        assert_eq!(title.restored(), "");
        assert_eq!(title.change("one"), "\x1b[22;2t\x1b]2;one\x1b\\");
        assert_eq!(title.change("one"), "");
        assert_eq!(title.change("tw\x07o"), "\x1b]2;tw␇o\x1b\\");
        assert_eq!(title.restored(), "\x1b]2;\x1b\\\x1b[23;2t");
        assert_eq!(title.restored(), "");
        assert_eq!(Title::new(false).change("one"), "");
    }
}
