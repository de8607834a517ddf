//! Finds phases that take the artifacts of a phase which has none.

use super::Problem;
use crate::domain::{LinkId, PhaseKind, PhaseName, PhaseState, PhaseStatus, RunState, Workflow};

/// The first phase to come that cannot have its inputs, and why.
pub(super) fn lacking<'r>(
    link: &LinkId,
    run: &'r RunState,
    workflow: &Workflow,
) -> Option<(&'r PhaseState, Problem)> {
    let to_come = run.phases.iter().filter(|state| !state.status.is_done());
    to_come.filter(|state| state.status != PhaseStatus::Running).find_map(|state| {
        let PhaseKind::Execution(execution) = &workflow.phase(&state.name)?.kind else { return None };
        let inputs = execution.inputs.iter().filter_map(|input| run.phase(input));
        let mut problems = inputs.filter_map(|input| without_artifacts(link, input, &state.name));
        let Problem { what, hint } = problems.next()?;
        Some((state, Problem { what: format!("`{}` cannot be run: {what}", state.name), hint }))
    })
}

/// Why `by` cannot have the artifacts of a phase that did not run. The manifest's own `skip` never leads here: `validate`
/// refuses it.
pub fn without_artifacts(link: &LinkId, state: &PhaseState, by: &PhaseName) -> Option<Problem> {
    let PhaseState { name, status, reused, .. } = state;
    let (why, hint) = match reused {
        Some(other) => (
            format!(
                "did not run here, since its images are those of `{other}`, and artifacts stay in the tenant that stored \
                 them"
            ),
            format!("`katkit skip {link} {by}` skips it here; or leave `{name}` out of its `inputs`"),
        ),
        None if *status == PhaseStatus::Skipped => (
            "was skipped, so it stored no artifacts".to_owned(),
            format!(
                "`katkit retry {link} --phase {name}` runs it, and `katkit skip {link} {by}` skips this phase, too"
            ),
        ),
        None => return None,
    };
    Some(Problem { what: format!("`{name}` {why}"), hint: Some(hint) })
}
