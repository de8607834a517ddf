//! `katkit apply`

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::others;
use super::plan;
use super::plan::Selection;
use super::saved::{self, Confirmed};
use crate::app::{Host, Opened};
use crate::apply::{self, FailureLimit, Session};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::confirm::{Confirmation, Consent, confirm};
use crate::cli::output::{Output, live, progress};
use crate::domain::PlanDigest;
use crate::estate::Estate;
use crate::plan::{LinkPlan, Plan, Step, lasting};
use crate::report::{LinkReport, Summary};
use crate::views::{ApplyEvent, PlanJson, PlanText, SummaryJson, SummaryText};

/// Carry out the plan: run the missing phases, then deploy
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit apply                Everything `katkit plan` shows
  katkit apply prod \"*/shop\"  One tenant, and one link in every tenant
  katkit apply --plan FILE    The plan saved by `katkit plan --out FILE`

Ctrl-C stops what is running; the next apply resumes. Twice exits at once.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Apply the plan saved by `katkit plan --out FILE`
    #[arg(long = "plan", value_name = "FILE")]
    #[arg(conflicts_with_all = ["links", "targets", "refresh_only", "against", "wait"])]
    saved: Option<PathBuf>,
    /// Do nothing if part of the saved plan is out of date
    #[arg(long)]
    all_or_nothing: bool,
    /// Wait for other processes working on the links
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    consent: Consent,
    /// Start no more deployments after N failures [default: 1 in each protected tenant]
    #[arg(long, value_name = "N")]
    max_failures: Option<NonZeroUsize>,
    /// Exit with 3 if a deployment waits for a policy
    #[arg(long)]
    strict: bool,
    /// Number of links to work on concurrently
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: u16,
    /// Output format: text, or json, one event per line (schema: `katkit schema apply`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// How to carry out a plan.
#[derive(Clone, Debug)]
pub(in crate::cli) struct ApplyOptions {
    pub(in crate::cli) parallelism: usize,
    pub(in crate::cli) format: Format,
    /// The saved plan that this plan was checked against.
    saved_plan: Option<PlanDigest>,
    /// The links whose saved plan is out of date.
    refused: Vec<LinkReport>,
    purpose: Purpose,
    ask: Confirmation,
    /// The plan text that the user has already agreed to. The same text is not shown again.
    agreed: Option<String>,
    /// After this many failed deployments, no more start.
    max_failures: Option<NonZeroUsize>,
    /// A deployment that waits is unfinished work.
    strict: bool,
    /// `None`: the first Ctrl-C once work has started.
    interrupt: Option<CancellationToken>,
}

/// Why the plan is carried out. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To make the wanted commits live: a held link is a failure too.
    Convergence,
    /// To grant a request. The link may be held afterwards.
    Request,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        let (format, purpose) = (Format::Text, Purpose::Request);
        Self {
            parallelism: 16,
            format,
            saved_plan: None,
            refused: Vec::new(),
            purpose,
            ask: Confirmation::Protected,
            agreed: None,
            max_failures: None,
            strict: false,
            interrupt: None,
        }
    }
}

impl ApplyOptions {
    /// Options for granting requests. The user named the links, so only protected tenants need confirmation.
    pub(in crate::cli) fn request(consent: Consent) -> Self {
        Self { ask: consent.or(Confirmation::Protected), ..Self::default() }
    }

    /// Shows and confirms nothing if the plan's text is `plan`, which the user has already agreed to.
    pub(in crate::cli) fn agreed(self, plan: String) -> Self {
        Self { agreed: Some(plan), ..self }
    }
}

pub(in crate::cli) async fn run(
    arguments: Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    output.warnings(&estate.loaded.warnings);
    let options = ApplyOptions {
        parallelism: arguments.parallelism.into(),
        format: arguments.format,
        purpose: Purpose::Convergence,
        ask: arguments.consent.or(Confirmation::Everything),
        max_failures: arguments.max_failures,
        strict: arguments.strict,
        ..ApplyOptions::default()
    };
    let ended = match arguments.saved_plan(estate) {
        Some(file) => {
            let Confirmed { plan, digest, refused } =
                saved::confirm(&opened, &file, arguments.all_or_nothing).await?;
            carry_out(
                &opened,
                plan,
                ApplyOptions { saved_plan: Some(digest), refused, ask: Confirmation::Nothing, ..options },
                output,
            )
            .await
        }
        None if arguments.all_or_nothing => Err(CommandError::usage(
            "`--all-or-nothing` needs a saved plan".to_owned(),
            "name it: `katkit apply --plan FILE --all-or-nothing`".to_owned(),
        )),
        None => converge(&opened, &arguments, options, output).await,
    };
    output.calls(host, global.verbose);
    ended
}

impl Arguments {
    /// The saved plan to apply: `--plan FILE`, or a lone argument that names a file.
    fn saved_plan(&self, estate: &Estate) -> Option<PathBuf> {
        let lone = || match self.selection.links.as_slice() {
            // A link takes precedence over a file of the same name.
            [one]
                if self.selection.targets.is_empty()
                    && link::in_manifest(estate, std::slice::from_ref(one)).is_err() =>
            {
                Some(one.into()).filter(|file: &PathBuf| file.is_file())
            }
            _ => None,
        };
        self.saved.clone().or_else(lone)
    }
}

