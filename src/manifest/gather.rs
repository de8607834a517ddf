//! Finds and parses every file of a manifest: the root, what it includes, and what those include.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::DeTable;

use super::admission::{ReferencedFile, Refused, check_pattern, is_tracked};
use super::diagnostic::{Diagnostic, Report};
use super::files::{ManifestFiles, joined};
use super::reader::{Located, Reader, Value};
use super::source::{Source, Span, TextArena};
use super::suggest::quoted;

/// One parsed file.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    /// Its content, as far as it could be parsed.
    pub table: DeTable<'t>,
    /// The directory of the file.
    pub directory: PathBuf,
    /// The canonical path of the file.
    canonical: PathBuf,
}

/// The include that led to a file.
#[derive(Clone, Copy)]
struct Include {
    /// The pattern.
    span: Span,
    /// Whether git tracks the including file.
    tracked: bool,
}

/// Why a file was skipped.
enum FileSkipped {
    Refused(Refused),
    Io(io::Error),
}

/// Every file of a manifest; `trees` and `paths` share their indexes.
#[derive(Debug, Default)]
pub(super) struct Gathered<'t> {
    pub trees: Vec<Tree<'t>>,
    pub paths: Vec<PathBuf>,
    /// See [`super::Manifest::digest`].
    pub digest: String,
}

/// The largest whole manifest, in bytes, for the same reason.
const MOST_BYTES: usize = 16 << 20;
/// The most files of a manifest.
const MOST_FILES: usize = 10_000;
/// In files up to this size, in bytes, every syntax error is reported; in larger ones only the first. Errors cost
/// memory.
const ALL_ERRORS_UP_TO: usize = 256 << 10;

struct Gatherer<'t, 'r> {
    files: &'r dyn ManifestFiles,
    report: &'r Report,
    /// The slot for the next text.
    free: &'t TextArena,
    known: BTreeMap<PathBuf, usize>,
    gathered: Gathered<'t>,
    /// For each file, the files it includes and the position of each include.
    edges: Vec<Vec<(usize, Span)>>,
    /// Bytes read so far, including the file that exceeded the limit.
    bytes: usize,
    count: usize,
    /// The canonical directory of the root file.
    root: PathBuf,
    hasher: Sha256,
}

/// Reads the root file and everything it includes. Mistakes, including cycles, go to `report`.
pub(super) fn gather<'t>(
    root: &Path,
    files: &dyn ManifestFiles,
    texts: &'t TextArena,
    report: &Report,
) -> Gathered<'t> {
    let mut gatherer = Gatherer {
        files,
        report,
        free: texts,
        known: BTreeMap::new(),
        gathered: Gathered::default(),
        edges: Vec::new(),
        bytes: 0,
        count: 0,
        root: PathBuf::new(),
        hasher: Sha256::new(),
    };
    gatherer.add(root, None);
    let mut at = 0;
    // `follow` appends files.
    while at < gatherer.gathered.trees.len() {
        gatherer.follow(at);
        at += 1;
    }
    gatherer.report_cycles();
    let Gatherer { mut gathered, hasher, .. } = gatherer;
    gathered.digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    gathered
}

