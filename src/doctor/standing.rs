//! Who holds a link, and what of it is in flight: watched by a living process, or left by a dead one.

use super::Services;
use super::cure::Cure;
use crate::domain::{AttemptState, Check, LinkId, PhaseState, Request};
use crate::liveness;
use crate::plan::{Holder, Step, Stray};

/// Whether somebody watches what is in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    /// A process that lives.
    Yes,
    /// A process elsewhere, of which nothing can be seen from here.
    Perhaps,
    No,
}

/// What there is to say of the lease, the attempts, the deployment and the requests of a link.
pub(super) fn examine(cure: Cure<'_>, services: &Services) -> Vec<Check> {
    let link = cure.link;
    let watched = match &link.holder {
        Holder::Other(owner) if liveness::is_local(owner) => Watched::Yes,
        Holder::Other(_) => Watched::Perhaps,
        Holder::Dead(_) | Holder::Nobody => Watched::No,
    };
    let mut checks: Vec<_> = lease(cure).into_iter().collect();
    checks.extend(link.head.unremoved().map(|(phase, it)| attempt(cure, phase, it, watched, services)));
    if let Some(deploying) = &link.head.deploying {
        let what = format!("the deployment of {}", deploying.sha.short());
        let settles = |step: &Step| matches!(step, Step::Settle { .. }).then_some(());
        let does = "finds out how it ended";
        let fix =
            cure.step(settles).map_or_else(|| cure.once_free(does), |()| format!("`katkit apply` {does}"));
        checks.push(in_flight(what, watched, "is in flight on record, and nobody watches it", fix));
    }
    if link.want.is_none() {
        checks.extend(link.requests.iter().map(|request| void(cure, request)));
    }
    checks
}

fn lease(cure: Cure<'_>) -> Option<Check> {
    let id = &cure.link.id;
    Some(match &cure.link.holder {
        Holder::Nobody => return None,
        Holder::Dead(owner) => {
            let fix = match cure.works() {
                true => "`katkit apply` takes it over".to_owned(),
                false => format!("`katkit unlock {id}` gives it back"),
            };
            Check::bad("its lease", format!("{owner} holds it, and is gone"), fix)
        }
        Holder::Other(owner) if liveness::is_local(owner) => {
            Check::good("its lease", format!("is held by {owner}, which is alive"))
        }
        Holder::Other(owner) => {
            let seconds = cure.link.lease.as_ref().map_or(0, |lease| lease.duration);
            let why = format!(
                "{owner} holds it, and is not to be seen from here; `katkit apply` takes it over if it gives no sign of \
                 life for {seconds} s, `katkit unlock --force {id}` at once"
            );
            Check::unknown("its lease", why)
        }
    })
}

fn in_flight(what: String, watched: Watched, problem: &str, fix: String) -> Check {
    match watched {
        Watched::Yes => Check::good(what, "is in flight, and watched"),
        Watched::Perhaps => Check::unknown(what, "it is in flight under that lease"),
        Watched::No => Check::bad(what, problem, fix),
    }
}

fn attempt(
    cure: Cure<'_>,
    phase: &PhaseState,
    attempt: &AttemptState,
    watched: Watched,
    services: &Services,
) -> Check {
    let (what, fleet) = (format!("attempt {} at `{}`", attempt.number, phase.name), &attempt.fleet);
    let gone = services.get(fleet).is_some_and(|listed| match listed {
        Ok(listed) => is_gone(&cure.link.id, attempt, listed),
        Err(_) => false,
    });
    let problem = match (attempt.outcome.is_some(), gone) {
        (true, _) => "ended, and its service was never removed".to_owned(),
        (false, false) => "is in flight on record, and nobody watches it".to_owned(),
        (false, true) => format!("is in flight on record, and its service is gone from the fleet `{fleet}`"),
    };
    let does = cure.step(|step| match step {
        Step::Run { phase: of, .. } if of.name == phase.name => {
            Some(if gone { "finds out how it ended" } else { "takes it over" })
        }
        Step::Recover { phase: of, .. } if *of == phase.name => Some("removes what is left of it"),
        _ => None,
    });
    let fix = match does {
        _ if !services.contains_key(fleet) => {
            format!("put the fleet `{fleet}` back into the manifest, and `katkit apply` removes what is left")
        }
        Some(does) => format!("`katkit apply` {does}"),
        None if attempt.outcome.is_some() => cure.once_free("removes what is left of it"),
        None => cure.once_free("takes it over"),
    };
    in_flight(what, watched, &problem, fix)
}

/// Whether a service of the attempt that was launched is not in its fleet.
fn is_gone(link: &LinkId, attempt: &AttemptState, listed: &[Stray]) -> bool {
    let of_link = |stray: &&Stray| stray.link.as_ref().is_none_or(|of| of == link);
    let listed: Vec<_> = listed.iter().filter(of_link).map(|stray| &stray.token).collect();
    let there = |replica| listed.contains(&&attempt.token.replica(replica));
    !attempt.handles.is_empty() && !(0..attempt.replicas).all(there)
}

/// What was asked for of a link that is not in the manifest.
fn void(cure: Cure<'_>, request: &Request) -> Check {
    let what = format!("the {} that {} asked for", request.ask.word(), request.by);
    let drops =
        |step: &Step| matches!(step, Step::Refuse { request: of, .. } if of.id == request.id).then_some(());
    let does = "refuses it";
    let fix = cure.step(drops).map_or_else(|| cure.once_free(does), |()| format!("`katkit apply` {does}"));
    Check::bad(what, "its link is not in the manifest, so nobody takes it in", fix)
}
