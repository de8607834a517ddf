//! Finds and parses every file of a manifest: the root, what it includes, and what those include.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::DeTable;

use super::admission::{Reached, Refused, check_pattern, is_tracked};
use super::diagnostic::{Diagnostic, Report};
use super::reader::{At, Reader, Value};
use super::settings::joined;
use super::source::{Source, Span, Texts};
use super::suggest::quoted;

/// How a manifest gets at its files. What is behind it is an edge: a disk, or a commit.
pub trait ManifestFiles {
    /// The whole content of a file. Fails, without reading it, for one of a size that [`check_size`] refuses.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files, sorted, whose paths relative to `directory` match the glob `pattern`.
    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// The one name of a file that can be reached under several.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether git tracks the file of this canonical name. Where there is no git, it tracks nothing.
    fn is_tracked(&self, _canonical: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// Whether a symbolic link that git tracks is on the way to this file.
    fn is_behind_tracked_link(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }
}

/// Whether a file of this many bytes may be a part of a manifest; asked before it is read.
pub fn check_size(bytes: u64) -> io::Result<()> {
    if bytes <= LARGEST_FILE {
        return Ok(());
    }
    let (size, most) = (bytes.div_ceil(1 << 20), LARGEST_FILE >> 20);
    let what = format!("it is {size} MiB large, and a manifest file is at most {most} MiB");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
}

/// One parsed file.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    /// What it holds, as far as it could be parsed.
    pub table: DeTable<'t>,
    /// The directory of the file.
    pub directory: PathBuf,
    /// The file's one name.
    canonical: PathBuf,
}

/// Where a file is included.
#[derive(Clone, Copy)]
struct Include {
    /// The pattern that led to it.
    span: Span,
    /// Whether git tracks the file that the pattern stands in.
    tracked: bool,
}

/// Why a file is not a part of the manifest.
enum Unread {
    Refused(Refused),
    Io(io::Error),
}

/// Every file of a manifest; those of the same number belong together.
#[derive(Debug, Default)]
pub(super) struct Gathered<'t> {
    pub trees: Vec<Tree<'t>>,
    pub paths: Vec<PathBuf>,
    /// See [`super::Manifest::digest`].
    pub digest: String,
}

/// The largest file that is taken for a manifest: 4 MiB, enough for 28 000 links. Text that means harm costs the parser
/// seventy times its size in memory.
pub const LARGEST_FILE: u64 = 4 << 20;
/// A whole manifest is at most this large, in bytes, for the same reason.
const MOST_BYTES: usize = 16 << 20;
/// A manifest has at most this many files.
const MOST_FILES: usize = 10_000;
/// Up to this size, in bytes, every syntax error of a file is reported; beyond it, the first: each of them costs memory.
const ALL_ERRORS_UP_TO: usize = 256 << 10;

struct Gatherer<'t, 'r> {
    files: &'r dyn ManifestFiles,
    report: &'r Report,
    /// Where the next text goes.
    free: &'t Texts,
    known: BTreeMap<PathBuf, usize>,
    gathered: Gathered<'t>,
    /// Who includes whom, and where.
    edges: Vec<Vec<(usize, Span)>>,
    /// How much was read, the file that was too much included.
    bytes: usize,
    count: usize,
    /// The directory of the root file, without links in it.
    root: PathBuf,
    hasher: Sha256,
}

