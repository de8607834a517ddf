//! `katkit rollback`

use std::collections::BTreeMap;

use clap::Args;

use super::request::{self, Options, RequestCommand};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::link::{self, Requested};
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{CommitSha, Head, LinkId};
use crate::estate::Estate;
use crate::requests::Action;
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
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    if !arguments.list {
        return request::run(arguments, global, host, output).await;
    }
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let links = link::all_requested(estate, &arguments.options.links).await?;
    let mut found = Vec::new();
    for Requested { id, head, is_named: _ } in links {
        let head = head?;
        let subjects = subjects(estate, &id, &head).await;
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
async fn subjects(estate: &Estate, id: &LinkId, head: &Head) -> BTreeMap<CommitSha, String> {
    let mut subjects = BTreeMap::new();
    let repo = estate.manifest().link(id).and_then(|(_, link)| estate.manifest().repos.get(&link.repo));
    let Some(repo) = repo else { return subjects };
    for (evidence, _) in head.rollback_targets() {
        if let Ok(line) = estate.git.one_line(&repo.url, &evidence.sha).await {
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

    fn action(&self) -> Action {
        Action::Rollback { to: self.to.clone() }
    }
}
