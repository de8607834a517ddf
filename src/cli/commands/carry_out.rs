//! Carries out a plan: shows it, asks for consent, executes it, and decides the exit code.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::Opened;
use crate::apply::{self, FailureLimit, Session};
use crate::cli::ExitStatus;
use crate::cli::arguments::Format;
use crate::cli::error::CommandError;
use crate::cli::output::confirm::{Confirmation, Consent, confirm};
use crate::cli::output::{Output, live, progress};
use crate::domain::{LinkId, PlanDigest};
use crate::plan::{Hold, LinkPlan, Plan, Step, lasting};
use crate::report::{LinkReport, Summary};
use crate::views::{ApplyEvent, PlanJson, PlanText, SummaryJson, SummaryText};

/// How to carry out a plan.
#[derive(Clone, Debug)]
pub(in crate::cli) struct ApplyOptions {
    pub(in crate::cli) parallelism: usize,
    pub(in crate::cli) format: Format,
    /// The saved plan that this plan was checked against.
    pub(super) saved_plan: Option<PlanDigest>,
    /// The links whose saved plan is out of date.
    pub(super) refused: Vec<LinkReport>,
    pub(super) purpose: Purpose,
    pub(super) ask: Confirmation,
    /// The plan text that the user has already agreed to. The same text is not shown again.
    pub(super) agreed: Option<String>,
    /// After this many failed deployments, no more start.
    pub(super) max_failures: Option<NonZeroUsize>,
    /// A deployment that waits is unfinished work.
    pub(super) strict: bool,
    /// Links that are planned again afterwards: what holds them now decides nothing.
    pub(super) again: BTreeSet<LinkId>,
    /// `None`: the first Ctrl-C once work has started.
    pub(super) interrupt: Option<CancellationToken>,
}

/// Why the plan is carried out. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
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
            again: BTreeSet::new(),
            interrupt: None,
        }
    }
}

impl ApplyOptions {
    /// Options for granting requests. The user named the links, so only protected tenants need confirmation.
    pub(in crate::cli) fn request(consent: Consent) -> Self {
        Self { ask: consent.or(Confirmation::Protected), ..Self::default() }
    }

    /// Stops the work when the token is cancelled; `None`: on the first Ctrl-C once work has started.
    pub(super) fn interrupted_by(self, interrupt: Option<CancellationToken>) -> Self {
        Self { interrupt, ..self }
    }

    /// The exit code of a plan without steps.
    pub(super) fn standing(&self, plan: &Plan) -> ExitStatus {
        Planned::of(plan, &BTreeSet::new(), self.purpose, self.strict).exit(&Summary::default())
    }

    /// Shows and confirms nothing if the plan's text is `plan`, which the user has already agreed to.
    pub(in crate::cli) fn agreed(self, plan: String) -> Self {
        Self { agreed: Some(plan), ..self }
    }
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
        again,
        interrupt,
    } = options;
    let json = format == Format::Json;
    let planned = Planned::of(&plan, &again, purpose, strict);
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
    let lasts = |link: &&LinkPlan| lasting(link).is_some() && !again.contains(&link.link);
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
    fn of(plan: &Plan, again: &BTreeSet<LinkId>, purpose: Purpose, is_strict: bool) -> Self {
        let is_wanted = purpose == Purpose::Convergence && !plan.refresh_only;
        let links = || plan.links.iter().filter(|link| !again.contains(&link.link));
        let holds = || links().flat_map(|link| &link.holds);
        // A commit that this plan quarantines was the wanted one.
        let quarantines = |step: &Step| matches!(step, Step::Quarantine { .. });
        let is_held =
            holds().any(Hold::needs_action) || links().flat_map(|link| &link.steps).any(quarantines);
        let waits = Hold::is_of_policy;
        Self {
            is_failure: holds().any(|hold| hold.reason.is_error()) || is_wanted && is_held,
            is_unfinished: holds().any(|hold| hold.reason.is_elsewhere()) || is_strict && holds().any(waits),
            is_strict,
        }
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
pub(super) fn on_ctrl_c() -> CancellationToken {
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
            // First: standard error may be closed.
            interrupter.cancel();
            tracing::warn!(
                "stopping: cancelling and removing what is running; press Ctrl-C again to exit at once"
            );
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
