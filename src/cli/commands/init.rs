//! `katkit init`

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::ExitStatus;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::description;
use crate::domain::{LinkName, RepoName, TenantName};
use crate::git::WorkTree;
use crate::manifest::init::{self, InitContext};
use crate::views::visible;
use crate::workflow::{KatkitConfig, ManifestDraft, left_out, to_skeleton};

/// Write a starter manifest, or convert a katkitconfig.js
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit init                               One environment, `dev`
  katkit init --tenant dev --tenant prod    Two that share a link template")]
pub(in crate::cli) struct Arguments {
    /// Directory to write katkit.toml to
    #[arg(default_value = ".", value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Name of an environment; repeatable, and then all share a link template [default: dev]
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<TenantName>,
}

pub(in crate::cli) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    let directory = &arguments.directory;
    let (config, path) = (directory.join("katkitconfig.js"), directory.join("katkit.toml"));
    let tree = WorkTree::around(directory);
    let (root, folder, branch) = match &tree {
        Some(WorkTree { root, folder, branch }) => (root.as_str(), folder.as_str(), branch.as_deref()),
        None => (".", "", None),
    };
    let surroundings = InitContext {
        url: root.to_owned(),
        branch: branch.unwrap_or("main").to_owned(),
        folder: folder.to_owned(),
        deploys: directory.join(description::FILE).exists(),
        tenants: tenants(arguments)?,
    };
    if config.is_symlink() {
        // Errors quote the file, so a link could reveal any file on this machine to readers of the output.
        let what = format!("{} is a symbolic link, which is not followed", config.display());
        return Err(CommandError::refused(what, "replace it with the file itself".to_owned()));
    }
    let (text, from, left_out) = match fs::read(&config) {
        Ok(_) if !arguments.tenants.is_empty() => {
            return Err(CommandError::refused(
                format!("{} already names the environments", config.display()),
                "leave out `--tenant`; each environment becomes a tenant".to_owned(),
            ));
        }
        Ok(bytes) => {
            let (text, left_out) = equivalent(&config, &bytes, directory, &surroundings)?;
            (text, " from katkitconfig.js", left_out)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let deployment = (!surroundings.deploys).then(|| {
                format!("the deployment and the phases after it: there is no {} here", description::FILE)
            });
            (init::template(&surroundings), "", deployment.into_iter().collect())
        }
        Err(source) => return Err(CommandError::File { path: config, action: "read", source }),
    };
    create(&path, &text)?;
    output.show(format_args!(
        "Wrote {}{from}. Review it, then run: katkit validate; katkit plan",
        path.display()
    ))?;
    if !left_out.is_empty() {
        output.show(format_args!("Left out:"))?;
    }
    for line in left_out {
        output.show(format_args!("- {}", visible(&line)))?;
    }
    Ok(ExitStatus::Success)
}

/// The tenants, without duplicates.
fn tenants(arguments: &Arguments) -> Result<Vec<TenantName>, CommandError> {
    let mut tenants = Vec::new();
    for name in &arguments.tenants {
        if TenantName::RESERVED.contains(&name.as_str()) {
            return Err(CommandError::usage(format!("no tenant can be called `{name}`"), None));
        }
        if !tenants.contains(name) {
            tenants.push(name.clone());
        }
    }
    if tenants.is_empty() {
        let dev =
            TenantName::new("dev").map_err(|_| CommandError::refused("`dev` is not a valid name", None))?;
        tenants.push(dev);
    }
    Ok(tenants)
}

/// Converts a repository's `katkitconfig.js` to a manifest. Also returns what the manifest leaves out.
fn equivalent(
    path: &Path,
    bytes: &[u8],
    directory: &Path,
    around: &InitContext,
) -> Result<(String, Vec<String>), CommandError> {
    let InitContext { url, branch, folder, deploys: _, tenants: _ } = around;
    let config = KatkitConfig::parse(bytes).map_err(|error| {
        CommandError::refused(format!("{}: {error}", path.display()), error.advice().map(str::to_owned))
    })?;
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fallback = |_| CommandError::refused("`app` is not a valid name", None);
    let repo = RepoName::new(name.clone()).or_else(|_| RepoName::new("app")).map_err(fallback)?;
    let link = LinkName::new(name).or_else(|_| LinkName::new("app")).map_err(fallback)?;
    let skeleton = ManifestDraft { repo: &repo, url, branch, link: &link, folder };
    Ok((to_skeleton(&config, &skeleton), left_out(&config)))
}

/// Never overwrites: a manifest says what runs in production.
fn create(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |source| CommandError::File { path: path.to_owned(), action: "written", source };
    let taken = || {
        let hint = "`katkit validate` checks it; move it away to start over".to_owned();
        CommandError::refused(format!("{} already exists", path.display()), hint)
    };
    if path.symlink_metadata().is_ok() {
        return Err(taken());
    }
    // Write a temporary file, then rename it: on a full disk, half a manifest would block the next attempt.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Subject to the user's umask.
    builder.permissions(fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(directory).map_err(failed)?;
    // Through `File`, whose errors omit the temporary file's name: it means nothing to the user.
    file.as_file_mut().write_all(text.as_bytes()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Err(taken()),
        Err(error) => Err(failed(error.error)),
    }
}