impl Gatherer<'_, '_> {
    /// Reads and parses a file, unless that was done already. `include` led to it; `None` for the root.
    fn add(&mut self, path: &Path, include: Option<Include>) -> Option<usize> {
        if self.is_full() {
            // Already reported; reading more would defeat the limit.
            return None;
        }
        let path = joined(Path::new(""), path);
        let canonical = self.files.canonical(&path);
        if let Some(known) = canonical.as_ref().ok().and_then(|canonical| self.known.get(canonical)) {
            return Some(*known);
        }
        let at = include.map(|include| include.span);
        let read = canonical.map_err(FileSkipped::Io).and_then(|canonical| {
            self.admit(ReferencedFile { path: &path, canonical: &canonical }, include)
                .map_err(FileSkipped::Refused)?;
            let bytes = self.files.read(&path).map_err(FileSkipped::Io)?;
            Ok((canonical, bytes))
        });
        let (canonical, bytes) = match read {
            Ok(read) => read,
            Err(FileSkipped::Refused(Refused { why, help })) => {
                let done = if include.is_some() { "included" } else { "read" };
                self.fail(at, format!("`{}` cannot be {done}: {why}", path.display()), Some(&help));
                return None;
            }
            Err(FileSkipped::Io(error)) => {
                let help = match error.kind() {
                    io::ErrorKind::NotFound if at.is_none() => {
                        Some("`katkit init` writes a manifest to start with")
                    }
                    io::ErrorKind::NotFound => Some(
                        "restore its target, or remove the link; `git submodule update --init` fetches submodules",
                    ),
                    io::ErrorKind::FileTooLarge => Some("split it into several files and `include` them"),
                    _ => None,
                };
                self.fail(at, format!("`{}` cannot be read: {error}", path.display()), help);
                return None;
            }
        };
        self.bytes += bytes.len();
        self.count += 1;
        if self.is_full() {
            let message = format!("the manifest exceeds {} MiB or {MOST_FILES} files", MOST_BYTES >> 20);
            self.fail(at, message, Some("split it into several manifests with a state each"));
            return None;
        }
        let number = self.gathered.trees.len();
        let file = u32::try_from(number).ok()?;
        let (text, broken) = decode(bytes);
        if let Some((at, message, help)) = broken {
            let item = Diagnostic::error(Span::new(file, &(at..at)), message).label("from here on");
            self.report.add(item.help(help));
            self.report.incomplete();
        }
        let (text, free) = self.free.add(text);
        self.free = free;
        if include.is_none() && (ReferencedFile { path: &path, canonical: &canonical }).leads_away(self.files)
        {
            self.report.mask(Span::new(file, &(0..text.len())));
        }
        // The digest ignores the manifest's directory: a copy elsewhere is the same manifest.
        let name = match self.gathered.paths.first() {
            Some(_) => self.name(&path),
            None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        for part in [name.as_bytes(), text.as_bytes()] {
            // Hashing the lengths keeps a name and its text apart.
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        let table = parse(text, file, self.report);
        let directory = joined(path.parent().unwrap_or(Path::new("")), "");
        self.known.insert(canonical.clone(), number);
        self.gathered.trees.push(Tree { table, directory, canonical });
        self.gathered.paths.push(path);
        self.edges.push(Vec::new());
        Some(number)
    }

    /// Refuses files that must not be part of a manifest; see [`super::admission`].
    fn admit(&mut self, reached: ReferencedFile<'_>, include: Option<Include>) -> Result<(), Refused> {
        match include {
            Some(Include { tracked, .. }) => reached.check_include(self.files, &self.root, tracked),
            None => {
                self.root = reached.canonical.parent().map(Path::to_owned).unwrap_or_default();
                reached.check_root(self.files)
            }
        }
    }

    /// Whether a limit is exceeded.
    fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES || self.count > MOST_FILES
    }

    /// The path of a file relative to the root file.
    fn name(&self, path: &Path) -> String {
        let directory = self.gathered.paths.first().and_then(|root| root.parent());
        let short = directory.and_then(|directory| path.strip_prefix(directory).ok());
        short.unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Reports that a file cannot be read.
    fn fail(&self, at: Option<Span>, message: String, help: Option<&str>) {
        let span = at.unwrap_or(Span { file: 0, start: 0, end: 0 });
        let item = Diagnostic::error(span, message);
        let span = at;
        self.report.add(Diagnostic { span, help: help.map(str::to_owned), ..item });
        self.report.incomplete();
    }

    /// Adds what a file includes.
    fn follow(&mut self, number: usize) {
        let (patterns, directory, tracked) = {
            let Tree { table, directory, canonical } = &self.gathered.trees[number];
            let Some(raw) = table.get("include") else { return };
            let file = u32::try_from(number).unwrap_or(u32::MAX);
            let reader = Reader { file, directory, root: directory, report: self.report };
            let patterns = Vec::<Located<&str>>::read(raw, &reader).unwrap_or_default();
            let owned = |pattern: Located<&str>| (pattern.value.to_owned(), pattern.span);
            let patterns = patterns.into_iter().map(owned).collect::<Vec<_>>();
            (patterns, directory.clone(), is_tracked(self.files, canonical))
        };
        for (pattern, span) in patterns {
            let tracked = match check_pattern(&pattern).and_then(|()| tracked.clone()) {
                Ok(tracked) => tracked,
                Err(Refused { why, help }) => {
                    let message = format!("{} cannot be included: {why}", quoted(&pattern));
                    self.fail(Some(span), message, Some(&help));
                    continue;
                }
            };
            let found = match self.files.matching(&directory, &pattern) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(Some(span), format!("{} cannot be included: {error}", quoted(&pattern)), None);
                    continue;
                }
            };
            if found.is_empty() {
                let message = format!("{} matches no file", quoted(&pattern));
                let label = format!("no match in `{}`", directory.display());
                self.report.add(Diagnostic::error(span, message).label(label));
                self.report.incomplete();
            }
            for path in found {
                if let Some(included) = self.add(&path, Some(Include { span, tracked })) {
                    self.edges[number].push((included, span));
                }
            }
        }
    }

