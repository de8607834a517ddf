//! `katkit who-can`

use clap::{Args, ValueEnum};

use crate::access::Right;
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::views::{WhoCan, WhoCanBy, WhoCanJson, WhoCanText};

/// Show who can do something to a link
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit who-can approve prod-eu/shop   And why the others cannot
  katkit who-can rollback prod-eu/shop

`approve` depends on the commit that waits and on the rules of the policy. The
others depend on the rights that the manifest grants, in `[access]`.")]
pub(in crate::cli) struct Arguments {
    /// A command: approve, cancel, evidence, forgive, freeze, override, promote, reject, release, retry, rollback, skip, test, thaw, or waive
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    action: Action,
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// Output format: text, or json (schema: `katkit schema who-can`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// What an actor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    Approve,
    Cancel,
    Evidence,
    Forgive,
    Freeze,
    Override,
    Pin,
    Promote,
    Reject,
    Release,
    Retry,
    Rollback,
    Skip,
    Test,
    Thaw,
    Waive,
}

impl Action {
    /// Its name, and the right that it takes; `None` if the rules of a policy decide.
    fn right(self) -> (&'static str, Option<Right>) {
        match self {
            Self::Approve => ("approve", None),
            Self::Cancel => ("cancel", Some(Right::Request)),
            Self::Evidence => ("evidence", Some(Right::Evidence)),
            Self::Forgive => ("forgive", Some(Right::Approve)),
            Self::Freeze => ("freeze", Some(Right::Freeze)),
            Self::Override => ("override", Some(Right::BreakGlass)),
            Self::Pin => ("pin", Some(Right::Rollback)),
            Self::Promote => ("promote", Some(Right::Promote)),
            Self::Reject => ("reject", Some(Right::Approve)),
            Self::Release => ("release", Some(Right::Approve)),
            Self::Retry => ("retry", Some(Right::Request)),
            Self::Rollback => ("rollback", Some(Right::Rollback)),
            Self::Skip => ("skip", Some(Right::Request)),
            Self::Test => ("test", Some(Right::Request)),
            Self::Thaw => ("thaw", Some(Right::Freeze)),
            Self::Waive => ("waive", Some(Right::Approve)),
        }
    }
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (id, _) = link::requested(estate, &arguments.link).await?;
    let (action, right) = arguments.action.right();
    if let Some(right) = right {
        let access = &estate.manifest().access;
        let (everyone, people) = (access.everyone_has(right, &id), access.people_with(right, &id));
        let by = WhoCanBy::Right { right, everyone, people: &people };
        return show(WhoCan { link: &id, action, by }, arguments.format, output);
    }
    let candidate = consents::candidate(estate, &id).await?;
    let rules = estate.manifest().policy_of(&id).map(|(_, policy)| policy.approvals.as_slice());
    let rules: Vec<_> = rules
        .unwrap_or_default()
        .iter()
        .map(|rule| {
            let (people, unknown) = candidate.standings(estate, rule);
            (rule, people, unknown)
        })
        .collect();
    let changes = &candidate.basis.changes;
    let by = WhoCanBy::Approvals { live: changes.from.as_ref(), sha: &changes.to, rules: &rules };
    show(WhoCan { link: &id, action, by }, arguments.format, output)
}

fn show(who_can: WhoCan<'_>, format: Format, output: &mut Output) -> Result<ExitStatus, CommandError> {
    match format {
        Format::Text => output.show(WhoCanText { who_can, style: output.style() })?,
        Format::Json => output.json(&WhoCanJson::of(who_can))?,
    }
    Ok(ExitStatus::Success)
}
