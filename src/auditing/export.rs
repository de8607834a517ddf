//! Exports of a record: a directory that can be verified without katkit and without the record.
//!
//! ```text
//! journals/<tenant>/<link>.jsonl   the events of a link, a line each
//! consents.jsonl                   the consents, a line each
//! log.jsonl                        the leaves of all checkpoints, in order
//! checkpoints/<number>.note        the signed notes
//! ```
//!
//! A line is what was hashed. An export that was interrupted lacks its log, which is written last.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::audit::{
    Batch, CONSENTS, Checkpoint, Finding, Flaw, JournalCheck, Leaf, LogCheck, Report, VerifierKey,
};
use crate::domain::{EntryDigest, Head, LinkId};
use crate::state::{State, StateError};

use super::AuditError;
use super::heads::{heads, unreadable};
use super::lines::{ConsentLines, JournalLines};

/// The longest line, in bytes: more than any state stores.
const LONGEST: u64 = 16 << 20;

const JOURNALS: &str = "journals";
const LOG: &str = "log.jsonl";
const CHECKPOINTS: &str = "checkpoints";

/// What an export holds.
#[derive(Debug, Default)]
pub struct Exported {
    /// The number of entries.
    pub entries: u64,
    /// What could not be read, and is not in it.
    pub findings: Vec<Finding>,
}

/// Writes the record to a directory that is empty or does not exist.
pub async fn export(state: &dyn State, directory: &Path) -> Result<Exported, AuditError> {
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(AuditError::NotEmpty(directory.to_owned()));
    }
    let mut exported = Exported::default();
    // Read before the journals, which by then hold at least what it covers.
    let batches = state.checkpoints().await?;
    let (heads, findings) = heads(state).await?;
    exported.findings.extend(findings);
    for (link, mut head) in heads {
        let path = directory.join(JOURNALS).join(link.tenant.as_str()).join(format!("{}.jsonl", link.link));
        loop {
            let lines = journal(state, (&link, &head), path.clone(), &mut exported).await?;
            let now = match state.heads(Some(std::slice::from_ref(&link))).await {
                Ok(heads) => heads.into_iter().next().map(|(_, head)| head).unwrap_or_default(),
                Err(error) if error.is_unreadable() => *head.clone(),
                Err(error) => return Err(error.into()),
            };
            // A prune removed what was being read.
            if now.own_cut() == head.own_cut() {
                exported.entries += lines;
                break;
            }
            *head = now;
        }
    }
    let mut file = Lines::create(directory.join(format!("{CONSENTS}.jsonl")))?;
    match consents(state, &mut file).await {
        Ok(lines) => exported.entries += lines,
        Err(AuditError::State(error)) if error.is_unreadable() => exported.lacks(CONSENTS.to_owned(), &error),
        Err(error) => return Err(error),
    }
    file.finish()?;
    let mut log = Lines::create(directory.join(LOG))?;
    for (number, text) in &batches {
        let Some(Batch { leaves, note }) = Batch::parse(text) else {
            let why = "it does not consist of leaves and a note".to_owned();
            let flaw = Flaw::Checkpoint { checkpoint: *number, why };
            exported.findings.push(Finding { journal: None, flaw });
            continue;
        };
        log.write(&leaves)?;
        let mut file = Lines::create(note_path(directory, *number))?;
        file.write(&[note.trim_end_matches('\n')])?;
        file.finish()?;
    }
    log.finish()?;
    Ok(exported)
}

