//! Checks the `inputs` of phases: each names a phase of the workflow that ends before this one starts.

use super::definitions::unknown;
use super::diagnostic::Diagnostic;
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::PhaseKeys;
use super::words::PhaseType;

/// A phase that takes the artifacts of another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakenInput<'i> {
    /// The phase that takes them.
    pub by: &'i str,
    /// The phase that stores them, as its `inputs` name it.
    pub from: Located<&'i str>,
}

/// Reports inputs that no phase can have. Returns the others.
pub(super) fn check<'i>(phases: &[PhaseKeys<'i>], reader: &Reader<'_>) -> Vec<TakenInput<'i>> {
    let mut valid = Vec::new();
    for phase in phases {
        // A deployment with inputs is reported as such.
        let Some(inputs) = phase.inputs.as_ref().filter(|_| !is_deployment(phase)) else { continue };
        for (at, from) in inputs.value.iter().enumerate() {
            if let Some(first) = inputs.value[..at].iter().find(|other| other.value == from.value) {
                let message = format!("{} is an input twice", quoted(from.value));
                let item = Diagnostic::error(from.span, message).label("the second");
                reader.report.add(item.related(first.span, "the first"));
            } else if is_available(phase, *from, phases, reader)
                && let Some(by) = phase.name
            {
                valid.push(TakenInput { by: by.value, from: *from });
            }
        }
    }
    valid
}

/// Whether `phase` can have the artifacts of the phase that `from` names. Reports why not.
fn is_available(
    phase: &PhaseKeys<'_>,
    from: Located<&str>,
    phases: &[PhaseKeys<'_>],
    reader: &Reader<'_>,
) -> bool {
    let (name, named) =
        (quoted(from.value), |it: &&PhaseKeys<'_>| it.name.is_some_and(|it| it.value == from.value));
    if phase.name.is_some_and(|own| own.value == from.value) {
        let message = format!("{name} takes its own artifacts");
        reader.error_with_help(from.span, message, "itself", "name phases with a lower `order`");
        return false;
    }
    let Some(source) = phases.iter().find(named) else {
        let names = phases.iter().filter_map(|phase| phase.name.map(|name| name.value));
        unknown("phase", from, names, reader);
        return false;
    };
    if is_deployment(source) {
        let message = format!("{name} is a deployment, which has no artifacts");
        reader.error_with_help(from.span, message, "runs no code", "name phases that run code");
        return false;
    }
    match (order_of(source), order_of(phase)) {
        (Some((theirs, span)), Some((own, _))) if theirs >= own => {
            let message = format!("{name} does not end before this phase starts");
            let item =
                Diagnostic::error(from.span, message).label(format!("runs at {theirs}, this phase at {own}"));
            let item = item.related(span, "its `order`");
            reader.report.add(item.help("inputs come from phases with a lower `order`"));
            false
        }
        _ => true,
    }
}

fn is_deployment(phase: &PhaseKeys<'_>) -> bool {
    phase.kind.as_ref().is_some_and(|kind| kind.value == PhaseType::Deployment)
}

fn order_of(phase: &PhaseKeys<'_>) -> Option<(i64, Span)> {
    phase.order.as_ref().map(|order| (order.value, order.span))
}

/// Reports phases that a link skips although another phase, which it does not skip, takes their artifacts.
pub(super) fn check_skipped(skip: &[Located<&str>], inputs: &[TakenInput<'_>], reader: &Reader<'_>) {
    let is_skipped = |name: &str| skip.iter().any(|skipped| skipped.value == name);
    for skipped in skip {
        let taken = inputs.iter().find(|input| input.from.value == skipped.value && !is_skipped(input.by));
        if let Some(TakenInput { by, from }) = taken {
            let (name, by) = (quoted(skipped.value), quoted(by));
            let message = format!("{name} is skipped, but {by} takes its artifacts");
            let item = Diagnostic::error(skipped.span, message).label("stores nothing here");
            let help = format!("skip {by} as well, or leave {name} out of its `inputs`");
            reader.report.add(item.related(from.span, "the input").help(help));
        }
    }
}
