//! Shell completion candidates: links from the manifest, phases and commits from the record.
//!
//! The shell waits for the answer at every keystroke. So nothing here uses the network, and an error only shortens the
//! list.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::app;
use crate::cli::Arguments;
use crate::cli::arguments::Global;
use crate::domain::{Head, LinkId};
use crate::manifest::Manifest;
use crate::state::Links;

/// The environment variable that the shell's completion script sets.
const VARIABLE: &str = "KATKIT_COMPLETE";

/// Answers a shell's completion request, if this process was started by one. Returns whether it was.
pub(in crate::cli) fn answer(here: Option<&Path>) -> bool {
    let shell = CompleteEnv::with_factory(command).var(VARIABLE).bin("katkit").completer("katkit");
    // An error message would only clutter the line being typed.
    shell.try_complete(std::env::args_os(), here).unwrap_or(true)
}

/// The completion script for a shell of that name. It calls this program for candidates.
pub(in crate::cli) fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(shell) {
        shell.write_registration(VARIABLE, "katkit", "katkit", "katkit", &mut script)?;
    }
    Ok(script)
}

/// The command line with completers attached to its arguments.
fn command() -> clap::Command {
    Arguments::command().mut_subcommands(completed)
}

/// A command, and its own subcommands, with completers attached to their arguments.
fn completed(command: clap::Command) -> clap::Command {
    let named = |argument: &clap::Arg| {
        argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string)
    };
    let ends_with_phase = command.get_positionals().any(|last| named(last).as_deref() == Some("PHASE"));
    command.mut_subcommands(completed).mut_args(|argument| {
        match named(&argument).as_deref() {
            // Until the line is complete, the phase cannot be told from another link.
            Some("LINK") if ends_with_phase => argument.add(ArgValueCandidates::new(links_or_phases)),
            Some("LINK" | "PATTERN") => argument.add(ArgValueCandidates::new(links)),
            Some("PHASE") => argument.add(ArgValueCandidates::new(phases)),
            Some("SHA" | "COMMIT") => argument.add(ArgValueCandidates::new(commits)),
            _ => argument,
        }
    })
}

fn links() -> Vec<CompletionCandidate> {
    manifest().map(|manifest| offered(ids(&manifest).map(|id| id.to_string()))).unwrap_or_default()
}

fn links_or_phases() -> Vec<CompletionCandidate> {
    let is_link_typed = manifest().is_some_and(|manifest| typed_link(&manifest).is_some());
    let phases = if is_link_typed { phases() } else { Vec::new() };
    links().into_iter().chain(phases).collect()
}

/// The phases of the typed link's last run, or of every workflow.
fn phases() -> Vec<CompletionCandidate> {
    let Some(manifest) = manifest() else { return Vec::new() };
    if let Some(run) = typed(&manifest).and_then(|head| head.run) {
        return offered(run.phases.into_iter().map(|phase| phase.name.to_string()));
    }
    let workflows = manifest.workflows.values();
    offered(workflows.flat_map(|workflow| workflow.phases()).map(|phase| phase.name.to_string()))
}

/// The commits in the head of the typed link.
fn commits() -> Vec<CompletionCandidate> {
    let Some(head) = manifest().and_then(|manifest| typed(&manifest)) else { return Vec::new() };
    let run = head.run.iter().map(|run| &run.sha);
    let deployed = head.deployed.iter().map(|deployed| &deployed.sha);
    let verified = head.verified.iter().map(|evidence| &evidence.sha);
    offered(run.chain(deployed).chain(verified).map(ToString::to_string))
}

fn offered(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    values.collect::<BTreeSet<_>>().into_iter().map(CompletionCandidate::new).collect()
}

fn ids(manifest: &Manifest) -> impl Iterator<Item = LinkId> {
    manifest.links().map(|(id, _, _)| id)
}

/// The words typed so far. The script passes them after `--`.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// The manifest that the typed command would read.
fn manifest() -> Option<Manifest> {
    let matches = Arguments::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    Some(app::load(&global.manifest().ok()?).ok()?.manifest)
}

/// The first link typed.
fn typed_link(manifest: &Manifest) -> Option<LinkId> {
    words().find_map(|word| word.to_str()?.parse().ok().filter(|id| manifest.link(id).is_some()))
}

/// The recorded head of the first link typed.
fn typed(manifest: &Manifest) -> Option<Head> {
    let link = typed_link(manifest)?;
    let record = app::local_record(manifest)?;
    let heads = crate::cli::block_on(async { Ok(record.heads(Some(&[link])).await?) }).ok()?;
    heads.into_iter().next().map(|(_, head)| head)
}
