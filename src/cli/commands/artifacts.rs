//! `katkit artifacts`

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::app::Host;
use crate::blobs::{self, BlobError, BlobKey};
use crate::cli::ExitStatus;
use crate::cli::arguments::attempt::{self, Which};
use crate::cli::arguments::{Format, Global};
use crate::cli::commands::logs::selection::heading;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::estate::Estate;
use crate::views::{Artifact, ArtifactsJson, ArtifactsText, visible};

/// List or copy the files a phase kept
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit artifacts dev/shop -p build         List what build kept
  katkit artifacts dev/shop -p build -o DIR  Copy it into DIR
  katkit artifacts dev/shop -p build --url   Public URLs, valid for an hour")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    #[command(flatten)]
    which: Which,
    /// Copy the files into DIR; overwrites nothing
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print a temporary public URL for each file; needs blobs in S3
    #[arg(long)]
    url: bool,
    /// Lifetime of the URLs, at most a week; they never outlive the credentials that sign them
    #[arg(long, value_name = "MINUTES", default_value_t = 60, requires = "url", value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 60))]
    expires: u32,
    /// Output format: text, or json (schema: `katkit schema artifacts`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// A file to copy.
struct Copy {
    key: BlobKey,
    to: PathBuf,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let which = &arguments.which;
    let chosen = match attempt::choose(estate, &arguments.link, which).await? {
        Ok(chosen) => chosen,
        Err(nothing) => return Err(CommandError::refused(nothing, None)),
    };
    let (Some(phase), Some(attempt)) = (&chosen.phase, chosen.attempt(which.attempt)?) else {
        return Err(CommandError::refused(chosen.nothing(), None));
    };
    let key = chosen.key(phase, attempt);
    let (mut files, mut copies, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for replica in attempt::replicas(which, attempt)? {
        let before = files.len();
        for (path, listed) in blobs::artifacts(&*estate.blobs, &key.replica(replica)).await? {
            let url =
                if arguments.url { Some(link(estate, &listed.key, arguments.expires).await?) } else { None };
            if let Some(directory) = &arguments.output {
                // All replicas use the same file names.
                let apart = (attempt.replicas > 1).then(|| format!("replica-{replica}"));
                let to = apart.map_or_else(|| directory.clone(), |apart| directory.join(apart)).join(&path);
                copies.push(Copy { key: listed.key, to });
            }
            files.push(Artifact { replica, path, size: listed.size, url });
        }
        found.push((replica, u32::try_from(files.len() - before).unwrap_or(u32::MAX)));
    }
    let whole = attempt::is_whole(estate, &chosen, (phase, attempt), &found, |status| status.artifacts).await;
    if let Some(directory) = &arguments.output {
        copy(estate, directory, &copies).await?;
    }
    let heading = heading(estate, &chosen, phase, attempt);
    match arguments.format {
        Format::Json => {
            let copied_to = arguments.output.as_ref().map(|directory| directory.display().to_string());
            let pruned = attempt.pruned.filter(|_| matches!(whole, Ok(Some(_))));
            output.json(&ArtifactsJson::of(&heading, &files, copied_to, pruned))?;
        }
        // For an empty list, the note or error below says why.
        Format::Text if files.is_empty() && !matches!(whole, Ok(None)) => {}
        Format::Text => {
            output.show(ArtifactsText {
                heading,
                replicas: attempt.replicas,
                files: &files,
                style: output.style(),
            })?;
            if let Some(directory) = arguments.output.as_ref().filter(|_| !files.is_empty()) {
                output.show(format_args!("Copied to {}.", visible(&directory.display().to_string())))?;
            }
        }
    }
    if let Some(pruned) = whole? {
        output.note(format_args!("{}: {}", chosen.id, visible(&pruned)));
    }
    Ok(ExitStatus::Success)
}

/// A URL that serves the file for the given number of minutes.
async fn link(estate: &Estate, key: &BlobKey, minutes: u32) -> Result<String, CommandError> {
    let url = estate.blobs.link(key, Duration::from_mins(minutes.into())).await?;
    url.ok_or_else(|| {
        let hint = "copy them with `--output DIR`".to_owned();
        CommandError::refused("the blobs are in a directory, which has no URLs", hint)
    })
}

/// Copies all files, or none if one already exists. Each file appears whole.
async fn copy(estate: &Estate, directory: &Path, copies: &[Copy]) -> Result<(), CommandError> {
    if copies.is_empty() {
        return Ok(());
    }
    for Copy { key: _, to } in copies {
        free(directory, to)?;
    }
    make(directory)?;
    let scratch = tempfile::Builder::new()
        .prefix(".katkit-")
        .tempdir_in(directory)
        .map_err(|error| written(directory, error))?;
    for (number, Copy { key, to }) in copies.iter().enumerate() {
        let temporary = scratch.path().join(number.to_string());
        estate.blobs.get_file(key, &temporary).await.map_err(|error| match error {
            // Name the target, not the temporary file, which means nothing to the user.
            BlobError::File { source, .. } => written(to, source),
            error => error.into(),
        })?;
        if let Some(parent) = to.parent() {
            make(parent)?;
            // Someone may have put a symbolic link there in the meantime.
            free(directory, to)?;
        }
        let temporary = tempfile::TempPath::try_from_path(temporary).map_err(|error| written(to, error))?;
        temporary.persist_noclobber(to).map_err(|error| written(to, error.error))?;
    }
    Ok(())
}

/// Refuses a file that exists, and a path that leads through a symbolic link below `directory`.
fn free(directory: &Path, to: &Path) -> Result<(), CommandError> {
    let below = to.strip_prefix(directory).unwrap_or(to);
    let mut path = directory.to_owned();
    let mut parts = below.components().peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let found = match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            found => found.map_err(|error| written(&path, error))?,
        };
        if parts.peek().is_some() && found.is_dir() {
            continue;
        }
        let why =
            if found.is_symlink() { "is a symbolic link, which is not followed" } else { "already exists" };
        let what = format!("{} {why}", path.display());
        return Err(CommandError::refused(what, "nothing was copied; choose another directory".to_owned()));
    }
    Ok(())
}

fn make(directory: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(directory).map_err(|error| written(directory, error))
}

fn written(path: &Path, source: io::Error) -> CommandError {
    CommandError::File { path: path.to_owned(), action: "written", source }
}
