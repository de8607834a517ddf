//! Holds what is recorded against what is: each journal against its head, the attempts and deployments in flight against
//! the fleets, what was deployed against what runs, what succeeded against what it left. Changes nothing.
//!
//! Whatever must be mended comes with the command that mends it. Most of it the next `apply` does anyway; so that this is
//! never said where it is not so, the planner is asked what that `apply` would do, and if it is held, the hold is told.
//!
//! What is recorded is read in batches, and so is what the fleets and platforms say. Journals and blobs are read per link,
//! several links at the same time. Links that were forgotten are left out: nothing depends on their record any more.

mod cure;
mod evidence;
mod packs;
mod platform;
mod pruned;
mod record;
mod standing;

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};

use crate::blobs::Blobs;
use crate::causes;
use crate::domain::{Check, LinkId};
use crate::fleet::FleetError;
use crate::plan::{self, LinkInput, LinkPlan, PlanInput, Stray};
use crate::report::{Diagnosis, Section};
use crate::state::{State, StateError};
use cure::Cure;

/// How many links are looked at at the same time.
const CONCURRENTLY: usize = 16;

/// The services of each fleet, or why it could not be listed.
pub type Services = BTreeMap<String, Result<Vec<Stray>, FleetError>>;

/// Where is looked, beside what was gathered.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The record.
    pub state: &'a dyn State,
    /// Packs, logs, status and artifacts.
    pub blobs: &'a dyn Blobs,
    /// What is in the fleets.
    pub services: &'a Services,
}

/// What was left in a directory of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The directory, in words.
    pub what: String,
    /// What is wrong with it: a lowercase fragment.
    pub problem: String,
    /// What mends it.
    pub fix: String,
}

/// The diagnosis of a record that cannot be read at all.
pub fn unreadable(error: &StateError) -> Diagnosis {
    let check = Check::bad("the record", causes::in_one_line(error), error.hint());
    Diagnosis { sections: vec![Section { title: "state".to_owned(), checks: vec![check] }], sound: 0 }
}

/// Looks at the links of `input`. What belongs to no link is looked at where every link is: then `leftovers` are given.
pub async fn examine(
    sources: Sources<'_>,
    mut input: PlanInput<'_>,
    leftovers: Option<Vec<Leftover>>,
) -> Diagnosis {
    let plan = plan::plan(&input);
    // What `import` would do, which is the same with another intent.
    input.refresh_only = true;
    let refresh = plan::plan(&input);
    let (plans, refreshed) = (by_link(&plan.links), by_link(&refresh.links));
    let (mut sections, mut readable) = (Vec::new(), true);
    if let Some(leftovers) = leftovers {
        sections.push(on_this_machine(&leftovers));
        let (packs, listed) = packs::examine(sources.blobs).await;
        sections.push(packs);
        // A store that is away is said once, and not of every link.
        readable = listed;
        sections.extend(fleets(sources.services, &plan.sweeps));
    }
    let mut pruned = match readable {
        true => pruned::examine(sources, &input.links).await,
        false => BTreeMap::new(),
    };
    let looking = stream::iter(&input.links).map(|link| {
        let pruned = pruned.remove(&link.id);
        let cure = Cure { link, plan: plans.get(&link.id).copied() };
        let import = refreshed.get(&link.id).copied();
        async move {
            let mut checks = of_link(sources, cure, import).await;
            checks.extend(pruned);
            if readable {
                checks.extend(evidence::examine(sources.blobs, cure).await);
            }
            Section { title: link.id.to_string(), checks }
        }
    });
    let links: Vec<Section> = looking.buffered(CONCURRENTLY).collect().await;
    let (sound, told): (Vec<_>, Vec<_>) = links.into_iter().partition(|section| section.checks.is_empty());
    sections.retain(|section| !section.checks.is_empty());
    sections.extend(told);
    Diagnosis { sections, sound: sound.len() }
}

fn by_link(plans: &[LinkPlan]) -> BTreeMap<&LinkId, &LinkPlan> {
    plans.iter().map(|plan| (&plan.link, plan)).collect()
}

async fn of_link(sources: Sources<'_>, cure: Cure<'_>, import: Option<&LinkPlan>) -> Vec<Check> {
    let LinkInput { damage, .. } = cure.link;
    if let Some(damage) = damage {
        // Who holds it, and so what may be in flight, is not known.
        return vec![Check::bad("its record", &damage.what, damage.hint.clone())];
    }
    let mut checks: Vec<_> = record::examine(sources.state, cure.link).await.into_iter().collect();
    checks.extend(standing::examine(cure, sources.services));
    checks.extend(platform::examine(cure, import));
    checks
}

fn on_this_machine(leftovers: &[Leftover]) -> Section {
    let check = |Leftover { what, problem, fix }: &Leftover| Check::bad(what, problem.clone(), fix.clone());
    Section { title: "this machine".to_owned(), checks: leftovers.iter().map(check).collect() }
}

/// The services that no record accounts for.
fn fleets(services: &Services, sweeps: &[Stray]) -> Vec<Section> {
    let section = |(name, listed): (&String, &Result<Vec<Stray>, FleetError>)| {
        let checks = match listed {
            Err(error) => vec![Check::unknown("its services", causes::in_one_line(error))],
            Ok(_) => sweeps.iter().filter(|stray| stray.fleet == *name).map(stray).collect(),
        };
        Section { title: format!("fleet {name}"), checks }
    };
    services.iter().map(section).collect()
}

fn stray(stray: &Stray) -> Check {
    let of = stray.link.as_ref().map_or_else(String::new, |link| format!(" of {link}"));
    let fix = "`katkit apply` removes it".to_owned();
    Check::bad(format!("service `{}`{of}", stray.handle), "no record accounts for it", fix)
}
