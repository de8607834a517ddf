//! Whether the running images are the deployed ones.

use super::fix::Fix;
use crate::domain::{Check, DeployPurpose, Deployment};
use crate::plan::{Holder, LinkPlan, Observed, Step};

/// Compares what is running with what was deployed. Skipped while someone deploys or the outcome of a deployment is unknown.
pub(super) fn examine(fix: Fix<'_>, import: Option<&LinkPlan>) -> Option<Check> {
    let link = fix.link;
    if link.want.is_none() || link.damage.is_some() || matches!(link.holder, Holder::Other(_)) {
        return None;
    }
    if let Observed::Unknown(problem) = &link.observed {
        let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        return Some(Check::unknown("what is running", format!("{}{hint}", problem.what)));
    }
    let deployed = link.head.deployed.as_ref().filter(|_| link.head.deploying.is_none())?;
    let differs = differs(deployed, &link.observed)?;
    let problem = format!("{differs}, but {} was deployed", deployed.sha.short());
    Some(Check::bad("what is running", problem, repair(fix, import)))
}

/// The images that run instead, by role.
fn differs(deployed: &Deployment, observed: &Observed) -> Option<String> {
    let images = match observed {
        Observed::AsDeployed | Observed::Unknown(_) => return None,
        Observed::Absent => return Some("nothing".to_owned()),
        Observed::Running { images, .. } => images,
    };
    let other = deployed.images.iter().filter(|(role, image)| images.get(*role) != Some(image));
    let other: Vec<_> = other
        .map(|(role, _)| match images.get(role) {
            Some(image) => format!("`{image}` as `{role}`"),
            None => format!("nothing as `{role}`"),
        })
        .collect();
    (!other.is_empty()).then(|| other.join(", "))
}

fn repair(fix: Fix<'_>, import: Option<&LinkPlan>) -> String {
    let does = fix.step(|step| match step {
        Step::Deploy(step) if step.purpose == DeployPurpose::Repair => {
            Some("restores what was deployed".to_owned())
        }
        Step::Deploy(step) => Some(format!("deploys {}", step.to.short())),
        _ => None,
    });
    let apply = match does {
        Some(does) => format!("`katkit apply` {does}"),
        None => fix.once_free("restores what was deployed"),
    };
    let adopts = import.is_some_and(|plan| plan.steps.iter().any(|step| matches!(step, Step::Adopt { .. })));
    if !adopts {
        return apply;
    }
    format!("{apply}; `katkit import {}` adopts what is running, if it is intended", fix.link.id)
}
