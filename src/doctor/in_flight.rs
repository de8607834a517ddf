//! Who holds a link's lease, and which of its work is in flight: watched by a live process, or left behind by a dead
//! one.

use super::Services;
use super::fix::Fix;
use crate::domain::{AttemptState, Check, LinkId, PhaseState, Request};
use crate::liveness;
use crate::plan::{Holder, OrphanedService, Step};

/// Whether a live process is watching the in-flight work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WatchState {
    /// By a live process on this machine.
    Yes,
    /// By a process elsewhere, which cannot be checked from here.
    Perhaps,
    No,
}

/// Checks the lease, attempts, deployment and requests of a link.
pub(super) fn examine(fix: Fix<'_>, services: &Services) -> Vec<Check> {
    let link = fix.link;
    let watched = match &link.holder {
        Holder::Other(owner) if liveness::is_local(owner) => WatchState::Yes,
        Holder::Other(_) => WatchState::Perhaps,
        Holder::Dead(_) | Holder::Nobody => WatchState::No,
    };
    let mut checks: Vec<_> = lease(fix).into_iter().collect();
    checks.extend(link.head.unremoved().map(|(phase, it)| attempt(fix, phase, it, watched, services)));
    if let Some(deploying) = &link.head.deploying {
        let what = format!("the deployment of {}", deploying.sha.short());
        let finalizes = |step: &Step| matches!(step, Step::Finalize { .. }).then_some(());
        let does = "determines its outcome";
        let fix =
            fix.step(finalizes).map_or_else(|| fix.once_free(does), |()| format!("`katkit apply` {does}"));
        checks.push(in_flight(
            what,
            watched,
            "is recorded as in flight, but no process is working on it",
            fix,
        ));
    }
    if link.want.is_none() {
        checks.extend(link.requests.iter().map(|request| unhandled(fix, request)));
    }
    checks
}

fn lease(fix: Fix<'_>) -> Option<Check> {
    let id = &fix.link.id;
    Some(match &fix.link.holder {
        Holder::Nobody => return None,
        Holder::Dead(owner) => {
            let fix = match fix.works() {
                true => "`katkit apply` takes it over".to_owned(),
                false => format!("`katkit unlock {id}` releases it"),
            };
            Check::bad("its lease", format!("held by {owner}, which is gone"), fix)
        }
        Holder::Other(owner) if liveness::is_local(owner) => {
            Check::good("its lease", format!("is held by {owner}, which is alive"))
        }
        Holder::Other(owner) => {
            let seconds = fix.link.lease.as_ref().map_or(0, |lease| lease.duration.as_secs());
            let why = format!(
                "held by {owner}, which cannot be checked from here; `katkit apply` takes it over after {seconds} s \
                 without a heartbeat, `katkit unlock --force {id}` at once"
            );
            Check::unknown("its lease", why)
        }
    })
}

fn in_flight(what: String, watched: WatchState, problem: &str, fix: String) -> Check {
    match watched {
        WatchState::Yes => Check::good(what, "is in flight and being watched"),
        WatchState::Perhaps => Check::unknown(what, "in flight under that lease"),
        WatchState::No => Check::bad(what, problem, fix),
    }
}

fn attempt(
    fix: Fix<'_>,
    phase: &PhaseState,
    attempt: &AttemptState,
    watched: WatchState,
    services: &Services,
) -> Check {
    let (what, fleet) = (format!("attempt {} of `{}`", attempt.number, phase.name), &attempt.fleet);
    let gone = services.get(fleet).is_some_and(|listed| match listed {
        Ok(listed) => is_gone(&fix.link.id, attempt, listed),
        Err(_) => false,
    });
    let problem = match (attempt.outcome.is_some(), gone) {
        (true, _) => "ended, but its service was never removed".to_owned(),
        (false, false) => "is recorded as in flight, but no process is working on it".to_owned(),
        (false, true) => {
            format!("is recorded as in flight, but its service is gone from the fleet `{fleet}`")
        }
    };
    let does = fix.step(|step| match step {
        Step::Run { phase: of, .. } if of.name == phase.name => {
            Some(if gone { "determines its outcome" } else { "takes it over" })
        }
        Step::Recover { phase: of, .. } if *of == phase.name => Some("removes what is left of it"),
        _ => None,
    });
    let fix = match does {
        _ if !services.contains_key(fleet) => {
            format!("add the fleet `{fleet}` to the manifest again; `katkit apply` then removes what is left")
        }
        Some(does) => format!("`katkit apply` {does}"),
        None if attempt.outcome.is_some() => fix.once_free("removes what is left of it"),
        None => fix.once_free("takes it over"),
    };
    in_flight(what, watched, &problem, fix)
}

/// Whether any launched service of the attempt is missing from its fleet.
fn is_gone(link: &LinkId, attempt: &AttemptState, listed: &[OrphanedService]) -> bool {
    let of_link = |orphan: &&OrphanedService| orphan.link.as_ref().is_none_or(|of| of == link);
    let listed: Vec<_> = listed.iter().filter(of_link).map(|orphan| &orphan.token).collect();
    let there = |replica| listed.contains(&&attempt.token.replica(replica));
    !attempt.handles.is_empty() && !(0..attempt.replicas).all(there)
}

/// A request for a link that is not in the manifest.
fn unhandled(fix: Fix<'_>, request: &Request) -> Check {
    let what = format!("the {} requested by {}", request.ask.word(), request.by);
    let refuses =
        |step: &Step| matches!(step, Step::Refuse { request: of, .. } if of.id == request.id).then_some(());
    let does = "refuses it";
    let fix = fix.step(refuses).map_or_else(|| fix.once_free(does), |()| format!("`katkit apply` {does}"));
    Check::bad(what, "its link is not in the manifest, so nothing will handle it", fix)
}