/// Reads the root file and everything it includes. Mistakes in them, cycles among them, go to `report`.
pub(super) fn gather<'t>(
    root: &Path,
    files: &dyn ManifestFiles,
    texts: &'t Texts,
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
    // Files are appended while earlier ones are looked at.
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
    /// Reads and parses a file, or finds that it is there already. `include` is what led to it; `None` for the root.
    fn add(&mut self, path: &Path, include: Option<Include>) -> Option<usize> {
        if self.is_full() {
            // It was said once, and reading on would cost what the bound is there to save.
            return None;
        }
        let path = joined(Path::new(""), path);
        let canonical = self.files.canonical(&path);
        if let Some(known) = canonical.as_ref().ok().and_then(|canonical| self.known.get(canonical)) {
            return Some(*known);
        }
        let at = include.map(|include| include.span);
        let read = canonical.map_err(Unread::Io).and_then(|canonical| {
            self.admit(Reached { path: &path, canonical: &canonical }, include).map_err(Unread::Refused)?;
            let bytes = self.files.read(&path).map_err(Unread::Io)?;
            Ok((canonical, bytes))
        });
        let (canonical, bytes) = match read {
            Ok(read) => read,
            Err(Unread::Refused(Refused { why, help })) => {
                let done = if include.is_some() { "included" } else { "read" };
                self.fail(at, format!("`{}` cannot be {done}: {why}", path.display()), Some(&help));
                return None;
            }
            Err(Unread::Io(error)) => {
                let help = match error.kind() {
                    io::ErrorKind::NotFound if at.is_none() => {
                        Some("`katkit init` writes a manifest to start with")
                    }
                    io::ErrorKind::NotFound => Some(
                        "put back what it leads to, or remove the link; `git submodule update --init` brings submodules",
                    ),
                    io::ErrorKind::FileTooLarge => Some("spread it over several files, and `include` them"),
                    _ => None,
                };
                self.fail(at, format!("`{}` cannot be read: {error}", path.display()), help);
                return None;
            }
        };
        self.bytes += bytes.len();
        self.count += 1;
        if self.is_full() {
            let message = format!("a manifest of more than {} MiB or {MOST_FILES} files", MOST_BYTES >> 20);
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
        if include.is_none() && (Reached { path: &path, canonical: &canonical }).leads_away(self.files) {
            self.report.mask(Span::new(file, &(0..text.len())));
        }
        // The directory of the manifest does not count: a copy elsewhere is the same manifest.
        let name = match self.gathered.paths.first() {
            Some(_) => self.name(&path),
            None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        for part in [name.as_bytes(), text.as_bytes()] {
            // The length keeps a name and its text apart.
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

    /// Refuses what must not be a part of a manifest; see [`super::admission`].
    fn admit(&mut self, reached: Reached<'_>, include: Option<Include>) -> Result<(), Refused> {
        match include {
            Some(Include { tracked, .. }) => reached.check_include(self.files, &self.root, tracked),
            None => {
                self.root = reached.canonical.parent().map(Path::to_owned).unwrap_or_default();
                reached.check_root(self.files)
            }
        }
    }

    /// Whether there is more than a manifest may have.
    fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES || self.count > MOST_FILES
    }

    /// The path of a file as seen from the root file.
    fn name(&self, path: &Path) -> String {
        let directory = self.gathered.paths.first().and_then(|root| root.parent());
        let short = directory.and_then(|directory| path.strip_prefix(directory).ok());
        short.unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Reports what keeps a file from being read.
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
            let patterns = Vec::<At<&str>>::read(raw, &reader).unwrap_or_default();
            let owned = |at: At<&str>| (at.value.to_owned(), at.span);
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
                let label = format!("nothing like it in `{}`", directory.display());
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

    /// Reports every include that leads back to a file on the way to it.
    fn report_cycles(&self) {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnTheWay,
            Done,
        }
        let mut marks = vec![Mark::New; self.edges.len()];
        // The way from the root: a file, and which of its includes is next. Not recursive: chains can be long.
        let mut way: Vec<(usize, usize)> = Vec::new();
        if !marks.is_empty() {
            marks[0] = Mark::OnTheWay;
            way.push((0, 0));
        }
        while let Some((file, next)) = way.last_mut() {
            let Some((included, span)) = self.edges[*file].get(*next).copied() else {
                marks[*file] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            match marks[included] {
                Mark::New => {
                    marks[included] = Mark::OnTheWay;
                    way.push((included, 0));
                }
                Mark::OnTheWay => self.report_cycle(&way, included, span),
                Mark::Done => {}
            }
        }
    }

    fn report_cycle(&self, way: &[(usize, usize)], back_to: usize, span: Span) {
        let start = way.iter().position(|(file, _)| *file == back_to).unwrap_or_default();
        let files = way[start..].iter().map(|(file, _)| *file).chain([back_to]);
        let chain = files.map(|file| self.name(&self.gathered.paths[file])).collect::<Vec<_>>().join(" → ");
        let message = match way.len() - start {
            1 => "this file includes itself",
            _ => "these files include each other",
        };
        self.report.add(Diagnostic::error(span, message).label("leads back").help(chain));
    }
}

/// The text of a file; where it ends early, at which byte, why, and what to do.
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

/// Parses as much as can be, and reports the rest.
fn parse<'t>(text: &'t str, file: u32, report: &Report) -> DeTable<'t> {
    // Nearly always there is no error, and this keeps at most one.
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

/// The files with their texts.
pub(super) fn sources(paths: Vec<PathBuf>, texts: Texts) -> Vec<Source> {
    paths.into_iter().zip(texts.into_vec()).map(|(path, text)| Source::new(path, text)).collect()
}
