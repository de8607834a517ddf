//! `katkit rollback`

use std::collections::BTreeMap;

use clap::Args;

use super::request::{self, ConfirmedRequest, Options, RequestCommand};
use crate::app::App;
use crate::cli::ExitStatus;
use crate::cli::arguments::link::{self, Requested};
use crate::cli::arguments::{Format, Global, event_range};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::config::Config;
use crate::domain::{CommitSha, Deployment, Head, LinkId, RequestKind};
use crate::views::{RollbackTargetsJson, RollbackTargetsText};

/// Deploy the last verified commit, and quarantine the live one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit rollback prod/shop --why \"customers complain\" --apply
  katkit rollback prod/shop --list           List the rollback targets
  katkit rollback prod/shop --to 3f2a9c1     Further back
  katkit rollback prod/shop prod/billing     Two links

The quarantined commit is not deployed there again until `katkit retry` releases
it.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Roll back to this commit: its sha, or a prefix of it [default: the last verified commit]
    #[arg(long, value_name = "SHA", conflicts_with = "list")]
    to: Option<String>,
    /// List the rollback targets; records nothing
    #[arg(long, conflicts_with_all = ["why", "apply"])]
    list: bool,
    /// Format of the list: text, or json (schema: `katkit schema rollback`)
    #[arg(long, default_value = "text", hide_possible_values = true, requires = "list")]
    format: Format,
}

pub(in crate::cli) async fn run(
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
        output.json(&RollbackTargetsJson::of(&found))?;
        return Ok(ExitStatus::Success);
    }
    for (at, (link, head, subjects)) in found.iter().enumerate() {
        if at > 0 {
            output.show("\n")?;
        }
        output.show(RollbackTargetsText { link, head, subjects, style: output.style() })?;
    }
    Ok(ExitStatus::Success)
}

/// The subjects of the rollback targets, as far as they are available on this machine.
async fn subjects(app: &App, id: &LinkId, head: &Head) -> BTreeMap<CommitSha, String> {
    let mut subjects = BTreeMap::new();
    let repo = app.manifest().link(id).and_then(|(_, link)| app.manifest().repos.get(&link.repo));
    let Some(repo) = repo else { return subjects };
    for (evidence, _) in head.rollback_targets() {
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

    async fn requests(
        &self,
        _: &App,
        id: &LinkId,
        head: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError> {
        let Some(live) = &head.deployed else {
            return Err(nothing(id, format!("nothing is deployed to `{id}`")));
        };
        let to = match &self.to {
            Some(text) => named(id, head, live, text)?,
            None => {
                let none =
                    || nothing(id, format!("no commit was verified in `{id}` before {}", live.sha.short()));
                head.rollback_target().ok_or_else(none)?.sha.clone()
            }
        };
        let said = format!(
            "recorded: roll back from {live} to {}, and quarantine {live}.",
            to.short(),
            live = live.sha.short()
        );
        Ok(vec![(RequestKind::Rollback { from: live.sha.clone(), to }, said)])
    }
}

fn nothing(id: &LinkId, what: String) -> CommandError {
    CommandError::refused(what, format!("`katkit set {id} SHA` selects another commit"))
}

/// The commit that `text` names, if it is a rollback target.
fn named(id: &LinkId, head: &Head, live: &Deployment, text: &str) -> Result<CommitSha, CommandError> {
    let found = event_range::commit(text, head, None, &[])?;
    if let Some(sha) = found.as_ref().filter(|sha| head.rollback_targets().any(|(back, _)| back.sha == **sha))
    {
        return Ok(sha.clone());
    }
    let what = match &found {
        None => format!("no commit that begins with `{text}` was verified in `{id}`"),
        Some(sha) if *sha == live.sha => format!("{} is already live in `{id}`", sha.short()),
        Some(sha) => match (head.quarantine(sha), head.evidence(sha)) {
            (Some(quarantine), _) => format!("{} is quarantined in `{id}`: {}", sha.short(), quarantine.why),
            (None, Some(evidence)) if evidence.deployment.is_none() => {
                format!("the run that verified {} in `{id}` deployed nothing", sha.short())
            }
            (None, Some(_)) => {
                format!("{} was verified in `{id}` after {}, which is live", sha.short(), live.sha.short())
            }
            (None, None) => format!("{} was not verified in `{id}`", sha.short()),
        },
    };
    Err(CommandError::refused(what, format!("`katkit rollback {id} --list` lists the rollback targets")))
}
