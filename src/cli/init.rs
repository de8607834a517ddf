//! `katkit init`

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::ExitStatus;
use super::error::CommandError;
use super::output::Output;
use crate::domain::{LinkName, RepoName};
use crate::git::WorkTree;
use crate::manifest::init::{self, Surroundings};
use crate::workflow::{KatkitConfig, Skeleton, to_skeleton};

/// Where a service description lies.
const DESCRIPTION: &str = "servicedescription/servicedescription.js";

/// Write a manifest to start with, or that of a katkitconfig.js
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory that gets a katkit.toml
    #[arg(default_value = ".", value_name = "DIRECTORY")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    let directory = &arguments.directory;
    let (config, path) = (directory.join("katkitconfig.js"), directory.join("katkit.toml"));
    let tree = WorkTree::around(directory);
    let (root, folder, branch) = match &tree {
        Some(WorkTree { root, folder, branch }) => (root.as_str(), folder.as_str(), branch.as_deref()),
        None => (".", "", None),
    };
    let surroundings = Surroundings {
        url: root.to_owned(),
        branch: branch.unwrap_or("main").to_owned(),
        folder: folder.to_owned(),
        deploys: directory.join(DESCRIPTION).exists(),
    };
    let (text, from) = match fs::read(&config) {
        Ok(bytes) => (equivalent(&config, &bytes, directory, &surroundings)?, " from katkitconfig.js"),
        Err(error) if error.kind() == ErrorKind::NotFound => (init::template(&surroundings), ""),
        Err(source) => return Err(CommandError::File { path: config, action: "read", source }),
    };
    create(&path, &text)?;
    output.show(format_args!(
        "Wrote {}{from}. Read it through, then: katkit validate; katkit plan",
        path.display()
    ))?;
    Ok(ExitStatus::Success)
}

/// The manifest that does what a repository's own file did.
fn equivalent(
    path: &Path,
    bytes: &[u8],
    directory: &Path,
    around: &Surroundings,
) -> Result<String, CommandError> {
    let Surroundings { url, branch, folder, deploys: _ } = around;
    let config = KatkitConfig::parse(bytes).map_err(|error| {
        CommandError::refused(format!("{}: {error}", path.display()), error.advice().map(str::to_owned))
    })?;
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fallback = |_| CommandError::refused("`app` is no name", None);
    let repo = RepoName::new(name.clone()).or_else(|_| RepoName::new("app")).map_err(fallback)?;
    let link = LinkName::new(name).or_else(|_| LinkName::new("app")).map_err(fallback)?;
    Ok(to_skeleton(&config, &Skeleton { repo: &repo, url, branch, link: &link, folder }))
}

/// Never replaces what is there: a manifest says what runs in production.
fn create(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed =
        |source: std::io::Error| CommandError::File { path: path.to_owned(), action: "written", source };
    let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let hint = "`katkit validate` checks it; move it away to start anew".to_owned();
            CommandError::refused(format!("{} exists already", path.display()), hint)
        }
        _ => failed(error),
    })?;
    file.write_all(text.as_bytes()).map_err(failed)
}
