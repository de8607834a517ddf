//! Builds the command of a phase (its `ci.sh`, or the manifest's `run`) and its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::domain::{Outcome, PhaseSpec};
use crate::fleet::process::service::MARKER;
use crate::git;

use super::AgentConfig;
use super::work::{WorkDirectory, is_inside};

/// The default `PATH` of the code.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables of a phase, by name.
pub type Environment = BTreeMap<String, OsString>;

/// The outcome of code that could not be run. `reason` is for its author.
fn failed(reason: String) -> Outcome {
    Outcome::Failed { exit_code: None, reason }
}

/// The working directory of the phase, in the checkout.
pub fn folder(spec: &PhaseSpec, work: &WorkDirectory) -> Result<PathBuf, Outcome> {
    let checkout = work.checkout();
    let path = checkout.join(&spec.folder);
    // The code may have replaced it.
    if checkout.is_symlink() {
        return Err(failed("the checkout was replaced by a symbolic link, which is not followed".to_owned()));
    }
    match fs::metadata(&path) {
        _ if spec.folder.is_empty() => Ok(checkout),
        Err(_) => Err(failed(format!("there is no folder `{}` in the commit", spec.folder))),
        Ok(_) if !is_inside(&path, &checkout) => {
            Err(failed(format!("the folder `{}` is outside the repository", spec.folder)))
        }
        Ok(found) if !found.is_dir() => Err(failed(format!("`{}` is not a folder", spec.folder))),
        Ok(_) => Ok(path),
    }
}

/// The command, with its environment and its own process group.
pub fn command(
    spec: &PhaseSpec,
    work: &WorkDirectory,
    folder: &Path,
    environment: &Environment,
) -> Result<Command, Outcome> {
    let mut command = match &spec.run {
        Some(run) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(run);
            shell
        }
        None => script(spec, work, folder)?,
    };
    command.env_clear().envs(environment).current_dir(folder).process_group(0);
    Ok(command)
}

/// The complete environment of the code, and of the `git` that clones for it. Later entries win.
pub fn environment(
    spec: &PhaseSpec,
    config: &AgentConfig,
    work: &WorkDirectory,
    log_path: &str,
) -> Environment {
    let mut all = Environment::new();
    let mut set = |name: &str, value: OsString| all.insert(name.to_owned(), value);
    set("PATH", PATH.into());
    set("HOME", work.home().into());
    set("TMPDIR", work.temporary().into());
    // The image's variables win: it knows its own paths, and its home may be prepared for phases.
    for (name, value) in &config.inherited {
        set(name, value.clone());
    }
    for (name, value) in &spec.variables {
        set(name, value.into());
    }
    set("REPLICA_ID", config.replica.to_string().into());
    set("LOG_PATH", log_path.into());
    set("KATKIT_ARTIFACTS", work.artifacts().into());
    set("KATKIT_INPUTS", work.inputs().into());
    if spec.peers.is_some() {
        set("KATKIT_PEERS", work.peers().into());
    }
    for (name, value) in &config.secrets.0 {
        set(name, value.into());
    }
    // Set last, so nothing overrides it: processes that detach themselves are found by it.
    if let Some(service) = &config.service_directory {
        set(MARKER, service.into());
    }
    all
}

/// Runs `./ci.sh`, made executable if needed.
fn script(spec: &PhaseSpec, work: &WorkDirectory, folder: &Path) -> Result<Command, Outcome> {
    let place = if spec.folder.is_empty() { "ci.sh".to_owned() } else { format!("{}/ci.sh", spec.folder) };
    let path = folder.join("ci.sh");
    let metadata = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(failed(format!("`{place}` is not a file"))),
        Err(_) if path.is_symlink() && !path.exists() => {
            return Err(failed(format!("`{place}` is a dangling symbolic link")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let hint = "add the script, or set `run` in the phase";
            return Err(failed(format!("there is no `{place}` in the commit; {hint}")));
        }
        Err(error) => return Err(failed(format!("`{place}` cannot be read: {error}"))),
    };
    if !is_inside(&path, &work.checkout()) {
        return Err(failed(format!("`{place}` is a symbolic link to a file outside the repository")));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o100 == 0 {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o755))
            .map_err(|error| failed(format!("`{place}` cannot be made executable: {error}")))?;
        if let Err(error) = git::ignore_modes(&work.checkout()) {
            // The code still runs; its `git status` shows one more file.
            tracing::debug!(%error, "git will show ci.sh as modified");
        }
    }
    match first_line(&path) {
        // Neither `#!` nor a binary: do what a shell would do.
        Beginning::Text => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("./ci.sh");
            Ok(shell)
        }
        Beginning::Interpreter(name) if !Path::new(&name).exists() => {
            let hint = if name.ends_with('\r') { "; the file has Windows line endings" } else { "" };
            let name = name.trim_end();
            Err(failed(format!("`{place}` needs the interpreter `{name}`, which does not exist here{hint}")))
        }
        Beginning::Interpreter(_) | Beginning::Program => Ok(Command::new("./ci.sh")),
    }
}

enum Beginning {
    /// `#!` and this path.
    Interpreter(String),
    /// A binary.
    Program,
    Text,
}

fn first_line(path: &Path) -> Beginning {
    let mut head = Vec::new();
    // An unreadable file is run anyway: the system's error is clearer.
    if File::open(path).and_then(|file| file.take(256).read_to_end(&mut head)).is_err() {
        return Beginning::Program;
    }
    if let Some(rest) = head.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let path = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next().unwrap_or_default();
        return Beginning::Interpreter(path.to_owned());
    }
    if head.starts_with(b"\x7fELF") { Beginning::Program } else { Beginning::Text }
}

/// The outcome of a command that the system refused to start.
pub fn refused(error: &std::io::Error) -> Outcome {
    failed(match error.kind() {
        ErrorKind::ArgumentListTooLong => {
            "its variables and secrets together exceed the system's limit".to_owned()
        }
        ErrorKind::InvalidInput => "a variable or secret contains a NUL byte".to_owned(),
        _ => format!("its code could not be started: {error}"),
    })
}
