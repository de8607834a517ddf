//! Finds any of many texts in a stream, byte by byte and without backtracking (Aho and Corasick, 1975).
//!
//! Each phase builds its own automaton, from forms of its secrets that may be a megabyte long. So there is no
//! transition table, only the trie of the texts in preorder: most nodes have one child, which is the next node, and
//! further children are in a hash table. That costs a few nanoseconds and twenty-four bytes per byte of text. Suffix
//! links are computed when a stream first needs them: most are never needed.
//!
//! Letters match in either case, and `+/` matches `-_`: hexadecimal is written in both cases, and base64 with either
//! pair.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a node; 0 is the root.
pub type State = u32;

/// The most nodes of a trie. Never reached: an environment holds a few megabytes (execve(2)).
const MOST: usize = u32::MAX as usize / 2;

/// A prefix of some of the texts.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The prefix without its last byte.
    parent: State,
    /// The length of the prefix.
    depth: u32,
    /// Whether the prefix is a whole text.
    is_text: bool,
    /// The last byte.
    byte: u8,
    /// A filter for the children besides the first: the bit of each child's byte modulo 16. Lookups that would miss
    /// rarely touch the table, which is far away in memory.
    others: u16,
}

/// The matches at the end of a stream that ends with a prefix.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The longest proper suffix of the prefix that is itself a prefix.
    suffix: State,
    /// The length of the longest text that the prefix ends with; 0 if none.
    text: u32,
}

/// A [`Link`] that is computed on first use. Every thread computes the same value, so races are harmless.
#[derive(Debug)]
struct Found(AtomicU64);

/// The texts to find, as an automaton.
#[derive(Debug)]
pub struct Automaton {
    /// In preorder: a node's first child, if it has one, is the next node.
    nodes: Vec<Node>,
    /// One per node.
    links: Vec<Found>,
    /// The children of the root, by byte.
    first: Box<[State; 256]>,
    /// All children of other nodes except their first.
    others: Branches,
}

/// A hash table with open addressing, never more than half full.
#[derive(Debug)]
struct Branches {
    /// Parent, byte and child; the slot is free if the child is 0.
    slots: Vec<(State, u8, State)>,
    /// The number of slots is two to this power.
    power: u32,
}

impl Automaton {
    /// Builds the automaton. Ignores empty texts.
    pub fn new(mut texts: Vec<Vec<u8>>) -> Self {
        texts.retain(|text| !text.is_empty());
        texts.iter_mut().flatten().for_each(|byte| *byte = folded(*byte));
        texts.sort_unstable();
        texts.dedup();
        let others = Branches::new(texts.len());
        let mut automaton = Self { nodes: Vec::new(), links: Vec::new(), first: Box::new([0; 256]), others };
        automaton.grow(&texts);
        automaton.links.resize_with(automaton.nodes.len(), Found::not_yet);
        automaton.links[0].set(Link { suffix: 0, text: 0 });
        automaton
    }

    /// Whether there are no texts to find.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Builds the trie.
    fn grow(&mut self, texts: &[Vec<u8>]) {
        let length = texts.iter().map(Vec::len).sum::<usize>().min(MOST);
        self.nodes.reserve_exact(length + 1);
        self.nodes.push(Node { parent: 0, depth: 0, is_text: false, byte: 0, others: 0 });
        let (mut last, mut path): (&[u8], Vec<State>) = (&[], Vec::new());
        for text in texts {
            let shared = last.iter().zip(text).take_while(|(one, other)| one == other).count();
            if self.nodes.len() + text.len() > MOST {
                break;
            }
            for (depth, byte) in text.iter().enumerate().skip(shared) {
                let node = self.number();
                let parent = depth.checked_sub(1).map_or(0, |above| path[above]);
                if parent == 0 {
                    self.first[usize::from(*byte)] = node;
                } else if parent + 1 != node {
                    self.nodes[parent as usize].others |= bit(*byte);
                    self.others.add(parent, *byte, node);
                }
                path.truncate(depth);
                path.push(node);
                let depth = u32::try_from(depth + 1).unwrap_or(u32::MAX);
                self.nodes.push(Node { parent, depth, is_text: false, byte: *byte, others: 0 });
            }
            if let Some(node) = path.get(text.len() - 1) {
                self.nodes[*node as usize].is_text = true;
            }
            last = text;
        }
    }

    fn number(&self) -> State {
        State::try_from(self.nodes.len()).unwrap_or(State::MAX)
    }

