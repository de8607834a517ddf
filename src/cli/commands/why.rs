//! `katkit why`

use std::collections::BTreeSet;

use clap::Args;

use crate::app::App;
use crate::blobs::{BlobKey, LogReader};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, attempt, event_range, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::config::Config;
use crate::domain::{FormerName, Head, LinkId, PhaseState, PhaseStatus, RunState};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Holder, LinkInput, WatchComparison};
use crate::views::{CommitStory, Tail, Why, WhyJson, WhyText};

/// Explain why a commit is live, or why it is not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit why prod/shop          Is the wanted commit live, and if not, why?
  katkit why prod/shop 3f2a9c1  What happened to this commit here?")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit to explain: its sha, or a prefix of it [default: the wanted commit]
    #[arg(value_name = "SHA")]
    sha: Option<String>,
    /// Output format: text, or json (schema: `katkit schema why`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// How many log lines to show.
const LINES: usize = 20;

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    let (id, head) = link::find(&app, &arguments.link).await?;
    if let Some(to) = link::renamed(&app, &id).filter(|_| !head.is_blank()) {
        let what = format!("`{id}` is called `{to}` in the manifest");
        return Err(CommandError::refused(what, format!("use `katkit why {to}`")));
    }
    let targets = Targets::default().and_only(BTreeSet::from([id.clone()]));
    let input = app.inventory(&Scope { targets, ..Scope::default() }).await?;
    let plan = plan::plan(&input);
    let found = input.links.first();
    let head = found.map_or(&head, |found| &found.head);
    let want = found.and_then(|found| found.want.as_ref());
    let contained = found.and_then(|found| found.watched.as_deref()).and_then(WatchComparison::contained);
    // Until the next apply, a renamed link is recorded under its old name.
    let recorded = found.map_or(&id, LinkInput::recorded_as);
    let run = match &head.run {
        Some(run) => event_range::run(&app, recorded, &run.id).await?,
        None => None,
    };
    let story = match &arguments.sha {
        Some(text) => {
            let mut runs = event_range::all(&app, recorded).await?;
            let tip = contained.map(|contained| &contained.tip);
            let sha =
                event_range::commit(text, head, tip.or(want.and_then(|want| want.as_ref().ok())), &runs)?;
            runs.retain(|run| Some(&run.sha) == sha.as_ref());
            Some(CommitStory { named: sha.map_or_else(|| text.clone(), |sha| sha.to_string()), runs })
        }
        None => None,
    };
    // Forgotten links are not gathered, and nobody works on them.
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

/// The last log lines of the failed phases.
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
