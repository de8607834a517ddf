//! Plans and applies until no commit can travel on: a commit that one stage of a pipeline has just verified may run in
//! the next.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::carry_out::{ApplyOptions, carry_out, on_ctrl_c};
use super::others;
use super::plan::{self, Selection};
use crate::app::Opened;
use crate::cli::ExitStatus;
use crate::cli::arguments::Format;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Generation, LinkId};
use crate::estate::Estate;
use crate::inventory::Scope;
use crate::pipeline::{Pipeline, Stage, StageSource, Take};
use crate::plan::{Hold, LinkPlan, Plan, lasting};

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
    let (mut worst, mut next, mut before) = loop {
        let plan = match &interrupt {
            None => plan::make(opened, selection, true).await?,
            Some(interrupt) => match unless(interrupt, after_others(opened, selection, output)).await {
                Some(plan) => plan?,
                None => return Ok(ExitStatus::Interrupted),
            },
        };
        let next = match selection.refresh_only {
            true => Next::default(),
            false => Next::after(&opened.estate, &plan),
        };
        let options = ApplyOptions { again: next.all().cloned().collect(), ..options.clone() };
        let planned = with_steps(&plan);
        let ended = carry_out(opened, plan, options, output).await?;
        if !wait || ended != ExitStatus::Unfinished {
            break (ended, next, planned);
        }
    };
    if next.is_empty() || worst == ExitStatus::Interrupted {
        return Ok(worst);
    }
    let interrupt = interrupt.unwrap_or_else(on_ctrl_c);
    let options = options.interrupted_by(Some(interrupt.clone()));
    // A pipeline is free of cycles and a branch has an end, so this has one, too, as long as each round records something.
    while !next.is_empty() {
        let after = std::mem::take(&mut next);
        let Some(plan) = unless(&interrupt, further(opened, selection, &after)).await else {
            return Ok(ExitStatus::Interrupted);
        };
        let plan = plan?;
        let needs_someone =
            |link: &LinkPlan| lasting(link).is_some() || link.holds.iter().any(Hold::needs_approval);
        let is_new = |link: &LinkPlan| after.moved.contains(&link.link) && needs_someone(link);
        if !plan.has_steps() && !plan.links.iter().any(is_new) {
            // What is held was shown before, but it counts only now.
            worst = worst.or_worse(options.standing(&plan));
            break;
        }
        let planned = with_steps(&plan);
        if !planned.is_empty() && planned.iter().all(|(link, base)| before.get(link) == Some(base)) {
            // An error or the answer "no" kept all of them from that.
            break;
        }
        before.extend(planned);
        next = Next::after(&opened.estate, &plan);
        if options.format == Format::Text {
            output.show("\nFurther in the pipeline:\n\n")?;
        }
        let options = ApplyOptions { again: next.all().cloned().collect(), ..options.clone() };
        let ended = carry_out(opened, plan, options, output).await?;
        worst = worst.or_worse(ended);
        if ended == ExitStatus::Interrupted {
            break;
        }
    }
    Ok(worst)
}

/// The links with steps, each with what its plan is based on.
fn with_steps(plan: &Plan) -> BTreeMap<LinkId, Generation> {
    let links = plan.links.iter().filter(|link| !link.steps.is_empty());
    links.map(|link| (link.link.clone(), link.base)).collect()
}

/// The links that a plan may lead on to.
#[derive(Debug, Default)]
struct Next {
    /// Those that may run a commit once the links with steps are done.
    moved: BTreeSet<LinkId>,
    /// Those of the same pipelines that something holds: what is done now may release them.
    held: BTreeSet<LinkId>,
}

impl Next {
    fn after(estate: &Estate, plan: &Plan) -> Self {
        let with_steps = plan.links.iter().filter(|link| !link.steps.is_empty()).map(|link| &link.link);
        let with_steps: BTreeSet<&LinkId> = with_steps.collect();
        let is_behind = |pipeline: &Pipeline, link: &LinkId| {
            // Another commit may be waiting in such a stage.
            let in_turn =
                |stage: &Stage| stage.take == Take::Each || stage.source == StageSource::PullRequests;
            let takes_each = pipeline.stage_of(link).is_some_and(in_turn);
            let before = pipeline.requirements(link, None);
            takes_each && with_steps.contains(link)
                || before.iter().flat_map(|it| it.links()).any(|link| with_steps.contains(link))
        };
        let mut next = Self::default();
        for pipeline in estate.manifest().pipelines.values() {
            if !pipeline.links().any(|link| with_steps.contains(link)) {
                continue;
            }
            next.moved.extend(pipeline.links().filter(|link| is_behind(pipeline, link)).cloned());
            let held = plan.links.iter().filter(|link| link.steps.is_empty() && !link.holds.is_empty());
            let held = held.map(|link| &link.link).filter(|link| pipeline.stage_of(link).is_some());
            next.held.extend(held.filter(|link| !next.moved.contains(*link)).cloned());
        }
        next
    }

    fn all(&self) -> impl Iterator<Item = &LinkId> {
        self.moved.iter().chain(&self.held)
    }

    fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.held.is_empty()
    }
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
async fn further(opened: &Opened, selection: &Selection, next: &Next) -> Result<Plan, CommandError> {
    let scope = selection.scope(opened, false).await?;
    let selected = next.all().filter(|link| scope.targets.contain(link)).cloned().collect();
    let scope = Scope { targets: scope.targets.and_only(selected), ..scope };
    Ok(crate::plan::plan(&opened.estate.inventory(&scope).await?))
}
