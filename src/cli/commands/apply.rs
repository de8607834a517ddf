//! `katkit apply`

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::carry_out::{ApplyOptions, Purpose, carry_out};
use super::converge::converge;
use super::plan::Selection;
use super::saved::{self, Confirmed};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::{Confirmation, Consent};
use crate::estate::Estate;

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
        None => converge(&opened, (&arguments.selection, arguments.wait), options, output).await,
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
