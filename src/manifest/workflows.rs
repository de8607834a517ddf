//! `[workflows]`: phases, and the keys that each kind of phase allows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Checkout, Deploy, Execution, OnFailure, Phase, PhaseKind, PhaseName, Workflow};

use super::checks::misplaced;
use super::diagnostic::Diagnostic;
use super::inputs::{self, TakenInput};
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::{PhaseKeys, WorkflowKeys};
use super::words::{CheckoutKind, PhaseType};

/// A workflow, as far as it could be read, with the names that links are checked against.
#[derive(Debug, Default)]
pub(super) struct WorkflowTable<'i> {
    /// `None` if it has a mistake.
    pub workflow: Option<Arc<Workflow>>,
    /// The names of its phases, including those with a mistake.
    pub phases: Vec<&'i str>,
    /// Every variable of its phases.
    pub variables: Vec<Located<&'i str>>,
    /// The inputs of its phases.
    pub inputs: Vec<TakenInput<'i>>,
}

pub(super) fn workflow<'i>(keys: WorkflowKeys<'i>, reader: &Reader<'_>) -> WorkflowTable<'i> {
    let WorkflowKeys { phases, on_failure } = keys;
    let mut flow = WorkflowTable::default();
    let Some(Located { value: phases, span }) = phases else { return flow };
    if phases.is_empty() {
        let help = "write at least one: `phases = [{ name = \"build\", order = 0 }]`";
        reader.report.absent(Diagnostic::error(span, "a workflow without phases").label("empty").help(help));
        return flow;
    }
    let mut seen = UniqueNames::default();
    let count = phases.len();
    let mut valid = Vec::with_capacity(count);
    let failure = on_failure.as_ref().map(|failure| failure.value).unwrap_or_default();
    flow.inputs = inputs::check(&phases, reader);
    for keys in phases {
        if let Some(name) = keys.name {
            flow.phases.push(name.value);
        }
        if let Some(variables) = &keys.variables {
            flow.variables.extend(variables.value.names());
        }
        valid.extend(phase(keys, failure, &mut seen, reader));
    }
    if seen.deployment.is_none() {
        let why = "the workflow has no deployment phase";
        misplaced("on-failure", on_failure.map(|failure| failure.span), why, reader);
    }
    if valid.len() == count {
        // Fails on duplicates, which were reported above.
        flow.workflow = Workflow::new(valid).ok().map(Arc::new);
    }
    flow
}

/// Names and keys that may occur only once.
#[derive(Default)]
struct UniqueNames<'i> {
    names: BTreeMap<&'i str, Span>,
    deployment: Option<Span>,
}

fn phase<'i>(
    keys: PhaseKeys<'i>,
    on_failure: OnFailure,
    seen: &mut UniqueNames<'i>,
    reader: &Reader<'_>,
) -> Option<Phase> {
    let name = keys.name.and_then(|name| match PhaseName::new(name.value) {
        Ok(_) if seen.names.contains_key(name.value) => {
            let first = seen.names[name.value];
            let item = Diagnostic::error(name.span, format!("two phases are named {}", quoted(name.value)));
            reader.report.add(item.label("the second").related(first, "the first"));
            None
        }
        Ok(checked) => {
            seen.names.insert(name.value, name.span);
            Some(checked)
        }
        Err(error) => {
            reader.error(name.span, error.to_string(), "not the name of a phase");
            None
        }
    });
    let order = keys.order.as_ref().map(|order| order.value);
    let kind = match &keys.kind {
        Some(kind) if kind.value == PhaseType::Deployment => {
            if let Some(first) = seen.deployment {
                let item = Diagnostic::error(kind.span, "two deployment phases in one workflow");
                reader.report.add(item.label("the second").related(first, "the first"));
            }
            seen.deployment.get_or_insert(kind.span);
            PhaseKind::Deployment(deployment(keys, on_failure, reader))
        }
        _ => PhaseKind::Execution(execution(keys, reader)),
    };
    Some(Phase { name: name?, order: order?, kind })
}

