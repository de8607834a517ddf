//! Shared by the commands that record requests: selecting links, confirming, showing, and applying. The rules of
//! requests are in `crate::requests`.

use std::collections::BTreeSet;

use clap::Args;
use futures::{StreamExt as _, stream};

use super::carry_out::{ApplyOptions, carry_out};
use super::plan::{self, Selection};
use crate::app::{Host, Opened};
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::arguments::link::{self, Requested};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::{self, Consent};
use crate::domain::{LinkId, Request, RequestId};
use crate::inventory::Scope;
use crate::requests::{self, Action, CheckedRequest, RecordedRequest};
use crate::views::{PlanText, hang};

/// How many links are checked concurrently: some commands query the git host for each.
const CONCURRENTLY: usize = 8;

/// The links of a request, its reason, and when it is carried out
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Options {
    /// `tenant/link`, `tenant`, or a pattern such as `*/shop`; repeatable
    #[arg(value_name = "LINK", required = true)]
    pub(in crate::cli) links: Vec<String>,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT", display_order = 100)]
    pub(in crate::cli) why: Option<String>,
    /// Apply the request at once, instead of leaving it to the next `apply`
    #[arg(long, display_order = 101)]
    pub(in crate::cli) apply: bool,
    #[command(flatten)]
    pub(in crate::cli) consent: Consent,
}

/// A command that records requests for links.
pub(in crate::cli) trait RequestCommand {
    /// The verb in "there is nothing to cancel".
    const VERB: &'static str;

    fn options(&self) -> &Options;

    /// Whether the exit code says that a deployment waits.
    fn is_strict(&self) -> bool {
        false
    }

    /// What the command requests for each link.
    fn action(&self) -> Action;

    /// What to do next; `apply` is the command that carries the requests out.
    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("{apply} does it."))
    }
}

/// Checks the requests of all links before recording the first. Then shows what was recorded, or applies it.
pub(in crate::cli) async fn run(
    command: &impl RequestCommand,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let Options { links, why, apply, consent } = command.options();
    let links = match links.as_slice() {
        [] => link::with_requests(estate).await?,
        links => link::all_requested(estate, links).await?,
    };
    let checked = check(command, &opened, links, output).await?;
    let ids: BTreeSet<_> = checked.iter().map(|(id, _)| id.clone()).collect();
    let selection =
        Selection { targets: ids.iter().map(ToString::to_string).collect(), ..Selection::default() };
    let prepared = requests::prepare(estate, checked, &opened.actor, why.as_deref()).await?;
    let mut options = ApplyOptions { strict: command.is_strict(), ..ApplyOptions::request(*consent) };
    if *apply {
        confirm::check(ids.iter(), estate.manifest(), *consent)?;
        if confirm::is_asked(ids.iter(), estate.manifest(), *consent) {
            match agreed(&opened, &selection, requests::proposed(&prepared), output).await? {
                Some(plan) => options = options.agreed(plan),
                None => return Ok(ExitStatus::Failure),
            }
        }
    }
    let style = output.style();
    let mut submitted = BTreeSet::new();
    for prepared in prepared {
        let RecordedRequest { link, id, confirmation } = prepared.record(estate).await?;
        submitted.insert(id);
        if !*apply {
            output.show(hang("", 2, &format!("{link}: {confirmation}"), style))?;
        }
    }
    if *apply {
        return decide(&opened, &selection, submitted, options, output).await;
    }
    let targets: String = selection.targets.iter().map(|id| format!(" {id}")).collect();
    if let Some(next) = command.next(&format!("`katkit apply{targets}`")) {
        output.show(hang("", 0, &next, style))?;
    }
    Ok(ExitStatus::Success)
}

