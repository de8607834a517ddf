//! Shared by the commands that record requests: selecting links, recording, and applying.

use std::collections::BTreeSet;

use clap::Args;
use futures::{StreamExt as _, stream};

use super::apply::{ApplyOptions, carry_out};
use super::plan::{self, Selection};
use crate::app::App;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::arguments::link::{self, Requested};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::{self, Consent};
use crate::config::Config;
use crate::domain::{Head, LinkId, Request, RequestId, RequestKind};
use crate::inventory::Scope;
use crate::plan::Step;
use crate::state::NewRequest;
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
    why: Option<String>,
    /// Apply the request at once, instead of leaving it to the next `apply`
    #[arg(long, display_order = 101)]
    apply: bool,
    #[command(flatten)]
    consent: Consent,
}

/// A request, and the sentence that confirms it.
pub(in crate::cli) type ConfirmedRequest = (RequestKind, String);

/// A command that records requests for links.
pub(in crate::cli) trait RequestCommand {
    /// The verb in "there is nothing to cancel".
    const VERB: &'static str;

    fn options(&self) -> &Options;

    /// The requests for a link, usually one. Refused if the link's state rules them out.
    async fn requests(
        &self,
        app: &App,
        id: &LinkId,
        head: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError>;

    /// What to do next; `apply` is the command that carries the requests out.
    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("{apply} does it."))
    }
}

/// A checked request, and the sentence that confirms it.
struct Checked {
    id: LinkId,
    ask: RequestKind,
    said: String,
}

/// Checks the requests of all links before recording the first. Then shows what was recorded, or applies it.
pub(in crate::cli) async fn run(
    command: &impl RequestCommand,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config).await?;
    let Options { links, why, apply, consent } = command.options();
    let links = match links.as_slice() {
        [] => link::with_requests(&app).await?,
        links => link::all_requested(&app, links).await?,
    };
    let checked = check(command, &app, links, output).await?;
    let ids: BTreeSet<_> = checked.iter().map(|checked| checked.id.clone()).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let selection =
        Selection { targets: ids.iter().map(ToString::to_string).collect(), ..Selection::default() };
    let waiting = pending(app.state.requests(Some(&ids)).await?);
    let at = app.clock.now();
    let (mut submitted, mut new) = (BTreeSet::new(), Vec::new());
    for Checked { id, ask, said } in checked {
        // A new reason makes it a new request.
        let is_same = |request: &&Request| {
            request.link == id && request.ask == ask && (why.is_none() || request.why == *why)
        };
        // A duplicate would be refused later anyway.
        if let Some(same) = waiting.iter().find(is_same) {
            submitted.insert(same.id.clone());
            let said = format!("{} already requested this; that request is still pending.", same.by);
            new.push((id, said, None));
        } else {
            let (by, why) = (app.actor.clone(), why.clone());
            new.push((id.clone(), said, Some(NewRequest { link: id, at, by, why, ask })));
        }
    }
    let mut options = ApplyOptions::request(*consent);
    if *apply {
        confirm::check(ids.iter(), app.manifest(), *consent)?;
        if confirm::is_asked(ids.iter(), app.manifest(), *consent) {
            let proposed = new.iter().filter_map(|(_, _, new)| new.clone());
            match agreed(&app, &selection, proposed, output).await? {
                Some(plan) => options = options.agreed(plan),
                None => return Ok(ExitStatus::Failure),
            }
        }
    }
    let style = output.style();
    for (id, said, new) in new {
        if let Some(new) = new {
            submitted.insert(app.state.submit(new).await?.id);
        }
        if !*apply {
            output.show(hang("", 2, &format!("{id}: {said}"), style))?;
        }
    }
    if *apply {
        let plan = plan::make(&app, &selection, true).await?;
        let is_refused = plan.links.iter().any(|link| refuses(&link.steps, &submitted));
        let status = carry_out(&app, plan, options, output).await?;
        return Ok(if is_refused && status == ExitStatus::Success { ExitStatus::Failure } else { status });
    }
    let targets: String = selection.targets.iter().map(|id| format!(" {id}")).collect();
    if let Some(next) = command.next(&format!("`katkit apply{targets}`")) {
        output.show(hang("", 0, &next, style))?;
    }
    Ok(ExitStatus::Success)
}

/// Asks for consent to the plan that these requests would lead to, before recording them. Returns the plan's text; if
/// the user declines, says so and returns `None`.
async fn agreed(
    app: &App,
    selection: &Selection,
    proposed: impl Iterator<Item = NewRequest>,
    output: &mut Output,
) -> Result<Option<String>, CommandError> {
    let proposed = proposed.enumerate().map(|(number, new)| {
        let NewRequest { link, at, by, why, ask } = new;
        // Sorts after the recorded requests, whose ids are digits.
        Request { id: RequestId(format!("proposed-{number:06}")), link, at, by, why, ask }
    });
    let scope = Scope { proposed: proposed.collect(), ..selection.scope(app, true).await? };
    let plan = crate::plan::plan(&app.inventory(&scope).await?);
    let text = PlanText { plan: &plan, style: output.style() }.to_string();
    output.show(&text)?;
    if confirm::confirm(&plan, app.manifest(), confirm::Confirmation::Protected)? {
        return Ok(Some(text));
    }
    output.note("Nothing was recorded or changed.");
    Ok(None)
}

/// Whether one of the submitted requests is refused, and no other request of the same kind is granted.
fn refuses(steps: &[Step], submitted: &BTreeSet<RequestId>) -> bool {
    let is_granted = |ask: &RequestKind| {
        steps.iter().any(|step| matches!(step, Step::Accept { request } if request.ask == *ask))
    };
    steps.iter().any(|step| match step {
        Step::Refuse { request, .. } => submitted.contains(&request.id) && !is_granted(&request.ask),
        _ => false,
    })
}

/// The requests of all links. A refused link is left out with a note if only a pattern matched it; if it was named, all
/// are refused.
async fn check<C: RequestCommand>(
    command: &C,
    app: &App,
    links: Vec<Requested>,
    output: &mut Output,
) -> Result<Vec<Checked>, CommandError> {
    let all = links.len();
    let asked = links.into_iter().map(|Requested { id, head, is_named }| async move {
        let answer = match head {
            Ok(head) => command.requests(app, &id, &head).await,
            Err(error) => Err(error),
        };
        (id, is_named, answer)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(CONCURRENTLY).collect().await;
    let (mut checked, mut left_out) = (Vec::new(), Vec::new());
    for (id, is_named, answer) in answers {
        match answer {
            Ok(asks) => {
                checked.extend(asks.into_iter().map(|(ask, said)| Checked { id: id.clone(), ask, said }));
            }
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

/// The pending requests: not withdrawn, and not withdrawals themselves.
pub(in crate::cli) fn pending(requests: Vec<Request>) -> Vec<Request> {
    let withdrawn: Vec<_> = requests
        .iter()
        .filter_map(|request| match &request.ask {
            RequestKind::Withdraw { id } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let open = |request: &Request| {
        !matches!(request.ask, RequestKind::Withdraw { .. }) && !withdrawn.contains(&request.id)
    };
    requests.into_iter().filter(open).collect()
}
