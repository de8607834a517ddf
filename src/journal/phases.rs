//! Transitions of an attempt: intended, launched, ended, removed.

use jiff::Timestamp;

use super::{Move, ensure};
use crate::domain::{
    AttemptNumber, AttemptState, DigestSource, FleetName, Handle, Head, ImageDigests, Outcome, PhaseName,
    PhaseState, PhaseStatus, Token,
};

pub(super) fn intend(
    head: &mut Head,
    name: &PhaseName,
    number: AttemptNumber,
    token: &Token,
    replicas: u32,
    fleet: &FleetName,
    at: Timestamp,
) -> Move {
    ready(head, name)?;
    let phase = find(head, name)?;
    ensure(!phase.deployment, || format!("`{name}` is a deployment"))?;
    ensure(replicas > 0, || "it has no replicas".to_owned())?;
    let last = phase.attempt.as_ref().map_or(0, |attempt| attempt.number.0);
    ensure(number.0 == last + 1, || format!("the last attempt was {last}"))?;
    ensure(phase.attempt.as_ref().is_none_or(|attempt| attempt.removed), || {
        "the previous attempt's service is not removed".to_owned()
    })?;
    phase.status = PhaseStatus::Running;
    phase.attempt = Some(Box::new(AttemptState {
        number,
        token: token.clone(),
        replicas,
        fleet: fleet.clone(),
        handles: Vec::new(),
        started: at,
        ended: None,
        outcome: None,
        removed: false,
        pruned: None,
    }));
    Ok(())
}

pub(super) fn launched(head: &mut Head, name: &PhaseName, number: AttemptNumber, handles: &[Handle]) -> Move {
    let attempt = current(find(head, name)?, number)?;
    ensure(attempt.outcome.is_none(), || "the attempt is over".to_owned())?;
    ensure(attempt.handles.is_empty(), || "it was already launched".to_owned())?;
    ensure(handles.len() == attempt.replicas as usize, || {
        format!("{} handles for {} replicas", handles.len(), attempt.replicas)
    })?;
    attempt.handles = handles.to_vec();
    Ok(())
}

pub(super) fn ended(
    head: &mut Head,
    name: &PhaseName,
    number: AttemptNumber,
    outcome: &Outcome,
    at: Timestamp,
) -> Move {
    let phase = find(head, name)?;
    let attempt = current(phase, number)?;
    ensure(attempt.outcome.is_none(), || "it already ended".to_owned())?;
    ensure(!(outcome.is_success() && attempt.handles.is_empty()), || "it was never launched".to_owned())?;
    attempt.outcome = Some(outcome.clone());
    attempt.ended = Some(at);
    phase.status = match outcome {
        Outcome::Succeeded => PhaseStatus::Succeeded,
        Outcome::Cancelled => PhaseStatus::Cancelled,
        Outcome::Failed { .. } | Outcome::TimedOut { .. } => {
            phase.failures += 1;
            PhaseStatus::Failed
        }
        Outcome::Lost { .. } => {
            phase.losses += 1;
            PhaseStatus::Failed
        }
    };
    Ok(())
}

/// Remembers digests with the phase until it is repeated.
pub(super) fn recorded(
    head: &mut Head,
    name: &PhaseName,
    source: DigestSource,
    images: &ImageDigests,
) -> Move {
    ensure(head.open_run().is_some(), || "no run is open".to_owned())?;
    let phase = find(head, name)?;
    let is_done = phase.status == PhaseStatus::Succeeded;
    ensure(is_done || phase.deployment && source == DigestSource::Registry, || {
        format!("`{name}` is {:?}", phase.status)
    })?;
    let digests = phase.digests.get_or_insert_default();
    match source {
        DigestSource::Phase => digests.built.extend(images.clone()),
        DigestSource::Registry => digests.found.extend(images.clone()),
    }
    Ok(())
}

pub(super) fn removed(head: &mut Head, name: &PhaseName, number: AttemptNumber) -> Move {
    let attempt = current(find(head, name)?, number)?;
    ensure(attempt.outcome.is_some(), || "the attempt is not over".to_owned())?;
    ensure(!attempt.removed, || "it was already removed".to_owned())?;
    attempt.removed = true;
    Ok(())
}

/// Whether the phase may start: the run is open, the phase is neither done nor running, and all phases before it are
/// done.
pub(super) fn ready(head: &Head, name: &PhaseName) -> Move {
    let run = head.open_run().ok_or("no run is open")?;
    let phase = run.phase(name).ok_or_else(|| format!("the run has no phase `{name}`"))?;
    ensure(!phase.status.is_done() && phase.status != PhaseStatus::Running, || {
        format!("`{name}` is already {:?}", phase.status)
    })?;
    match run.phases.iter().find(|other| other.order < phase.order && !other.status.is_done()) {
        Some(other) => Err(format!("`{}` comes before it and is not done", other.name)),
        None => Ok(()),
    }
}

pub(super) fn find<'a>(head: &'a mut Head, name: &PhaseName) -> Result<&'a mut PhaseState, String> {
    let run = head.run.as_mut().ok_or("there is no run")?;
    run.phases
        .iter_mut()
        .find(|phase| phase.name == *name)
        .ok_or_else(|| format!("the run has no phase `{name}`"))
}

fn current(phase: &mut PhaseState, number: AttemptNumber) -> Result<&mut AttemptState, String> {
    match &mut phase.attempt {
        Some(attempt) if attempt.number == number => Ok(attempt),
        _ => Err(format!("attempt {number} of `{}` is not the last one", phase.name)),
    }
}
