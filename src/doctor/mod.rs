//! Compares the record with reality: each journal with its head, in-flight attempts and deployments with the fleets,
//! what was deployed with what runs, succeeded phases with the output they left. Changes nothing.
//!
//! Every problem comes with the command that fixes it. The next `apply` fixes most of them anyway. doctor only says so
//! if the planner confirms it, and names the hold if the link is held back.
//!
//! Reads state, fleets and platforms in batches; reads journals and blobs per link, several links concurrently. Skips
//! forgotten links, because nothing depends on their record.

mod evidence;
mod fix;
mod in_flight;
mod packs;
mod platform;
mod pruned;
mod record;

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};

use crate::blobs::Blobs;
use crate::causes;
use crate::domain::{Check, FleetName, LinkId};
use crate::fleet::FleetError;
use crate::plan::{self, LinkInput, LinkPlan, OrphanedService, PlanInput};
use crate::report::{Diagnosis, Section};
use crate::state::{State, StateError};
use fix::Fix;

/// How many links to check concurrently.
const CONCURRENTLY: usize = 16;

/// The services of each fleet, or why it could not be listed.
pub type Services = BTreeMap<FleetName, Result<Vec<OrphanedService>, FleetError>>;

/// What doctor reads besides the gathered plan input.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Heads, journals, leases and requests.
    pub state: &'a dyn State,
    /// Packs, logs, statuses and artifacts.
    pub blobs: &'a dyn Blobs,
    /// The services in each fleet.
    pub services: &'a Services,
}

/// Files that dead processes left in a directory of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The directory, as text for the user.
    pub what: String,
    /// The problem, as a lowercase fragment.
    pub problem: String,
    /// How to fix it.
    pub fix: String,
}

/// The diagnosis for a state that cannot be read at all.
pub fn unreadable(error: &StateError) -> Diagnosis {
    let check = Check::bad("the record", causes::in_one_line(error), error.hint());
    Diagnosis { sections: vec![Section { title: "state".to_owned(), checks: vec![check] }], healthy: 0 }
}

/// Checks the links of `input`. Pass `leftovers` if `input` has all links: then it also checks what belongs to no link.
pub async fn examine(
    sources: Sources<'_>,
    mut input: PlanInput<'_>,
    leftovers: Option<Vec<Leftover>>,
) -> Diagnosis {
    let plan = plan::plan(&input);
    // The plan of `import`.
    input.refresh_only = true;
    let refresh = plan::plan(&input);
    let (plans, refreshed) = (by_link(&plan.links), by_link(&refresh.links));
    let (mut sections, mut readable) = (Vec::new(), true);
    if let Some(leftovers) = leftovers {
        sections.push(on_this_machine(&leftovers));
        let (packs, listed) = packs::examine(sources.blobs).await;
        sections.push(packs);
        // Reports an unreachable store once, and not for every link.
        readable = listed;
        sections.extend(fleets(sources.services, &plan.sweeps));
    }
    let mut pruned = match readable {
        true => pruned::examine(sources, &input.links).await,
        false => BTreeMap::new(),
    };
    let examined = stream::iter(&input.links).map(|link| {
        let pruned = pruned.remove(&link.id);
        let fix = Fix { link, plan: plans.get(&link.id).copied() };
        let import = refreshed.get(&link.id).copied();
        async move {
            let mut checks = of_link(sources, fix, import).await;
            checks.extend(pruned);
            if readable {
                checks.extend(evidence::examine(sources.blobs, fix).await);
            }
            Section { title: link.id.to_string(), checks }
        }
    });
    let links: Vec<Section> = examined.buffered(CONCURRENTLY).collect().await;
    let (healthy, reported): (Vec<_>, Vec<_>) =
        links.into_iter().partition(|section| section.checks.is_empty());
    sections.retain(|section| !section.checks.is_empty());
    sections.extend(reported);
    Diagnosis { sections, healthy: healthy.len() }
}

fn by_link(plans: &[LinkPlan]) -> BTreeMap<&LinkId, &LinkPlan> {
    plans.iter().map(|plan| (&plan.link, plan)).collect()
}

async fn of_link(sources: Sources<'_>, fix: Fix<'_>, import: Option<&LinkPlan>) -> Vec<Check> {
    let LinkInput { damage, .. } = fix.link;
    if let Some(damage) = damage {
        // The lease holder is unknown, and so is what may be in flight.
        return vec![Check::bad("its record", &damage.what, damage.hint.clone())];
    }
    let mut checks: Vec<_> = record::examine(sources.state, fix.link).await.into_iter().collect();
    checks.extend(in_flight::examine(fix, sources.services));
    checks.extend(platform::examine(fix, import));
    checks
}

fn on_this_machine(leftovers: &[Leftover]) -> Section {
    let check = |Leftover { what, problem, fix }: &Leftover| Check::bad(what, problem.clone(), fix.clone());
    Section { title: "this machine".to_owned(), checks: leftovers.iter().map(check).collect() }
}

/// The services that no record accounts for.
fn fleets(services: &Services, sweeps: &[OrphanedService]) -> Vec<Section> {
    let section = |(name, listed): (&FleetName, &Result<Vec<OrphanedService>, FleetError>)| {
        let checks = match listed {
            Err(error) => vec![Check::unknown("its services", causes::in_one_line(error))],
            Ok(_) => sweeps.iter().filter(|orphan| orphan.fleet == *name).map(orphan).collect(),
        };
        Section { title: format!("fleet {name}"), checks }
    };
    services.iter().map(section).collect()
}

fn orphan(orphan: &OrphanedService) -> Check {
    let of = orphan.link.as_ref().map_or_else(String::new, |link| format!(" of {link}"));
    let fix = "`katkit apply` removes it".to_owned();
    Check::bad(format!("service `{}`{of}", orphan.handle), "no record accounts for it", fix)
}
