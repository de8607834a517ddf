//! `katkit plan`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::saved;
use crate::app::{Host, Opened};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, against, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::inventory::Scope;
use crate::plan::{self, Plan};
use crate::views::{PlanJson, PlanMarkdown, PlanText};

/// Show what `apply` would do, and what it would hold back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit plan prod                   Only one tenant
  katkit plan --out FILE             Save the plan for `apply --plan FILE`
  katkit plan --against origin/main  Only what this branch changes
  katkit plan --detailed-exitcode    Exit with 2 if there are changes")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,
    /// Output format: text, json (schema: `katkit schema plan`), or markdown for a pull request
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
    /// Save the plan for `katkit apply --plan FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 0 if everything is live, 1 if something failed or is held, 2 if there are changes, 3 if another
    /// process is handling them
    #[arg(long)]
    detailed_exitcode: bool,
}

/// The part of the manifest to plan
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Selection {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    pub(in crate::cli) links: Vec<String>,
    /// Same as LINK, as an option; repeatable
    #[arg(short, long = "target", value_name = "LINK")]
    pub(in crate::cli) targets: Vec<String>,
    /// Only record what is running; run and deploy nothing
    #[arg(long)]
    pub(in crate::cli) refresh_only: bool,
    /// Only links that changed in the manifest since this git revision
    #[arg(long, value_name = "REV")]
    pub(in crate::cli) against: Option<String>,
}

/// Output format of `plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For humans
    Text,
    /// For programs; `katkit schema plan` describes it
    Json,
    /// For a comment on a pull request
    Markdown,
}

impl Selection {
    /// Selects a single link.
    pub(in crate::cli) fn one(link: &crate::domain::LinkId) -> Self {
        Self { targets: vec![link.to_string()], ..Self::default() }
    }

    /// The links as given, positional and `--target`.
    pub(in crate::cli) fn patterns(&self) -> Vec<String> {
        self.links.iter().chain(&self.targets).cloned().collect()
    }

    /// Opens the manifest for reading, and shows its warnings. `--against` implies `--base`: it treats the manifest as a
    /// proposal, and the revision as trusted.
    pub(in crate::cli) async fn look(
        &self,
        global: &Global,
        host: &Host,
        output: &mut Output,
    ) -> Result<Opened, CommandError> {
        let base = global.base.as_deref().or(self.against.as_deref());
        let opened = global.look_against(base, host, output).await?;
        output.warnings(&opened.estate.loaded.warnings);
        Ok(opened)
    }

    /// The selection as an inventory scope.
    pub(in crate::cli) async fn scope(&self, opened: &Opened, patient: bool) -> Result<Scope, CommandError> {
        let estate = &*opened.estate;
        let mut targets = link::in_manifest_or_left(estate, &self.patterns()).await?;
        if let Some(revision) = &self.against {
            targets = targets.and_only(against::changed(estate, revision)?);
        }
        let unattended = !opened.actor.is_person();
        Ok(Scope { targets, refresh_only: self.refresh_only, patient, unattended, ..Scope::default() })
    }
}

/// Gathers and plans.
pub(in crate::cli) async fn make(
    opened: &Opened,
    selection: &Selection,
    patient: bool,
) -> Result<Plan, CommandError> {
    let input = opened.estate.inventory(&selection.scope(opened, patient).await?).await?;
    Ok(plan::plan(&input))
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = arguments.selection.look(global, host, output).await?;
    let plan = make(&opened, &arguments.selection, false).await?;
    let style = output.style();
    match arguments.format {
        Format::Text => output.show(PlanText { plan: &plan, style })?,
        Format::Json => output.json(&PlanJson::from(&plan))?,
        Format::Markdown => output.show(PlanMarkdown { plan: &plan })?,
    }
    if let Some(file) = &arguments.out {
        let digest = saved::write(file, &plan)?;
        output.note(format_args!(
            "saved to {0} as {1}; `katkit apply --plan {0}` carries it out",
            file.display(),
            digest.short()
        ));
    }
    output.calls(host, global.verbose);
    Ok(match arguments.detailed_exitcode {
        _ if plan.has_errors() => ExitStatus::Failure,
        true if plan.is_held() => ExitStatus::Failure,
        true if plan.has_steps() => ExitStatus::Changes,
        true if plan.is_elsewhere() => ExitStatus::Unfinished,
        true | false => ExitStatus::Success,
    })
}
