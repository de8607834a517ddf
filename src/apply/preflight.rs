//! Finds phases that cannot run, before anything starts: a cheap check of every phase of a link.

use futures::future::join_all;

use super::{ApplyError, Session, environment};
use crate::domain::{Check, CheckResult, Phase, PhaseKind};
use crate::fleet::{Launch, Secrets};
use crate::plan::{LinkPlan, Step};

/// Refuses a plan if a fleet would refuse one of its phases.
pub(super) async fn check(session: &Session, plan: &LinkPlan) -> Result<(), ApplyError> {
    if !plan.steps.iter().any(|step| matches!(step, Step::Run { .. })) {
        return Ok(());
    }
    // Nothing can start without secrets. Only the sizes of their values matter here.
    let values = session.executor.secrets_of(&plan.link).await?;
    check_sizes(session, plan, &values)?;
    let secrets = Secrets(values.0.keys().map(|name| (name.clone(), String::new())).collect());
    drop(values);
    let arns = session.executor.phase_context(&plan.link)?.tenant.secret_arns();
    let mut checks = Vec::new();
    for step in &plan.steps {
        let Step::Run { phase, .. } = step else { continue };
        let PhaseKind::Execution(execution) = &phase.kind else { continue };
        let tenant = session.executor.phase_context(&plan.link)?.tenant;
        let fleet = session.executor.fleet(tenant.fleet_for(execution.placement))?;
        let (secrets, arns) = (secrets.clone(), arns.clone());
        let launch =
            Launch::rehearsal(&plan.link, (phase, execution), session.estate().blobs.url(), secrets, arns);
        checks.push(async move { (phase, fleet.verify_launch(&launch).await) });
    }
    let refusal = join_all(checks).await.into_iter().find_map(|(phase, check)| refused(phase, check?));
    refusal.map_or(Ok(()), Err)
}

/// Refuses a phase whose variables and secrets do not fit into the environment of a process.
fn check_sizes(session: &Session, plan: &LinkPlan, secrets: &Secrets) -> Result<(), ApplyError> {
    let (context, most) = (session.executor.phase_context(&plan.link)?, environment::most());
    for step in &plan.steps {
        let Step::Run { phase, .. } = step else { continue };
        let PhaseKind::Execution(execution) = &phase.kind else { continue };
        let variables =
            [&context.tenant.variables, &context.link.variables, &execution.variables, &secrets.0];
        environment::check(variables.into_iter().flatten(), most).map_err(|problem| {
            let fix = Some("keep the largest in files or in a store, and fetch them in the phase".to_owned());
            ApplyError::Impossible { phase: phase.name.to_string(), problem, fix }
        })?;
    }
    Ok(())
}

fn refused(phase: &Phase, check: Check) -> Option<ApplyError> {
    let CheckResult::Bad { problem, fix } = check.found else { return None };
    Some(ApplyError::Impossible { phase: phase.name.to_string(), problem, fix })
}
