//! `katkit rollback`

use std::collections::BTreeMap;

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::link::{self, Requested};
use super::output::Output;
use super::request::{self, Asked, Options, RequestCommand};
use super::{ExitStatus, past};
use crate::app::App;
use crate::config::Config;
use crate::domain::{Ask, CommitSha, Deployment, Head, LinkId};
use crate::views::{WaysBackJson, WaysBackText};

/// Deploy the last verified commit, and quarantine what runs now
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit rollback prod/shop --why \"customers complain\" --apply
  katkit rollback prod/shop --list           What it can go back to
  katkit rollback prod/shop --to 3f2a9c1     Further back
  katkit rollback prod/shop prod/billing     Two links

The quarantined commit is not deployed there again until `katkit retry` lets it
be.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Go back to this commit, by its sha or its first digits [default: the last that was verified]
    #[arg(long, value_name = "SHA", conflicts_with = "list")]
    to: Option<String>,
    /// List the commits that it can go back to; nothing is recorded
    #[arg(long, conflicts_with_all = ["why", "apply"])]
    list: bool,
    /// Write the list as text for people, or as json, see `katkit schema rollback`
    #[arg(long, default_value = "text", hide_possible_values = true, requires = "list")]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    if !arguments.list {
        return request::run(arguments, global, config, output).await;
    }
    let app = global.look(config, output).await?;
    let links = link::all_requested(&app, &arguments.options.links).await?;
    let mut found = Vec::new();
    for Requested { id, head, is_named: _ } in links {
        let head = head?;
        let subjects = subjects(&app, &id, &head).await;
        found.push((id, head, subjects));
    }
    if arguments.format == Format::Json {
        output.json(&WaysBackJson::of(&found))?;
        return Ok(ExitStatus::Success);
    }
    for (at, (link, head, subjects)) in found.iter().enumerate() {
        if at > 0 {
            output.show("\n")?;
        }
        output.show(WaysBackText { link, head, subjects, style: output.style() })?;
    }
    Ok(ExitStatus::Success)
}

/// The subjects of the commits that it can go back to, as far as they are on this machine.
async fn subjects(app: &App, id: &LinkId, head: &Head) -> BTreeMap<CommitSha, String> {
    let mut subjects = BTreeMap::new();
    let repo = app.manifest().link(id).and_then(|(_, link)| app.manifest().repos.get(&link.repo));
    let Some(repo) = repo else { return subjects };
    for (evidence, _) in head.ways_back() {
        if let Ok(line) = app.git.one_line(&repo.url, &evidence.sha).await {
            subjects.insert(line.sha, line.subject);
        }
    }
    subjects
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "roll back";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(&self, _: &App, id: &LinkId, head: &Head) -> Result<Vec<Asked>, CommandError> {
        let Some(live) = &head.deployed else {
            return Err(nothing(id, format!("nothing is deployed to `{id}`")));
        };
        let to = match &self.to {
            Some(text) => named(id, head, live, text)?,
            None => {
                let none =
                    || nothing(id, format!("no commit was verified at `{id}` before {}", live.sha.short()));
                head.way_back().ok_or_else(none)?.sha.clone()
            }
        };
        let said = format!(
            "recorded: go back from {live} to {}, and quarantine {live}.",
            to.short(),
            live = live.sha.short()
        );
        Ok(vec![(Ask::Rollback { from: live.sha.clone(), to }, said)])
    }
}

fn nothing(id: &LinkId, what: String) -> CommandError {
    CommandError::refused(what, format!("`katkit set {id} SHA` asks for another commit"))
}

/// The commit that `text` names, if a rollback can go back to it.
fn named(id: &LinkId, head: &Head, live: &Deployment, text: &str) -> Result<CommitSha, CommandError> {
    let found = past::commit(text, head, None, &[])?;
    if let Some(sha) = found.as_ref().filter(|sha| head.ways_back().any(|(back, _)| back.sha == **sha)) {
        return Ok(sha.clone());
    }
    let what = match &found {
        None => format!("no commit that begins with `{text}` was verified at `{id}`"),
        Some(sha) if *sha == live.sha => format!("{} is what runs at `{id}`", sha.short()),
        Some(sha) => match (head.quarantine(sha), head.evidence(sha)) {
            (Some(quarantine), _) => format!("{} is quarantined at `{id}`: {}", sha.short(), quarantine.why),
            (None, Some(evidence)) if evidence.deployment.is_none() => {
                format!("the run that verified {} at `{id}` deployed nothing", sha.short())
            }
            (None, Some(_)) => {
                format!("{} was verified at `{id}` after {}, which is live", sha.short(), live.sha.short())
            }
            (None, None) => format!("{} was not verified at `{id}`", sha.short()),
        },
    };
    Err(CommandError::refused(what, format!("`katkit rollback {id} --list` shows where it can go back to")))
}