impl Exported {
    fn lacks(&mut self, journal: String, error: &StateError) {
        let finding = unreadable(journal, error);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Writes a journal to a file. Returns the number of its entries.
async fn journal(
    state: &dyn State,
    (link, head): (&LinkId, &Head),
    path: PathBuf,
    exported: &mut Exported,
) -> Result<u64, AuditError> {
    let (mut file, mut lines, mut entries) = (Lines::create(path)?, JournalLines::new(state, link, head), 0);
    loop {
        match lines.page().await {
            Ok(Some(page)) => entries += file.write(&page)?,
            Ok(None) => break,
            Err(error) if error.is_unreadable() => {
                exported.lacks(link.to_string(), &error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    file.finish()?;
    Ok(entries)
}

async fn consents(state: &dyn State, file: &mut Lines) -> Result<u64, AuditError> {
    let (mut lines, mut entries) = (ConsentLines::new(state).await?, 0);
    while let Some(page) = lines.page().await? {
        entries += file.write(&page)?;
    }
    Ok(entries)
}

/// Verifies an export; see [`super::verify`]. Reads each file once and holds one line of it at a time.
pub fn verify_export(
    directory: &Path,
    keys: &[VerifierKey],
    kept: Vec<Checkpoint>,
) -> Result<Report, AuditError> {
    let mut report = Report::new(keys.len(), kept.len());
    let mut log = LogCheck::new(keys, kept);
    let (mut number, mut leaves) = (1, Vec::new());
    let path = directory.join(LOG);
    let Some(mut lines) = open(&path)? else { return Err(AuditError::NotAnExport(directory.to_owned())) };
    while let Some(line) = next(&mut lines, &path)? {
        let line = String::from_utf8_lossy(&line).into_owned();
        let ends = matches!(serde_json::from_str(&line), Ok(Leaf::Checkpoint { .. }));
        leaves.push(line);
        if ends {
            let note = note(directory, number)?;
            log.batch(number, &Batch { leaves: std::mem::take(&mut leaves), note });
            number += 1;
        }
    }
    // Leaves and notes at the end, without their counterparts.
    if !leaves.is_empty() || note_path(directory, number).exists() {
        let note = note(directory, number)?;
        log.batch(number, &Batch { leaves, note });
    }
    let mut log = log.finish();
    let mut check = |name: String, path: &Path| -> Result<(), AuditError> {
        let promises: Vec<(u64, u64, EntryDigest)> = log.journals.remove(&name).unwrap_or_default();
        let mut check = JournalCheck::new(name, &promises);
        if let Some(mut lines) = open(path)? {
            while let Some(line) = next(&mut lines, path)? {
                check.line(&line);
            }
        }
        report.journal(check.finish());
        Ok(())
    };
    for (name, path) in journals(directory)? {
        check(name, &path)?;
    }
    check(CONSENTS.to_owned(), &directory.join(format!("{CONSENTS}.jsonl")))?;
    for (name, promises) in std::mem::take(&mut log.journals) {
        report.journal(JournalCheck::new(name, &promises).finish());
    }
    Ok(report.finish(log))
}

/// The journals of links in an export, by name.
fn journals(directory: &Path) -> Result<Vec<(String, PathBuf)>, AuditError> {
    let mut found = Vec::new();
    let root = directory.join(JOURNALS);
    // Anything beside the folders of tenants is not ours.
    for tenant in entries(&root)?.into_iter().filter(|path| path.is_dir()) {
        for link in entries(&tenant)? {
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let Some(tenant) = name(&tenant) else { continue };
            let Some(name) = name(&link) else { continue };
            let Some(name) = name.strip_suffix(".jsonl") else { continue };
            found.push((format!("{tenant}/{name}"), link));
        }
    }
    found.sort();
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let read = match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    read.map_err(fault(directory, "read"))
}

fn note_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(CHECKPOINTS).join(format!("{number:08}.note"))
}

/// A file of an export; `None` if there is none. An export may come from anyone, so links and pipes are refused.
fn open(path: &Path) -> Result<Option<BufReader<File>>, AuditError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(path, "read")(error)),
    };
    if !found.is_file() {
        return Err(fault(path, "read")(io::Error::other("it is not a regular file")));
    }
    let file = File::open(path).map_err(fault(path, "read"))?;
    Ok(Some(BufReader::with_capacity(1 << 18, file)))
}

/// The next line, without its line break; `None` at the end.
fn next(lines: &mut BufReader<File>, path: &Path) -> Result<Option<Vec<u8>>, AuditError> {
    let mut line = Vec::new();
    let read = lines.take(LONGEST).read_until(b'\n', &mut line).map_err(fault(path, "read"))?;
    if read as u64 == LONGEST {
        return Err(fault(path, "read")(io::Error::other("it has a line that is too long for an entry")));
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}

/// The note of a checkpoint; empty if there is none.
fn note(directory: &Path, number: u64) -> Result<String, AuditError> {
    let path = note_path(directory, number);
    let Some(file) = open(&path)? else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(fault(&path, "read"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file that is being written.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, AuditError> {
        let created = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&path));
        let file = BufWriter::new(created.map_err(fault(&path, "written"))?);
        Ok(Self { path, file })
    }

    /// Writes lines. Returns how many.
    fn write(&mut self, lines: &[impl AsRef<str>]) -> Result<u64, AuditError> {
        let mut write = |line: &str| writeln!(self.file, "{line}");
        lines.iter().try_for_each(|line| write(line.as_ref())).map_err(fault(&self.path, "written"))?;
        Ok(lines.len() as u64)
    }

    fn finish(self) -> Result<(), AuditError> {
        let Self { path, mut file } = self;
        file.flush().map_err(fault(&path, "written"))
    }
}

fn fault<'a>(path: &'a Path, action: &'static str) -> impl Fn(io::Error) -> AuditError + 'a {
    move |source| AuditError::File { path: path.to_owned(), action, source }
}