    /// Computes the link of a node, and those it depends on: its parent's and its suffix's. Both are shorter, so this
    /// ends at the root.
    fn find(&self, node: State) -> Link {
        let mut open = vec![node];
        let mut link = Link { suffix: 0, text: 0 };
        while let Some(&node) = open.last() {
            if let Some(known) = self.links[node as usize].get() {
                link = known;
                open.pop();
                continue;
            }
            let Node { parent, depth, is_text, byte, .. } = self.nodes[node as usize];
            let Some(above) = self.links[parent as usize].get() else {
                open.push(parent);
                continue;
            };
            // The parent's link was computed first, so every link on this path is known.
            let suffix = if parent == 0 { 0 } else { self.step(above.suffix, byte) };
            match self.links[suffix as usize].get() {
                None => open.push(suffix),
                Some(shorter) => {
                    let text = if is_text { depth } else { shorter.text };
                    self.links[node as usize].set(Link { suffix, text });
                }
            }
        }
        link
    }

    fn link(&self, node: State) -> Link {
        self.links[node as usize].get().unwrap_or_else(|| self.find(node))
    }

    fn first_child(&self, node: State) -> State {
        let child = node + 1;
        if self.nodes.get(child as usize).is_some_and(|next| next.parent == node) { child } else { 0 }
    }

    /// The prefix extended by `byte`; 0 if there is none.
    fn child(&self, node: State, byte: u8) -> State {
        if node == 0 {
            return self.first[usize::from(byte)];
        }
        let child = self.first_child(node);
        match child != 0 && self.nodes[child as usize].byte == byte {
            true => child,
            false if self.nodes[node as usize].others & bit(byte) != 0 => self.others.get(node, byte),
            false => 0,
        }
    }

    /// The longest prefix that the stream ends with, after `byte`.
    pub fn next(&self, state: State, byte: u8) -> State {
        self.step(state, folded(byte))
    }

    fn step(&self, mut state: State, byte: u8) -> State {
        loop {
            let child = self.child(state, byte);
            if child != 0 || state == 0 {
                return child;
            }
            state = self.link(state).suffix;
        }
    }

    /// Whether the prefix of `state` can be extended to a longer text.
    pub fn goes_on(&self, state: State) -> bool {
        state == 0 || self.first_child(state) != 0
    }

    /// How many bytes at the end of the stream may begin a text.
    pub fn depth(&self, state: State) -> usize {
        self.nodes[state as usize].depth as usize
    }

    /// The length of the longest text that ends here; 0 if none.
    pub fn found(&self, state: State) -> usize {
        self.link(state).text as usize
    }
}

impl Found {
    /// No node has this number.
    const NOT_YET: u64 = u64::MAX;

    fn not_yet() -> Self {
        Self(AtomicU64::new(Self::NOT_YET))
    }

    fn get(&self) -> Option<Link> {
        let both = self.0.load(Ordering::Relaxed);
        let [suffix, text] =
            [both >> 32, both & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        (both != Self::NOT_YET).then_some(Link { suffix, text })
    }

    fn set(&self, Link { suffix, text }: Link) {
        self.0.store(u64::from(suffix) << 32 | u64::from(text), Ordering::Relaxed);
    }
}

fn bit(byte: u8) -> u16 {
    1 << (byte % 16)
}

impl Branches {
    /// Room for `most` entries.
    fn new(most: usize) -> Self {
        let slots = (2 * most).next_power_of_two().max(2);
        Self { slots: vec![(0, 0, 0); slots], power: slots.ilog2() }
    }

    fn add(&mut self, parent: State, byte: u8, child: State) {
        let slot = self.slot(parent, byte);
        self.slots[slot] = (parent, byte, child);
    }

    fn get(&self, parent: State, byte: u8) -> State {
        self.slots[self.slot(parent, byte)].2
    }

    /// The slot of an entry, or the free one where it would go.
    fn slot(&self, parent: State, byte: u8) -> usize {
        // Fibonacci hashing: multiply by the golden ratio and use the upper bits, which are mixed best.
        let hash = (u64::from(parent) << 8 | u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut slot = usize::try_from(hash >> (64 - self.power)).unwrap_or(0);
        loop {
            let (its_parent, its_byte, child) = self.slots[slot];
            if child == 0 || its_parent == parent && its_byte == byte {
                return slot;
            }
            slot = (slot + 1) % self.slots.len();
        }
    }
}

/// One representative for all bytes that match each other.
fn folded(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        _ => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_is_found_where_it_ends(
            texts in prop::collection::vec("[abc]{0,5}", 0..12),
            stream in "[abcd]{0,80}",
        ) {
            let automaton = Automaton::new(texts.iter().map(|text| text.as_bytes().to_vec()).collect());
            let mut state = 0;
            for (end, byte) in (1..).zip(stream.bytes()) {
                state = automaton.next(state, byte);
                let read = &stream[..end];
                let longest = texts.iter().filter(|text| read.ends_with(*text)).map(String::len).max();
                prop_assert_eq!(automaton.found(state), longest.unwrap_or(0));
                let begun = (0..=end).find(|at| texts.iter().any(|text| text.starts_with(&read[*at..])));
                prop_assert_eq!(automaton.depth(state), begun.map_or(0, |at| end - at));
            }
        }
    }
}
