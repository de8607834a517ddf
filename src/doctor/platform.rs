//! Whether what runs is what was deployed.

use super::cure::Cure;
use crate::domain::{Check, DeployPurpose, Deployment};
use crate::plan::{Holder, LinkPlan, Observed, Step};

/// What there is to say of what runs. Where somebody deploys, or a deployment has no known end, there is nothing to compare.
pub(super) fn examine(cure: Cure<'_>, import: Option<&LinkPlan>) -> Option<Check> {
    let link = cure.link;
    if link.want.is_none() || link.damage.is_some() || matches!(link.holder, Holder::Other(_)) {
        return None;
    }
    if let Observed::Unknown(problem) = &link.observed {
        let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        return Some(Check::unknown("what runs", format!("{}{hint}", problem.what)));
    }
    let deployed = link.head.deployed.as_ref().filter(|_| link.head.deploying.is_none())?;
    let differs = differs(deployed, &link.observed)?;
    let problem = format!("{differs}, where {} was deployed", deployed.sha.short());
    Some(Check::bad("what runs", problem, fix(cure, import)))
}

/// What runs instead, by role.
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

fn fix(cure: Cure<'_>, import: Option<&LinkPlan>) -> String {
    let does = cure.step(|step| match step {
        Step::Deploy(step) if step.purpose == DeployPurpose::Repair => Some("puts it back".to_owned()),
        Step::Deploy(step) => Some(format!("deploys {}", step.to.short())),
        _ => None,
    });
    let apply = match does {
        Some(does) => format!("`katkit apply` {does}"),
        None => cure.once_free("puts it back"),
    };
    let adopts = import.is_some_and(|plan| plan.steps.iter().any(|step| matches!(step, Step::Adopt { .. })));
    if !adopts {
        return apply;
    }
    format!("{apply}; `katkit import {}` takes it as it is, if it is meant so", cure.link.id)
}