    /// Reports every include that closes a cycle.
    fn report_cycles(&self) {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.edges.len()];
        // The path from the root: each file with the index of its next include. Not recursive, since chains can be
        // long.
        let mut path: Vec<(usize, usize)> = Vec::new();
        if !marks.is_empty() {
            marks[0] = Mark::OnPath;
            path.push((0, 0));
        }
        while let Some((file, next)) = path.last_mut() {
            let Some((included, span)) = self.edges[*file].get(*next).copied() else {
                marks[*file] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[included] {
                Mark::New => {
                    marks[included] = Mark::OnPath;
                    path.push((included, 0));
                }
                Mark::OnPath => self.report_cycle(&path, included, span),
                Mark::Done => {}
            }
        }
    }

    fn report_cycle(&self, path: &[(usize, usize)], back_to: usize, span: Span) {
        let start = path.iter().position(|(file, _)| *file == back_to).unwrap_or_default();
        let files = path[start..].iter().map(|(file, _)| *file).chain([back_to]);
        let chain = files.map(|file| self.name(&self.gathered.paths[file])).collect::<Vec<_>>().join(" → ");
        let message = match path.len() - start {
            1 => "this file includes itself",
            _ => "these files include each other",
        };
        self.report.add(Diagnostic::error(span, message).label("leads back").help(chain));
    }
}

/// The text of a file. If it is not all UTF-8: the byte at which the text ends, why, and how to fix it.
fn decode(bytes: Vec<u8>) -> (String, Option<(usize, String, &'static str)>) {
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            let message = match (wide, bytes.get(end)) {
                (false, Some(byte)) => format!("the file is not UTF-8: byte 0x{byte:02x}"),
                _ => "the file is UTF-16".to_owned(),
            };
            bytes.truncate(end);
            let text = String::from_utf8(bytes).unwrap_or_default();
            (text, Some((end, message, "save it as UTF-8")))
        }
    }
}

/// Parses as much as possible, and reports the rest.
fn parse<'t>(text: &'t str, file: u32, report: &Report) -> DeTable<'t> {
    // The fast path: files rarely have errors, and this keeps at most one.
    let first = match DeTable::parse(text) {
        Ok(table) => return Spanned::into_inner(table),
        Err(error) => error,
    };
    let (table, errors) = if text.len() <= ALL_ERRORS_UP_TO {
        DeTable::parse_recoverable(text)
    } else {
        (Spanned::new(0..0, DeTable::new()), vec![first])
    };
    for error in errors {
        report.broken(text, Span::new(file, &error.span().unwrap_or_default()), error.message());
    }
    table.into_inner()
}

/// Pairs each file with its text.
pub(super) fn sources(paths: Vec<PathBuf>, texts: TextArena) -> Vec<Source> {
    paths.into_iter().zip(texts.into_vec()).map(|(path, text)| Source::new(path, text)).collect()
}
