//! What the commands share that record requests: for which links, and what happens next.

use std::collections::BTreeSet;

use clap::Args;
use futures::{StreamExt as _, stream};

use super::ExitStatus;
use super::apply::{Manner, carry_out};
use super::arguments::Global;
use super::confirm::{self, Consent};
use super::error::CommandError;
use super::link::{self, Requested};
use super::output::Output;
use super::plan::{self, Selection};
use crate::app::App;
use crate::config::Config;
use crate::domain::{Ask, Head, LinkId, Request, RequestId};
use crate::inventory::Scope;
use crate::plan::Step;
use crate::state::NewRequest;
use crate::views::{PlanText, hang};

/// How many links are looked at concurrently: some commands ask the git host about each.
const CONCURRENTLY: usize = 8;

/// Which links a request is for, why, and when it is carried out
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// `tenant/link`, `tenant`, or a pattern such as `*/shop`; may be given several times
    #[arg(value_name = "LINK", required = true)]
    pub(super) links: Vec<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", display_order = 100)]
    why: Option<String>,
    /// Carry it out at once, instead of leaving it to the next `apply`
    #[arg(long, display_order = 101)]
    apply: bool,
    #[command(flatten)]
    consent: Consent,
}

/// What is requested, and the sentence that confirms it.
pub(super) type Asked = (Ask, String);

/// A command that records a request for each of some links.
pub(super) trait RequestCommand {
    /// What it does, as in "there is nothing to cancel".
    const VERB: &'static str;

    fn options(&self) -> &Options;

    /// The requests for a link, usually one. Refused if they make no sense for that link.
    async fn requests(&self, app: &App, id: &LinkId, head: &Head) -> Result<Vec<Asked>, CommandError>;

    /// What happens next, if `apply` is the command that carries the requests out.
    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("{apply} does it."))
    }
}

/// A request that makes sense, and the sentence that confirms it.
struct Checked {
    id: LinkId,
    ask: Ask,
    said: String,
}

/// Checks the request for every link before it records the first. Then says what was recorded, or carries it out.
pub(super) async fn run(
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
        // A reason that nobody gave yet is worth a request of its own.
        let is_same = |request: &&Request| {
            request.link == id && request.ask == ask && (why.is_none() || request.why == *why)
        };
        // A duplicate would only be refused later.
        if let Some(same) = waiting.iter().find(is_same) {
            submitted.insert(same.id.clone());
            let said = format!("{} asked for this before; that request is still pending.", same.by);
            new.push((id, said, None));
        } else {
            let (by, why) = (app.actor.clone(), why.clone());
            new.push((id.clone(), said, Some(NewRequest { link: id, at, by, why, ask })));
        }
    }
    let mut manner = Manner::request(*consent);
    if *apply {
        confirm::check(ids.iter(), app.manifest(), *consent)?;
        if confirm::is_asked(ids.iter(), app.manifest(), *consent) {
            let proposed = new.iter().filter_map(|(_, _, new)| new.clone());
            match agreed(&app, &selection, proposed, output).await? {
                Some(plan) => manner = manner.agreed(plan),
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
        let status = carry_out(&app, plan, manner, output).await?;
        return Ok(if is_refused && status == ExitStatus::Success { ExitStatus::Failure } else { status });
    }
    let targets: String = selection.targets.iter().map(|id| format!(" {id}")).collect();
    if let Some(next) = command.next(&format!("`katkit apply{targets}`")) {
        output.show(hang("", 0, &next, style))?;
    }
    Ok(ExitStatus::Success)
}

/// Asks for consent to what these requests would lead to, before they are recorded. Returns the plan as it was shown; `None`, and
/// said, if the answer was no.
async fn agreed(
    app: &App,
    selection: &Selection,
    proposed: impl Iterator<Item = NewRequest>,
    output: &mut Output,
) -> Result<Option<String>, CommandError> {
    let proposed = proposed.enumerate().map(|(number, new)| {
        let NewRequest { link, at, by, why, ask } = new;
        // Behind those that are recorded, whose names are digits.
        Request { id: RequestId(format!("proposed-{number:06}")), link, at, by, why, ask }
    });
    let scope = Scope { proposed: proposed.collect(), ..selection.scope(app, true).await? };
    let plan = crate::plan::plan(&app.inventory(&scope).await?);
    let text = PlanText { plan: &plan, style: output.style() }.to_string();
    output.show(&text)?;
    if confirm::confirm(&plan, app.manifest(), confirm::Ask::Protected)? {
        return Ok(Some(text));
    }
    output.note("Nothing was recorded, and nothing was changed.");
    Ok(None)
}

/// Whether one of the submitted requests is refused, and no other one for the same is granted.
fn refuses(steps: &[Step], submitted: &BTreeSet<RequestId>) -> bool {
    let is_granted =
        |ask: &Ask| steps.iter().any(|step| matches!(step, Step::Accept { request } if request.ask == *ask));
    steps.iter().any(|step| match step {
        Step::Refuse { request, .. } => submitted.contains(&request.id) && !is_granted(&request.ask),
        _ => false,
    })
}

/// The requests that make sense. A link that only a pattern matched is left out with a note if it is refused; one that was
/// named refuses all.
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
            _ => format!("there is nothing to {} at any of these {all} links", C::VERB),
        };
        return Err(CommandError::refused(what, "`katkit status` shows where they stand".to_owned()));
    }
    Ok(checked)
}

/// The requests that still wait for an answer: not withdrawn, and not withdrawals themselves.
pub(super) fn pending(requests: Vec<Request>) -> Vec<Request> {
    let withdrawn: Vec<_> = requests
        .iter()
        .filter_map(|request| match &request.ask {
            Ask::Withdraw { id } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let open =
        |request: &Request| !matches!(request.ask, Ask::Withdraw { .. }) && !withdrawn.contains(&request.id);
    requests.into_iter().filter(open).collect()
}
