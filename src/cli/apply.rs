//! `katkit apply`

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::task::JoinHandle;

use super::arguments::{Format, Global};
use super::confirm::{Ask, Consent, confirm};
use super::error::CommandError;
use super::output::Output;
use super::plan::Selection;
use super::saved::{self, Confirmed};
use super::{ExitStatus, link, live, others, plan, progress};
use crate::app::App;
use crate::apply::{Executor, FailureLimit, Interrupt, Interrupter};
use crate::config::Config;
use crate::domain::PlanDigest;
use crate::plan::{LinkPlan, Plan, Step, lasting};
use crate::report::{LinkReport, Summary};
use crate::views::{ApplyEvent, PlanJson, PlanText, SummaryJson, SummaryText};

/// Run the missing phases and deploy, as the plan says
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit apply                Everything that `katkit plan` shows
  katkit apply prod \"*/shop\"  One tenant, and one link in every tenant
  katkit apply --plan FILE    What `katkit plan --out FILE` saved

Ctrl-C stops what runs, and the next apply goes on. A second one leaves at once.")]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Carry out what `katkit plan --out FILE` saved
    #[arg(long = "plan", value_name = "FILE")]
    #[arg(conflicts_with_all = ["links", "targets", "refresh_only", "against", "wait"])]
    saved: Option<PathBuf>,
    /// Do nothing if the saved plan is partly out of date
    #[arg(long)]
    all_or_nothing: bool,
    /// Wait for other processes that work on the links
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    consent: Consent,
    /// Stop starting deployments after N failures [default: 1 in each protected tenant]
    #[arg(long, value_name = "N")]
    max_failures: Option<NonZeroUsize>,
    /// How many links are worked on at the same time
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: u16,
    /// text for people, or json: an event a line, see `katkit schema apply`
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) parallelism: usize,
    pub(super) format: Format,
    /// The saved plan that it was held against.
    saved_plan: Option<PlanDigest>,
    /// The links of the saved plan that are planned otherwise by now.
    refused: Vec<LinkReport>,
    /// What it is done for.
    purpose: Purpose,
    /// What is asked before.
    ask: Ask,
    /// What a person has seen and agreed to: the same is not shown again.
    agreed: Option<String>,
    /// Once so many deployments failed, no further one begins.
    max_failures: Option<NonZeroUsize>,
    /// What stops it; `None`: the first Ctrl-C once something is carried out.
    interrupt: Option<Interrupt>,
}

/// What a plan is carried out for, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// So that what the manifest asks for is live: what is held is a failure too.
    Convergence,
    /// So that a request is granted, after which the link may well be held.
    Request,
}

impl Default for Manner {
    fn default() -> Self {
        let (format, purpose) = (Format::Text, Purpose::Request);
        Self {
            parallelism: 16,
            format,
            saved_plan: None,
            refused: Vec::new(),
            purpose,
            ask: Ask::Protected,
            agreed: None,
            max_failures: None,
            interrupt: None,
        }
    }
}

impl Manner {
    /// To grant requests, which were asked for by name.
    pub(super) fn request(consent: Consent) -> Self {
        Self { ask: consent.or(Ask::Protected), ..Self::default() }
    }

    /// The same, if the plan is this one, which a person has agreed to.
    pub(super) fn agreed(self, plan: String) -> Self {
        Self { agreed: Some(plan), ..self }
    }
}

pub(super) async fn run(
    arguments: Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config).await?;
    output.warnings(&app.loaded.warnings);
    let manner = Manner {
        parallelism: arguments.parallelism.into(),
        format: arguments.format,
        purpose: Purpose::Convergence,
        ask: arguments.consent.or(Ask::Everything),
        max_failures: arguments.max_failures,
        ..Manner::default()
    };
    let ended = match arguments.saved_plan(&app) {
        Some(file) => {
            let Confirmed { plan, digest, refused } =
                saved::confirm(&app, &file, arguments.all_or_nothing).await?;
            carry_out(
                &app,
                plan,
                Manner { saved_plan: Some(digest), refused, ask: Ask::Nothing, ..manner },
                output,
            )
            .await
        }
        None if arguments.all_or_nothing => Err(CommandError::usage(
            "`--all-or-nothing` needs a saved plan".to_owned(),
            "name it: `katkit apply --plan FILE --all-or-nothing`".to_owned(),
        )),
        None => converge(&app, &arguments, manner, output).await,
    };
    output.calls(&app, global);
    ended
}

impl Arguments {
    /// The saved plan that is meant; a single argument may name one too.
    fn saved_plan(&self, app: &App) -> Option<PathBuf> {
        let lone = || match self.selection.links.as_slice() {
            // A link goes before a file of its name.
            [one]
                if self.selection.targets.is_empty()
                    && link::in_manifest(app, std::slice::from_ref(one)).is_err() =>
            {
                Some(one.into()).filter(|file: &PathBuf| file.is_file())
            }
            _ => None,
        };
        self.saved.clone().or_else(lone)
    }
}

