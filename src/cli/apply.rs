//! `katkit apply`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::task::JoinHandle;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::plan::Selection;
use super::saved::{self, Confirmed};
use super::{ExitStatus, plan, progress};
use crate::app::App;
use crate::apply::{Executor, Interrupt, Interrupter};
use crate::config::Config;
use crate::domain::PlanDigest;
use crate::plan::Plan;
use crate::report::{LinkReport, Summary};
use crate::views::{ApplyEvent, PlanJson, PlanText, SummaryJson, SummaryText};

/// Run the missing phases and deploy, as the plan says
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit apply                    Everything that `katkit plan` shows
  katkit apply --target \"*/shop\"  One link, in every tenant
  katkit apply --plan FILE        What `katkit plan --out FILE` saved

Ctrl-C stops what runs, and the next apply goes on. A second one leaves at once.")]
pub(super) struct Arguments {
    /// The same as `--plan FILE`
    #[arg(value_name = "FILE", conflicts_with_all = ["saved", "targets", "refresh_only", "against"])]
    file: Option<PathBuf>,
    /// A plan that `katkit plan --out FILE` saved: the links that are planned otherwise by now are left alone
    #[arg(long = "plan", value_name = "FILE", conflicts_with_all = ["targets", "refresh_only", "against"])]
    saved: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// How many links are worked on at the same time
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: u16,
    /// What to write: text for people, or json, an event a line, of which `katkit schema apply` tells
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// How a plan is carried out.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) parallelism: usize,
    pub(super) format: Format,
    /// The saved plan that it was held against.
    saved_plan: Option<PlanDigest>,
    /// The links of the saved plan that are planned otherwise by now.
    refused: Vec<LinkReport>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { parallelism: 16, format: Format::Text, saved_plan: None, refused: Vec::new() }
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
    let (parallelism, format) = (arguments.parallelism.into(), arguments.format);
    let (plan, manner) = match arguments.saved.or(arguments.file) {
        Some(file) => {
            let Confirmed { plan, digest, refused } = saved::confirm(&app, &file).await?;
            (plan, Manner { parallelism, format, saved_plan: Some(digest), refused })
        }
        None => {
            let plan = plan::make(&app, &arguments.selection, true).await?;
            (plan, Manner { parallelism, format, ..Manner::default() })
        }
    };
    let ended = carry_out(&app, plan, manner, output).await;
    output.calls(&app, global);
    ended
}

/// Shows a plan, carries it out, and says what became of it.
pub(super) async fn carry_out(
    app: &App,
    plan: Plan,
    manner: Manner,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Manner { parallelism, format, saved_plan, refused } = manner;
    let (errors, json, partly) = (plan.has_errors(), format == Format::Json, !refused.is_empty());
    if json {
        progress::tell(ApplyEvent::Planned { plan: PlanJson::from(&plan) })?;
    } else {
        output.show(PlanText { plan: &plan, style: output.style() })?;
    }
    let leftovers = app.remove_leftovers();
    if !plan.has_steps() {
        if json {
            progress::tell(ApplyEvent::Summary(SummaryJson::from(&Summary::default())))?;
        }
        finished(leftovers).await;
        return Ok(if errors { ExitStatus::Failure } else { ExitStatus::Success });
    }
    let interrupt = on_ctrl_c();
    let (mut summary, elapsed) = {
        let links = plan.links.iter().filter(|link| !link.steps.is_empty()).count();
        let listener = progress::listener(format, links, output);
        let executor = app.executor(Arc::clone(&listener) as Arc<_>);
        let executor = Arc::new(Executor { saved_plan, ..executor });
        let began = app.clock.elapsed();
        let summary = executor.apply(plan, parallelism, &interrupt).await;
        listener.finish();
        finished(leftovers).await;
        (summary, app.clock.elapsed().saturating_sub(began))
    };
    let all_done = summary.all_done() && !errors;
    summary.refuse(refused);
    if json {
        progress::tell(ApplyEvent::Summary(SummaryJson::from(&summary)))?;
    } else {
        output.show(SummaryText { summary: &summary, elapsed, style: output.style() })?;
    }
    Ok(match (summary.interrupted, all_done) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) if partly => ExitStatus::Partial,
        (false, true) => ExitStatus::Success,
        (false, false) => ExitStatus::Failure,
    })
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

async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
