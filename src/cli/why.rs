//! `katkit why`

use std::collections::BTreeSet;

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, attempt, link, past};
use crate::app::App;
use crate::blobs::{BlobKey, LogReader};
use crate::config::Config;
use crate::domain::{FormerName, Head, LinkId, PhaseState, PhaseStatus, RunState};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Holder, LinkInput, Watched};
use crate::views::{Story, Tail, Why, WhyJson, WhyText};

/// Say why a commit is live, or why it is not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit why prod/shop          Is what is asked for live, and if not, why?
  katkit why prod/shop 3f2a9c1  What became of this commit here?")]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// What became of this commit: its sha, or its first digits [default: what is asked for]
    #[arg(value_name = "SHA")]
    sha: Option<String>,
    /// What to write: text for people, or json, of which `katkit schema why` tells
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// How many of a log's last lines are shown.
const LINES: usize = 20;

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    let (id, head) = link::find(&app, &arguments.link).await?;
    if let Some(to) = link::renamed(&app, &id).filter(|_| !head.is_blank()) {
        let what = format!("the manifest calls `{id}` by the name `{to}`");
        return Err(CommandError::refused(what, format!("`katkit why {to}` tells of it")));
    }
    let targets = Targets::default().and_only(BTreeSet::from([id.clone()]));
    let input = app.inventory(&Scope { targets, ..Scope::default() }).await?;
    let plan = plan::plan(&input);
    let found = input.links.first();
    let head = found.map_or(&head, |found| &found.head);
    let want = found.and_then(|found| found.want.as_ref());
    let contained = found.and_then(|found| found.watched.as_deref()).and_then(Watched::contained);
    // Until the next apply, the record is still under the old name.
    let recorded = found.map_or(&id, LinkInput::recorded_as);
    let run = match &head.run {
        Some(run) => past::run(&app, recorded, &run.id).await?,
        None => None,
    };
    let story = match &arguments.sha {
        Some(text) => {
            let mut runs = past::all(&app, recorded).await?;
            let tip = contained.map(|contained| &contained.tip);
            let sha = past::commit(text, head, tip.or(want.and_then(|want| want.as_ref().ok())), &runs)?;
            runs.retain(|run| Some(&run.sha) == sha.as_ref());
            Some(Story { named: sha.map_or_else(|| text.clone(), |sha| sha.to_string()), runs })
        }
        None => None,
    };
    // A link that was forgotten is not gathered, and nobody works on it.
    let holder = found.map_or(&Holder::Nobody, |found| &found.holder);
    let why = Why {
        link: &id,
        recorded_as: Some(recorded).filter(|recorded| **recorded != id),
        asks: app.manifest().link(&id).map(|(_, link)| &link.want),
        want,
        contained,
        head,
        holder,
        requests: found.map_or(&[], |found| found.requests.as_slice()),
        plan: plan.links.first(),
        run: run.as_ref(),
        tails: &tails(&app, &id, head).await?,
        story: story.as_ref(),
        now: app.clock.now(),
    };
    match arguments.format {
        Format::Text => output.show(WhyText { why, style: output.style() })?,
        Format::Json => output.json(&WhyJson::of(&why))?,
    }
    Ok(ExitStatus::Success)
}

/// The ends of the logs of the phases that failed.
async fn tails(app: &App, id: &LinkId, head: &Head) -> Result<Vec<Tail>, CommandError> {
    let mut tails = Vec::new();
    let Some(run) = &head.run else { return Ok(tails) };
    for phase in run.phases.iter().filter(|phase| phase.status == PhaseStatus::Failed) {
        tails.extend(tail(app, (id, &head.formerly), run, phase).await?);
    }
    Ok(tails)
}

async fn tail(
    app: &App,
    (id, formerly): (&LinkId, &[FormerName]),
    run: &RunState,
    phase: &PhaseState,
) -> Result<Option<Tail>, CommandError> {
    let Some(attempt) = &phase.attempt else { return Ok(None) };
    let made = (attempt.number, &attempt.token);
    let link = FormerName::of_attempt(formerly, id, (&run.id, &phase.name), made);
    let key = BlobKey::attempt(link, &run.sha, &phase.name, &run.id, attempt.number);
    for replica in 0..attempt.replicas {
        let status = attempt::status(app, &key.replica(replica)).await?;
        let is_gone = status.is_none();
        if status.is_some_and(|status| status.outcome.is_some_and(|outcome| outcome.is_success())) {
            continue;
        }
        let lines = LogReader::last_lines(&*app.blobs, &key.replica(replica), LINES).await?;
        return Ok(Some(Tail {
            phase: phase.name.clone(),
            attempt: attempt.number,
            replica: (attempt.replicas > 1).then_some(replica),
            lines,
            pruned: attempt.pruned.filter(|_| is_gone),
        }));
    }
    Ok(None)
}