/// Plans and carries that out, with `--wait` until no other process has a part of it.
async fn converge(
    app: &App,
    arguments: &Arguments,
    manner: Manner,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    if !arguments.wait {
        let plan = plan::make(app, &arguments.selection, true).await?;
        return carry_out(app, plan, manner, output).await;
    }
    let interrupt = on_ctrl_c();
    let manner = Manner { interrupt: Some(interrupt.clone()), ..manner };
    loop {
        let plan = tokio::select! {
            plan = after_others(app, &arguments.selection, output) => plan?,
            () = interrupt.wait() => return Ok(ExitStatus::Interrupted),
        };
        let ended = carry_out(app, plan, manner.clone(), output).await?;
        if ended != ExitStatus::Unfinished {
            return Ok(ended);
        }
    }
}

/// Plans once no other process works on the links.
async fn after_others(app: &App, selection: &Selection, output: &mut Output) -> Result<Plan, CommandError> {
    others::wait(app, selection, output).await?;
    plan::make(app, selection, true).await
}

/// Shows a plan, carries it out, and says what became of it.
pub(super) async fn carry_out(
    app: &App,
    plan: Plan,
    manner: Manner,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Manner { parallelism, format, saved_plan, refused, purpose, ask, agreed, max_failures, interrupt } =
        manner;
    let json = format == Format::Json;
    let planned = Planned::of(&plan, purpose);
    if json {
        progress::tell(ApplyEvent::Planned { plan: PlanJson::from(&plan) })?;
    }
    let text = PlanText { plan: &plan, style: output.style() }.to_string();
    let is_agreed = agreed.as_ref() == Some(&text);
    if !json && !is_agreed {
        output.show(text)?;
    }
    if !is_agreed && !confirm(&plan, app.manifest(), ask)? {
        output.note(match purpose {
            Purpose::Convergence => "Nothing was changed.",
            Purpose::Request => "Not applied. The request stays pending; `katkit withdraw` cancels it.",
        });
        return Ok(ExitStatus::Failure);
    }
    let leftovers = app.remove_leftovers();
    if !plan.has_steps() {
        if json {
            progress::tell(ApplyEvent::Summary(SummaryJson::from(&Summary::default())))?;
        }
        finished(leftovers).await;
        return Ok(planned.exit(&Summary::default()));
    }
    let interrupt = interrupt.unwrap_or_else(on_ctrl_c);
    let lasts = |link: &&LinkPlan| lasting(link).is_some();
    let held: Vec<_> = plan.links.iter().filter(lasts).map(|link| link.link.clone()).collect();
    let (mut summary, elapsed) = {
        let links = plan.links.iter().filter(|link| !link.steps.is_empty()).count();
        let listener = progress::listener(format, links, app, output);
        let executor = app.executor(Arc::clone(&listener) as Arc<_>);
        let failure_limit = FailureLimit::new(app.manifest(), max_failures);
        let executor = Arc::new(Executor { saved_plan, failure_limit, ..executor });
        let began = app.clock.elapsed();
        let summary = executor.apply(plan, parallelism, &interrupt).await;
        listener.finish();
        finished(leftovers).await;
        (summary, app.clock.elapsed().saturating_sub(began))
    };
    let planned = Planned { is_unfinished: planned.is_unfinished || !refused.is_empty(), ..planned };
    let status = planned.exit(&summary);
    summary.refuse(refused);
    summary.hold(&held);
    if json {
        progress::tell(ApplyEvent::Summary(SummaryJson::from(&summary)))?;
    } else {
        output.show(SummaryText { summary: &summary, elapsed, style: output.style() })?;
    }
    Ok(status)
}

/// What is known of the exit code before anything is done.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// Something is not done, and a person has to act.
    is_failure: bool,
    /// Something is left to others.
    is_unfinished: bool,
}

impl Planned {
    fn of(plan: &Plan, purpose: Purpose) -> Self {
        let is_wanted = purpose == Purpose::Convergence && !plan.refresh_only;
        // What is quarantined by this very plan is what was wanted.
        let quarantines = |step: &Step| matches!(step, Step::Quarantine { .. });
        let quarantined = plan.links.iter().flat_map(|link| &link.steps).any(quarantines);
        let is_held = is_wanted && (plan.is_held() || quarantined);
        Self { is_failure: plan.has_errors() || is_held, is_unfinished: plan.is_elsewhere() }
    }

    /// The exit code, once the steps were carried out.
    fn exit(self, summary: &Summary) -> ExitStatus {
        if summary.interrupted {
            ExitStatus::Interrupted
        } else if self.is_failure || !summary.all_done() {
            ExitStatus::Failure
        } else if self.is_unfinished || summary.is_overtaken() {
            ExitStatus::Unfinished
        } else {
            ExitStatus::Success
        }
    }
}

/// Waits until a task is done. What it could not do, it has said.
async fn finished(task: JoinHandle<()>) {
    let _ = task.await;
}

/// The first Ctrl-C (or SIGTERM) asks everything to stop; the second ends the process, and the next command recovers.
fn on_ctrl_c() -> Interrupt {
    let (interrupter, interrupt) = Interrupter::new();
    tokio::spawn(async move {
        let mut asked = false;
        while signalled().await.is_ok() {
            if asked {
                live::leave();
                std::process::exit(130);
            }
            asked = true;
            tracing::warn!("stopping: what runs is cancelled and removed; again to leave at once");
            interrupter.interrupt();
        }
        // Without signals there is nobody who interrupts.
        std::future::pending::<()>().await;
    });
    interrupt
}

/// Returns at a Ctrl-C or a SIGTERM.
pub(super) async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
