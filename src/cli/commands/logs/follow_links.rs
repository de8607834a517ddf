//! `katkit logs -f`: follows the runs of links, or waits for the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;

use super::follow;
use super::follow_run;
use super::selection::LogSelection;
use super::show;
use super::sink::{Layout, Sink};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::arguments::attempt::{self, ChosenRun};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Head, LinkId, RunId, RunState};
use crate::estate::Estate;
use crate::queries;
use crate::views::AwaitedRun;

/// How often to check for a new run.
const EVERY: Duration = Duration::from_secs(1);

/// Follows until the runs have ended, or until Ctrl-C.
pub(in crate::cli) async fn run(
    estate: Arc<Estate>,
    asked: LogSelection<'_>,
    layout: Layout,
    (global, host): (&Global, &Host),
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (ids, status) = show::links(&estate, asked.links, output).await?;
    let sink = Sink::new(output, layout);
    let following = async {
        if asked.which.sha.is_some() || asked.which.attempt.is_some() {
            return try_join_all(ids.iter().map(|id| named(&estate, id, asked, &sink))).await.map(drop);
        }
        let (estate, has_waited) = recorded(estate, &ids, (global, host), &sink).await?;
        runs(&estate, &ids, has_waited, asked, &sink).await
    };
    let followed = tokio::select! {
        followed = following => Some(followed),
        _ = tokio::signal::ctrl_c() => None,
    };
    match followed {
        Some(followed) => followed.map(|()| status),
        None => {
            sink.stop()?;
            Ok(ExitStatus::Interrupted)
        }
    }
}

/// Follows a named run or attempt, which may have ended already.
async fn named(
    estate: &Estate,
    id: &LinkId,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    match attempt::choose(estate, &id.to_string(), asked.which).await? {
        Ok(chosen) => one(estate, chosen, asked.since, asked, sink).await,
        Err(nothing) => sink.nothing(&nothing),
    }
}

async fn one(
    estate: &Estate,
    chosen: ChosenRun,
    after: Option<Timestamp>,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    let which = asked.which;
    if which.phase.is_none() && which.attempt.is_none() && which.replica.is_none() {
        follow_run::follow(estate, chosen, after, asked, sink).await
    } else {
        follow::follow(estate, chosen, after, asked, sink).await
    }
}

/// Waits until something is recorded for one of the links. Returns whether it had to wait.
async fn recorded(
    mut estate: Arc<Estate>,
    ids: &[LinkId],
    (global, host): (&Global, &Host),
    sink: &Sink<'_>,
) -> Result<(Arc<Estate>, bool), CommandError> {
    let mut has_waited = false;
    while estate.state.heads(Some(ids)).await?.is_empty() {
        if !std::mem::replace(&mut has_waited, true) {
            await_run(&estate, ids, None, sink)?;
        }
        tokio::time::sleep(EVERY).await;
        estate = global.look_again(host).await?.estate;
    }
    Ok((estate, has_waited))
}

fn await_run(
    estate: &Estate,
    links: &[LinkId],
    last: Option<&RunState>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    sink.waiting(&AwaitedRun { links, last, now: estate.clock.now() }.to_string())
}

/// The last run seen for a link, and when it had ended.
type LastRun = (RunId, Option<Timestamp>);

/// Follows the runs in progress, and those that begin meanwhile, until none is left. If none is in progress, waits for
/// the next one. `has_waited`: the caller has already waited, so even a run that has ended by now is news.
async fn runs(
    estate: &Estate,
    ids: &[LinkId],
    has_waited: bool,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    let mut seen: BTreeMap<LinkId, LastRun> = BTreeMap::new();
    let (mut followed, mut following) = (BTreeSet::new(), FuturesUnordered::new());
    let (mut is_first, mut waits, mut has_followed, mut is_quiet) = (!has_waited, has_waited, false, false);
    loop {
        let heads = estate.state.heads(Some(ids)).await?;
        for (id, head) in &heads {
            let Some(run) = head.run.as_ref().filter(|_| !followed.contains(id)) else { continue };
            let now = (run.id.clone(), run.ended.map(|(at, _)| at));
            let before = seen.insert(id.clone(), now.clone());
            if !is_news(before.as_ref(), &now, is_first) {
                continue;
            }
            let after = match before {
                _ if is_first => asked.since,
                // The run was reopened; what had ended before was shown.
                Some((run, ended)) if run == now.0 => ended,
                _ => Some(Timestamp::MIN),
            };
            followed.insert(id.clone());
            following.push(whole(estate, (id.clone(), head.clone()), after, asked, sink));
        }
        if following.is_empty() {
            // Poll once more: with several links, another run may be about to begin.
            if has_followed && std::mem::replace(&mut is_quiet, true) {
                return Ok(());
            }
            if !has_followed && !std::mem::replace(&mut waits, true) {
                let last = heads.first().filter(|_| ids.len() == 1).and_then(|(_, head)| head.run.as_ref());
                await_run(estate, ids, last, sink)?;
            }
            tokio::time::sleep(EVERY).await;
        } else {
            (has_followed, is_quiet) = (true, false);
            tokio::select! {
                Some((id, ended)) = following.next() => {
                    ended?;
                    if ids.len() == 1 {
                        return Ok(());
                    }
                    followed.remove(&id);
                }
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        is_first = false;
    }
}

/// Whether a run began or was reopened since the last poll. At the first poll, only a run in progress counts.
fn is_news(before: Option<&LastRun>, (run, ended): &LastRun, is_first: bool) -> bool {
    match before {
        None => !is_first || ended.is_none(),
        Some((other, before)) => other != run || before.is_some() && before != ended,
    }
}

/// Follows the last run of a link to its end.
async fn whole(
    estate: &Estate,
    (id, head): (LinkId, Head),
    after: Option<Timestamp>,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> (LinkId, Result<(), CommandError>) {
    let following = async {
        let Some(run) = &head.run else { return Ok(()) };
        let Some(run) = queries::past_run(estate, &id, &run.id).await? else { return Ok(()) };
        match attempt::of_run(id.clone(), head.formerly, run, asked.which) {
            Ok(Ok(chosen)) => one(estate, chosen, after, asked, sink).await,
            Ok(Err(nothing)) => sink.nothing(&nothing),
            // One of several links lacks the phase.
            Err(CommandError::Refused { what, .. }) if sink.layout().names => {
                sink.note(&what);
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    let ended = following.await;
    (id, ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_followed_once_and_again_if_retried() {
        let at = |second: i64| Some(Timestamp::from_second(second).unwrap());
        let seen = |run: &str, ended: Option<Timestamp>| (RunId(run.to_owned()), ended);
        assert!(is_news(None, &seen("1", None), true), "it is in progress");
        assert!(!is_news(None, &seen("1", at(1)), true), "it is the last one");
        assert!(is_news(None, &seen("1", at(1)), false), "it began and ended between two polls");
        let before = seen("1", at(1));
        assert!(!is_news(Some(&before), &before, false));
        assert!(is_news(Some(&before), &seen("1", None), false), "it was retried");
        assert!(is_news(Some(&before), &seen("1", at(2)), false), "and has ended again");
        assert!(is_news(Some(&before), &seen("2", None), false));
        let open = seen("1", None);
        assert!(!is_news(Some(&open), &before, false), "it was followed until no process worked on it");
    }
}