/// Applies plans until the submitted requests are decided: those of others may come first. The exit code is the worst of
/// the plans that decide one.
async fn decide(
    opened: &Opened,
    selection: &Selection,
    submitted: BTreeSet<RequestId>,
    options: ApplyOptions,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let mut left = submitted.clone();
    let (mut decided, mut last) = (ExitStatus::Success, None);
    while !left.is_empty() {
        let plan = plan::make(opened, selection, true).await?;
        let bases: Vec<_> = plan.links.iter().map(|link| (link.link.clone(), link.base)).collect();
        // Without progress, nothing that this process does decides them.
        if let Some((status, _)) = last.take_if(|(_, before)| *before == bases) {
            return Ok(decided.or_worse(status).or_worse(ExitStatus::Unfinished));
        }
        let waits = plan.links.iter().flat_map(|link| &link.holds).any(|hold| hold.is_of_rollback());
        let is_refused = plan.links.iter().any(|link| requests::refuses(&link.steps, &submitted));
        let before = left.len();
        for id in plan.links.iter().flat_map(|link| requests::decided(&link.steps)) {
            left.remove(id);
        }
        let status = match carry_out(opened, plan, options.clone(), output).await? {
            ExitStatus::Interrupted => return Ok(ExitStatus::Interrupted),
            ExitStatus::Success if is_refused => ExitStatus::Failure,
            // The rollback is still requested.
            ExitStatus::Success if waits => ExitStatus::Unfinished,
            status => status,
        };
        if left.len() < before {
            decided = decided.or_worse(status);
        }
        last = Some((status, bases));
    }
    Ok(decided)
}

/// Asks for consent to the plan that these requests would lead to, before recording them. Returns the plan's text; if
/// the user declines, says so and returns `None`.
async fn agreed(
    opened: &Opened,
    selection: &Selection,
    proposed: Vec<Request>,
    output: &mut Output,
) -> Result<Option<String>, CommandError> {
    let estate = &*opened.estate;
    let scope = Scope { proposed, ..selection.scope(opened, true).await? };
    let plan = crate::plan::plan(&estate.inventory(&scope).await?);
    let text = PlanText { plan: &plan, style: output.style() }.to_string();
    output.show(&text)?;
    if confirm::confirm(&plan, estate.manifest(), confirm::Confirmation::Protected)? {
        return Ok(Some(text));
    }
    output.note("Nothing was recorded or changed.");
    Ok(None)
}

/// The requests of all links. A refused link is left out with a note if only a pattern matched it; if it was named, all
/// are refused.
async fn check<C: RequestCommand>(
    command: &C,
    opened: &Opened,
    links: Vec<Requested>,
    output: &mut Output,
) -> Result<Vec<(LinkId, CheckedRequest)>, CommandError> {
    let all = links.len();
    let (action, by) = (&command.action(), (&*opened.estate, &opened.actor));
    let checks = links.into_iter().map(|Requested { id, head, is_named }| async move {
        let answer = match head {
            Ok(head) => requests::check(by, &id, &head, action).await.map_err(CommandError::from),
            Err(error) => Err(error),
        };
        (id, is_named, answer)
    });
    let answers: Vec<_> = stream::iter(checks).buffered(CONCURRENTLY).collect().await;
    let (mut checked, mut left_out) = (Vec::new(), Vec::new());
    for (id, is_named, answer) in answers {
        match answer {
            Ok(requests) => checked.extend(requests.into_iter().map(|request| (id.clone(), request))),
            Err(CommandError::Refused { what, hint }) if all == 1 => {
                return Err(CommandError::Refused { what, hint });
            }
            Err(CommandError::Refused { what, hint }) if is_named => {
                return Err(CommandError::refused(
                    format!("{what}; nothing was recorded for any link"),
                    hint,
                ));
            }
            Err(CommandError::Refused { what, .. }) => left_out.push(format!("left out {id}: {what}")),
            Err(error) => return Err(error),
        }
    }
    let style = output.error_style();
    for note in left_out {
        output.note(hang("", 2, &note, style).trim_end());
    }
    if checked.is_empty() {
        let what = match all {
            0 => format!("there is nothing to {}", C::VERB),
            _ => format!("there is nothing to {} in any of these {all} links", C::VERB),
        };
        return Err(CommandError::refused(what, "`katkit status` shows where they stand".to_owned()));
    }
    Ok(checked)
}