fn deployment(keys: PhaseKeys<'_>, on_failure: OnFailure, reader: &Reader<'_>) -> Deploy {
    let PhaseKeys {
        name: _,
        order: _,
        kind: _,
        image,
        variables,
        run,
        timeout,
        parallelism,
        retries,
        artifacts,
        inputs,
        checkout,
        depth,
        fleet,
        cpu,
        memory,
        strategy,
    } = keys;
    for (key, span) in [
        ("image", image.map(|key| key.span)),
        ("variables", variables.map(|key| key.span)),
        ("run", run.map(|key| key.span)),
        ("parallelism", parallelism.map(|key| key.span)),
        ("retries", retries.map(|key| key.span)),
        ("artifacts", artifacts.map(|key| key.span)),
        ("inputs", inputs.map(|key| key.span)),
        ("checkout", checkout.map(|key| key.span)),
        ("depth", depth.map(|key| key.span)),
        ("fleet", fleet.map(|key| key.span)),
        ("cpu", cpu.map(|key| key.span)),
        ("memory", memory.map(|key| key.span)),
    ] {
        misplaced(key, span, "a deployment phase runs no code", reader);
    }
    let default = Deploy::default();
    Deploy {
        strategy: strategy.map_or(default.strategy, |key| key.value),
        timeout: timeout.map_or(default.timeout, |key| key.value.0),
        on_failure,
    }
}

fn execution(keys: PhaseKeys<'_>, reader: &Reader<'_>) -> Execution {
    let PhaseKeys {
        name: _,
        order: _,
        kind: _,
        image,
        variables,
        run,
        timeout,
        parallelism,
        retries,
        artifacts,
        inputs,
        checkout,
        depth,
        fleet,
        cpu,
        memory,
        strategy,
    } = keys;
    misplaced("strategy", strategy.map(|key| key.span), "it belongs to a deployment phase", reader);
    let artifacts = artifacts.map(|key| key.value).unwrap_or_default();
    for glob in &artifacts {
        check_artifact(*glob, reader);
    }
    let depth = depth.map_or(1, |key| key.value.0);
    let default = Execution::default();
    Execution {
        image: image.map(|key| key.value.0.to_owned()),
        variables: variables.map(|key| key.value.to_map()).unwrap_or_default(),
        run: run.map(|key| key.value.0.to_owned()),
        timeout: timeout.map_or(default.timeout, |key| key.value.0),
        parallelism: parallelism.map_or(default.parallelism, |key| key.value.0),
        retries: retries.map_or(default.retries, |key| key.value.0),
        artifacts: artifacts.iter().map(|glob| glob.value.to_owned()).collect(),
        // `inputs::check` reports the names of no phase.
        inputs: inputs.iter().flat_map(|key| &key.value).flat_map(|name| name.value.parse()).collect(),
        checkout: match checkout.map(|key| key.value).unwrap_or_default() {
            CheckoutKind::Pack => Checkout::Pack { depth },
            CheckoutKind::Clone => Checkout::Clone { depth },
        },
        placement: fleet.map_or(default.placement, |key| key.value),
        cpu: cpu.map(|key| key.value.0),
        memory: memory.map(|key| key.value.0),
    }
}

fn check_artifact(glob: Located<&str>, reader: &Reader<'_>) {
    let Located { value, span } = glob;
    let upwards = value.split('/').any(|segment| segment == "..");
    if value.is_empty() || upwards || Path::new(value).is_absolute() {
        let help = "artifacts are inside the folder, like `target/*.jar`";
        reader.error_with_help(span, format!("{} is outside the folder", quoted(value)), "not inside", help);
    } else if let Err(error) = globset::Glob::new(value) {
        reader.error(span, format!("{} is not a glob", quoted(value)), error.kind().to_string());
    }
}