/// Plans and applies. With `--wait`, repeats until no other process works on the links.
async fn converge(
    opened: &Opened,
    arguments: &Arguments,
    options: ApplyOptions,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    if !arguments.wait {
        let plan = plan::make(opened, &arguments.selection, true).await?;
        return carry_out(opened, plan, options, output).await;
    }
    let interrupt = on_ctrl_c();
    let options = ApplyOptions { interrupt: Some(interrupt.clone()), ..options };
    loop {
        let plan = tokio::select! {
            plan = after_others(opened, &arguments.selection, output) => plan?,
            () = interrupt.cancelled() => return Ok(ExitStatus::Interrupted),
        };
        let ended = carry_out(opened, plan, options.clone(), output).await?;
        if ended != ExitStatus::Unfinished {
            return Ok(ended);
        }
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

/// Shows a plan, carries it out, and shows a summary.
pub(in crate::cli) async fn carry_out(
    opened: &Opened,
    plan: Plan,
    options: ApplyOptions,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let estate = &*opened.estate;
    let ApplyOptions {
        parallelism,
        format,
        saved_plan,
        refused,
        purpose,
        ask,
        agreed,
        max_failures,
        strict,
        interrupt,
    } = options;
    let json = format == Format::Json;
    let planned = Planned::of(&plan, purpose, strict);
    if json {
        progress::tell(ApplyEvent::Planned { plan: PlanJson::from(&plan) })?;
    }
    let text = PlanText { plan: &plan, style: output.style() }.to_string();
    let is_agreed = agreed.as_ref() == Some(&text);
    if !json && !is_agreed {
        output.show(text)?;
    }
    if !is_agreed && !confirm(&plan, estate.manifest(), ask)? {
        output.note(match purpose {
            Purpose::Convergence => "Nothing was changed.",
            Purpose::Request => "Not applied. The request stays pending; `katkit withdraw` cancels it.",
        });
        return Ok(ExitStatus::Failure);
    }
    let leftovers = opened.remove_leftovers();
    if !plan.has_steps() {
        if json {
            progress::tell(ApplyEvent::Summary(SummaryJson::from(&Summary::default())))?;
        }
        finished(leftovers).await;
        return Ok(planned.exit(&Summary::default()));
    }
    let lasts = |link: &&LinkPlan| lasting(link).is_some();
    let held: Vec<_> = plan.links.iter().filter(lasts).map(|link| link.link.clone()).collect();
    let (mut summary, elapsed) = {
        let links = plan.links.iter().filter(|link| !link.steps.is_empty()).count();
        let listener = progress::listener(format, links, estate, output);
        let session = Arc::new(Session {
            executor: Arc::new(opened.executor()),
            actor: opened.actor.clone(),
            listener: Arc::clone(&listener) as Arc<_>,
            interrupt: interrupt.unwrap_or_else(on_ctrl_c),
            saved_plan,
            failure_limit: FailureLimit::new(estate.manifest(), max_failures),
        });
        let began = estate.clock.elapsed();
        let summary = apply::apply(&session, plan, parallelism).await;
        listener.finish();
        finished(leftovers).await;
        (summary, estate.clock.elapsed().saturating_sub(began))
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

/// What the plan alone determines about the exit code.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// Something failed or is held, and someone has to act.
    is_failure: bool,
    /// Another process is handling a part, or `strict` applies to what waits.
    is_unfinished: bool,
    /// A deployment that waits is unfinished work.
    is_strict: bool,
}

impl Planned {
    fn of(plan: &Plan, purpose: Purpose, is_strict: bool) -> Self {
        let is_wanted = purpose == Purpose::Convergence && !plan.refresh_only;
        // A commit that this plan quarantines was the wanted one.
        let quarantines = |step: &Step| matches!(step, Step::Quarantine { .. });
        let quarantined = plan.links.iter().flat_map(|link| &link.steps).any(quarantines);
        let is_held = is_wanted && (plan.is_held() || quarantined);
        let is_failure = plan.has_errors() || is_held;
        let is_unfinished = plan.is_elsewhere() || is_strict && plan.waits_at_gate();
        Self { is_failure, is_unfinished, is_strict }
    }

    /// The exit code after the steps were carried out.
    fn exit(self, summary: &Summary) -> ExitStatus {
        if summary.interrupted {
            ExitStatus::Interrupted
        } else if self.is_failure || !summary.all_done() {
            ExitStatus::Failure
        } else if self.is_unfinished || summary.is_overtaken() || self.is_strict && summary.is_waiting() {
            ExitStatus::Unfinished
        } else {
            ExitStatus::Success
        }
    }
}

/// Waits until a task is done. The task logs its own failures.
async fn finished(task: JoinHandle<()>) {
    let _ = task.await;
}

/// The first Ctrl-C (or SIGTERM) interrupts the work; the second exits, and the next command recovers.
fn on_ctrl_c() -> CancellationToken {
    let interrupt = CancellationToken::new();
    let interrupter = interrupt.clone();
    tokio::spawn(async move {
        let mut asked = false;
        while signalled().await.is_ok() {
            if asked {
                live::leave();
                std::process::exit(130);
            }
            asked = true;
            tracing::warn!(
                "stopping: cancelling and removing what is running; press Ctrl-C again to exit at once"
            );
            interrupter.cancel();
        }
    });
    interrupt
}

/// Returns on Ctrl-C or SIGTERM.
pub(in crate::cli) async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
