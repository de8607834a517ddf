//! Plans and applies until no commit can travel on: a commit that one stage of a pipeline has just verified may run in
//! the next.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::carry_out::{ApplyOptions, carry_out, on_ctrl_c};
use super::others;
use super::plan::{self, Selection};
use crate::app::Opened;
use crate::cli::ExitStatus;
use crate::cli::arguments::Format;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::inventory::Scope;
use crate::pipeline::{Pipeline, Take};
use crate::plan::Plan;

/// Plans and applies. With `wait`, repeats until no other process works on the links.
///
/// Then goes on with the links of pipelines that come after those it worked on, stage by stage. Each round shows its
/// own plan and asks for its own consent. Returns the worst result of all rounds.
pub(super) async fn converge(
    opened: &Opened,
    (selection, wait): (&Selection, bool),
    options: ApplyOptions,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let interrupt = wait.then(on_ctrl_c);
    let options = options.interrupted_by(interrupt.clone());
    let (mut worst, mut next) = loop {
        let plan = match &interrupt {
            None => plan::make(opened, selection, true).await?,
            Some(interrupt) => match unless(interrupt, after_others(opened, selection, output)).await {
                Some(plan) => plan?,
                None => return Ok(ExitStatus::Interrupted),
            },
        };
        let next = match selection.refresh_only {
            true => BTreeSet::new(),
            false => behind(&opened.estate, &plan),
        };
        let options = ApplyOptions { again: next.clone(), ..options.clone() };
        let ended = carry_out(opened, plan, options, output).await?;
        if !wait || ended != ExitStatus::Unfinished {
            break (ended, next);
        }
    };
    if next.is_empty() || worst == ExitStatus::Interrupted {
        return Ok(worst);
    }
    let interrupt = interrupt.unwrap_or_else(on_ctrl_c);
    let options = options.interrupted_by(Some(interrupt.clone()));
    // A pipeline is free of cycles and a branch has an end, so this has one, too.
    while !next.is_empty() {
        let Some(plan) = unless(&interrupt, further(opened, selection, next)).await else {
            return Ok(ExitStatus::Interrupted);
        };
        let plan = plan?;
        if !plan.has_steps() && !plan.is_held() {
            break;
        }
        next = behind(&opened.estate, &plan);
        if options.format == Format::Text {
            output.show("\nFurther in the pipeline:\n\n")?;
        }
        let options = ApplyOptions { again: next.clone(), ..options.clone() };
        let ended = carry_out(opened, plan, options, output).await?;
        worst = worst.or_worse(ended);
        if ended == ExitStatus::Interrupted {
            break;
        }
    }
    Ok(worst)
}

/// The result, unless Ctrl-C comes first.
async fn unless<T>(interrupt: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = interrupt.cancelled() => None,
    }
}

/// Plans once no other process works on the links.
async fn after_others(
    opened: &Opened,
    selection: &Selection,
    output: &mut Output,
) -> Result<Plan, CommandError> {
    others::wait(&opened.estate, selection, output).await?;
    plan::make(opened, selection, true).await
}

/// The plan of these links, as far as they are selected.
async fn further(
    opened: &Opened,
    selection: &Selection,
    links: BTreeSet<LinkId>,
) -> Result<Plan, CommandError> {
    let scope = selection.scope(opened, false).await?;
    let selected = links.into_iter().filter(|link| scope.targets.contain(link)).collect();
    let scope = Scope { targets: scope.targets.and_only(selected), ..scope };
    Ok(crate::plan::plan(&opened.estate.inventory(&scope).await?))
}

/// The links that may run a commit once the links with steps in this plan are done.
fn behind(estate: &Estate, plan: &Plan) -> BTreeSet<LinkId> {
    let with_steps = plan.links.iter().filter(|link| !link.steps.is_empty()).map(|link| &link.link);
    let with_steps: BTreeSet<&LinkId> = with_steps.collect();
    let is_behind = |pipeline: &Pipeline, link: &LinkId| {
        // A stage that takes each commit may have another one waiting.
        let takes_each = pipeline.stage_of(link).is_some_and(|stage| stage.take == Take::Each);
        takes_each && with_steps.contains(link)
            || pipeline
                .requirements(link, None)
                .iter()
                .flat_map(|it| it.links())
                .any(|it| with_steps.contains(it))
    };
    let pipelines = estate.manifest().pipelines.values();
    let behind = pipelines.flat_map(|pipeline| pipeline.links().filter(|link| is_behind(pipeline, link)));
    behind.cloned().collect()
}
