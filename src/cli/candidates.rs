//! What a shell offers while somebody types: links of the manifest, phases and commits of the record.
//!
//! A shell waits for the answer at each press of a key. So nothing here uses the network, and whatever goes wrong, the answer is
//! just shorter.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::Arguments;
use super::arguments::Global;
use crate::app;
use crate::domain::{Head, LinkId};
use crate::manifest::Manifest;
use crate::state::Links;

/// The variable with which the script of a shell asks.
const VARIABLE: &str = "KATKIT_COMPLETE";

/// Answers a shell that asks for candidates. Returns whether one did.
pub(super) fn answer(here: Option<&Path>) -> bool {
    let shell = CompleteEnv::with_factory(command).var(VARIABLE).bin("katkit").completer("katkit");
    // A person who is typing has no use for an error.
    shell.try_complete(std::env::args_os(), here).unwrap_or(true)
}

/// The script for a shell of that name, which asks this program for candidates.
pub(super) fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(shell) {
        shell.write_registration(VARIABLE, "katkit", "katkit", "katkit", &mut script)?;
    }
    Ok(script)
}

/// The command line, which knows what its arguments may be.
fn command() -> clap::Command {
    let named = |argument: &clap::Arg| {
        argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string)
    };
    Arguments::command().mut_subcommands(|command| {
        let ends_with_phase = command.get_positionals().any(|last| named(last).as_deref() == Some("PHASE"));
        command.mut_args(|argument| {
            match named(&argument).as_deref() {
                // As far as anybody can tell before the end, the phase is one more link.
                Some("LINK") if ends_with_phase => argument.add(ArgValueCandidates::new(links_or_phases)),
                Some("LINK" | "PATTERN") => argument.add(ArgValueCandidates::new(links)),
                Some("PHASE") => argument.add(ArgValueCandidates::new(phases)),
                Some("SHA" | "COMMIT") => argument.add(ArgValueCandidates::new(commits)),
                _ => argument,
            }
        })
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

/// The phases of the last run of the link that was typed, or those of every workflow.
fn phases() -> Vec<CompletionCandidate> {
    let Some(manifest) = manifest() else { return Vec::new() };
    if let Some(run) = typed(&manifest).and_then(|head| head.run) {
        return offered(run.phases.into_iter().map(|phase| phase.name.to_string()));
    }
    let workflows = manifest.workflows.values();
    offered(workflows.flat_map(|workflow| workflow.phases()).map(|phase| phase.name.to_string()))
}

/// The commits that the head of the link that was typed knows.
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

/// What was typed so far, which the script passes behind `--`.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// The manifest that the command would read.
fn manifest() -> Option<Manifest> {
    let matches = Arguments::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    Some(app::load(&global.manifest().ok()?).ok()?.manifest)
}

/// The first link that was typed.
fn typed_link(manifest: &Manifest) -> Option<LinkId> {
    words().find_map(|word| word.to_str()?.parse().ok().filter(|id| manifest.link(id).is_some()))
}

/// What is recorded of the first link that was typed.
fn typed(manifest: &Manifest) -> Option<Head> {
    let link = typed_link(manifest)?;
    let record = app::local_record(manifest)?;
    let heads = super::block_on(async { Ok(record.heads(Some(&[link])).await?) }).ok()?;
    heads.into_iter().next().map(|(_, head)| head)
}
