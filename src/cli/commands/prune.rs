//! `katkit prune`

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;

use crate::app::{Host, Opened};
use crate::cli::ExitStatus;
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::{Consent, confirm_removal};
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::prune::{Plan, Pruner, Scope, Sources, gather, plan};
use crate::report::{PruneResult, Pruning};
use crate::state::Survey;
use crate::views::{PruneJson, PrunedText, PruningText};

/// Remove old logs, artifacts and history
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit prune --older-than 30d --dry-run     Show what would be removed
  katkit prune --older-than 30d               Remove it, after a confirmation
  katkit prune dev --older-than 7d --history  One tenant, with its old history

Live, last, in-flight and requested commits are kept, however old.")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop` [default: all links, and commit packs]
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// Minimum age: `30d` or `6 months`; or a date such as `2026-01-02`, or an RFC 3339 time
    #[arg(long, value_name = "AGE", value_parser = moment::parse)]
    older_than: Moment,
    /// Also remove old events from the history
    #[arg(long)]
    history: bool,
    /// Show what would be removed, without removing it
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
    /// Output format: text, or json (schema: `katkit schema prune`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    // Opening for reading does not create a missing record.
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let before = before(estate, arguments)?;
    let survey = estate.state.survey().await?;
    let is_empty = survey.heads.is_empty() && survey.damaged.is_empty();
    let scope = Scope { before, history: arguments.history, links: links(estate, arguments, &survey)? };
    let opened = if arguments.dry_run || is_empty { opened } else { global.open(host).await? };
    let estate = &*opened.estate;
    let sources = Sources { state: &*estate.state, blobs: &*estate.blobs };
    let plan = match is_empty {
        true => Plan { before, ..Plan::default() },
        false => plan(gather(sources, survey, &scope).await?, before),
    };
    let mut told = plan.told();
    let json = arguments.format == Format::Json;
    if !json && is_empty {
        output.show("Nothing is recorded yet, so there is nothing to remove.")?;
    } else if !json {
        output.show(PruningText { pruning: &told, style: output.style() })?;
    }
    if !arguments.dry_run && !plan.is_empty() {
        let tenants = plan.links.iter().map(|link| &link.link.tenant).collect();
        if !confirm_removal(&tenants, estate.manifest(), arguments.consent, json)? {
            output.show("Nothing was removed.")?;
            return Ok(ExitStatus::Failure);
        }
        carry_out(&opened, &plan, &mut told).await;
        if !json {
            output.show(PrunedText { pruning: &told, style: output.style() })?;
        }
    }
    if json {
        output.json(&PruneJson::of(&told))?;
    }
    output.calls(host, global.verbose);
    Ok(status(&told, arguments.dry_run))
}

/// The selected links; `None`: all of them.
fn links(
    estate: &Estate,
    arguments: &Arguments,
    survey: &Survey,
) -> Result<Option<BTreeSet<LinkId>>, CommandError> {
    if arguments.links.is_empty() {
        return Ok(None);
    }
    let recorded = survey.heads.iter().map(|(id, _)| id).chain(survey.damaged.keys()).cloned();
    let known: BTreeSet<LinkId> = recorded.chain(link::of_manifest(estate)).collect();
    let targets = link::targets(&arguments.links, &known, "link")?;
    Ok(Some(known.into_iter().filter(|id| targets.contain(id)).collect()))
}

/// Everything stored before this time is old.
fn before(estate: &Estate, arguments: &Arguments) -> Result<jiff::Timestamp, CommandError> {
    let now = estate.clock.now();
    let before = arguments.older_than.resolve(now);
    if before > now {
        let hint = "name an age such as `30d`, or a time in the past".to_owned();
        return Err(CommandError::usage(format!("{before} is in the future"), hint));
    }
    Ok(before)
}

async fn carry_out(opened: &Opened, plan: &Plan, told: &mut Pruning) {
    let pruner = Pruner {
        state: Arc::clone(&opened.estate.state),
        blobs: Arc::clone(&opened.estate.blobs),
        clock: Arc::clone(&opened.estate.clock),
        owner: opened.owner.clone(),
        actor: opened.actor.clone(),
    };
    let (links, packs) = pruner.carry_out(plan).await;
    for (link, result) in told.links.iter_mut().zip(links) {
        link.result = result;
    }
    told.packs_result = packs;
}

fn status(told: &Pruning, dry_run: bool) -> ExitStatus {
    let is_failed = |result: &PruneResult| matches!(result, PruneResult::Failed { .. });
    let is_left = |result: &PruneResult| matches!(result, PruneResult::Left { .. } | PruneResult::Changed);
    if told.results().any(is_failed) || !told.damaged.is_empty() {
        ExitStatus::Failure
    } else if !dry_run && (!told.left.is_empty() || told.results().any(is_left)) {
        ExitStatus::Unfinished
    } else {
        ExitStatus::Success
    }
}
