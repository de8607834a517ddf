//! Looks at everything that a link depends on, before something is run or deployed. Decides nothing.
//!
//! What the gathered input says already is not asked for again: the record, the repository, and what runs. What it does
//! not say is asked of the adapters, each of which knows best what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::blobs::{BlobKey, Blobs};
use crate::causes;
use crate::domain::{Check, Execution, PhaseKind, Placement, TenantName, Workflow};
use crate::fleet::Fleet;
use crate::manifest::{BlobsConfig, FleetConfig, FleetKind, SecretRef, Tenant};
use crate::plan::{LinkInput, PlanInput};
use crate::platform::{Platform, Target};
use crate::report::{Section, Verification};

/// Where is looked.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Logs, status and artifacts.
    pub blobs: &'a dyn Blobs,
    /// By their name in the manifest.
    pub fleets: &'a BTreeMap<String, Arc<dyn Fleet>>,
    /// One per tenant.
    pub platforms: &'a BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// Looks at what the links of `input` depend on.
pub async fn verify(sources: Sources<'_>, input: &PlanInput<'_>) -> Verification {
    let record = Check::good("the record", format!("can be read; {} links are looked at", input.links.len()));
    let mut sections = vec![Section {
        title: "state and blobs".to_owned(),
        checks: vec![record, probe(sources.blobs).await],
    }];
    for name in fleets_of(input) {
        let Some(config) = input.manifest.fleets.iter().find(|(it, _)| it.as_str() == name) else { continue };
        let mut checks = match sources.fleets.get(&name) {
            Some(fleet) => fleet.verify().await,
            None => vec![Check::bad(
                "its kind",
                "this katkit does not have it",
                "use a katkit that was built with it".to_owned(),
            )],
        };
        if config.1.kind == FleetKind::Ecs && matches!(input.manifest.blobs, BlobsConfig::Directory(_)) {
            let why =
                "a directory of this machine; tasks reach it only where it is mounted under the same path";
            checks.push(Check::unknown("the blob store", why));
        }
        sections.push(Section { title: format!("fleet {name}"), checks });
    }
    for link in &input.links {
        sections.push(Section { title: link.id.to_string(), checks: of_link(sources, input, link).await });
    }
    Verification { sections }
}

/// Writes, reads and removes a blob.
async fn probe(blobs: &dyn Blobs) -> Check {
    let what = format!("blob store `{}`", blobs.url());
    let fix = || Some("it must exist, and whoever runs katkit must be allowed to write to it".to_owned());
    let Ok(key) = BlobKey::new("probe/verify") else { return Check::unknown(what, "it cannot be probed") };
    let tried = async {
        blobs.put(&key, b"probe").await?;
        let read = blobs.get(&key).await?;
        blobs.remove(&key).await?;
        Ok::<_, crate::blobs::BlobError>(read)
    };
    match tried.await {
        Ok(Some(read)) if read == b"probe" => Check::good(what, "can be written, read and cleared"),
        Ok(_) => Check::bad(what, "what is written is not what is read", fix()),
        Err(error) => Check::bad(what, causes::in_one_line(&error), fix()),
    }
}

/// The fleets that the links' tenants use.
fn fleets_of(input: &PlanInput<'_>) -> BTreeSet<String> {
    let tenants = input.links.iter().filter_map(|link| input.manifest.tenants.get(&link.id.tenant));
    tenants
        .flat_map(|tenant| [Some(&tenant.fleet), tenant.build_fleet.as_ref()])
        .flatten()
        .map(ToString::to_string)
        .collect()
}

async fn of_link(sources: Sources<'_>, input: &PlanInput<'_>, link: &LinkInput) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(damage) = &link.damage {
        checks.push(Check::bad("its record", &damage.what, damage.hint.clone()));
    }
    let Some((tenant, it)) = input.manifest.link(&link.id) else {
        checks.push(Check::unknown("the manifest", "the link is not in it any more"));
        return checks;
    };
    let repository = format!("repository `{}`", it.repo);
    match (&link.want, &link.facts) {
        (Some(Err(problem)), _) | (_, Some(Err(problem))) => {
            checks.push(Check::bad(repository, &problem.what, problem.hint.clone()));
        }
        (Some(Ok(sha)), _) => checks.push(Check::good(repository, format!("has {}", sha.short()))),
        (None, _) => {}
    }
    let facts = link.facts.as_ref().and_then(|facts| facts.as_ref().ok());
    let workflow = facts.map(|facts| &facts.workflow);
    let workflow = workflow.or_else(|| input.manifest.workflows.get(it.workflow.as_ref()?));
    if let Some(workflow) = workflow {
        checks.extend(images(input, tenant, workflow));
    }
    checks.extend(secrets(input, tenant));
    let deployed = link.head.deployed.iter().flat_map(|deployed| &deployed.images);
    let known: BTreeMap<String, String> =
        deployed.map(|(role, image)| (role.clone(), image.clone())).collect();
    let wanted = facts.iter().flat_map(|facts| &facts.roles);
    let roles: BTreeSet<&str> = known.keys().chain(wanted).map(String::as_str).collect();
    match sources.platforms.get(&link.id.tenant) {
        Some(platform) => {
            let target = Target {
                link: &link.id,
                roles: roles.into_iter().collect(),
                images: known.clone(),
                known: None,
            };
            checks.extend(platform.verify(&target).await);
        }
        None => checks.push(Check::bad(
            "its platform",
            "this katkit does not have it",
            "use a katkit that was built with it".to_owned(),
        )),
    }
    checks
}

/// Which fleet a phase runs in.
fn fleet_of<'a>(
    input: &'a PlanInput<'_>,
    tenant: &'a Tenant,
    execution: &Execution,
) -> Option<&'a FleetConfig> {
    let name = match execution.placement {
        Placement::Tenant => &tenant.fleet,
        Placement::Build => tenant.build_fleet.as_ref().unwrap_or(&tenant.fleet),
    };
    input.manifest.fleets.get(name)
}

/// Phases that run in containers and have no image.
fn images(input: &PlanInput<'_>, tenant: &Tenant, workflow: &Workflow) -> Vec<Check> {
    let mut checks = Vec::new();
    for phase in workflow.phases() {
        let PhaseKind::Execution(execution) = &phase.kind else { continue };
        let Some(fleet) = fleet_of(input, tenant, execution) else { continue };
        if fleet.kind == FleetKind::Process {
            continue;
        }
        let what = format!("image of the phase `{}`", phase.name);
        checks.push(match execution.image.as_ref().or(fleet.image.as_ref()) {
            Some(image) => Check::unknown(what, format!("that `{image}` can be pulled shows when it is")),
            None => Check::bad(
                what,
                "neither the phase nor its fleet names one",
                "set `image` on the phase or on the fleet".to_owned(),
            ),
        });
    }
    checks
}

/// Whether every secret can be given to phases by the tenant's fleet.
fn secrets(input: &PlanInput<'_>, tenant: &Tenant) -> Vec<Check> {
    let ecs = input.manifest.fleets.get(&tenant.fleet).is_some_and(|fleet| fleet.kind == FleetKind::Ecs);
    let check = |(name, from): (&String, &SecretRef)| {
        let what = format!("secret `{name}`");
        match (from, ecs) {
            (SecretRef::Environment(_) | SecretRef::File(_), false) => {
                Check::unknown(what, format!("`{from}` is read where `apply` runs"))
            }
            (SecretRef::Environment(_) | SecretRef::File(_), true) => Check::bad(
                what,
                format!(
                    "`{from}` cannot be given to an ECS task without everyone seeing it who may describe the task"
                ),
                "put the value into Secrets Manager or Parameter Store, and write its ARN".to_owned(),
            ),
            (SecretRef::SecretsManager(arn) | SecretRef::ParameterStore(arn), _)
                if arn.split(':').count() < 6 =>
            {
                let fix = "write the whole ARN, as the console shows it".to_owned();
                Check::bad(what, format!("`{arn}` is not a whole ARN"), fix)
            }
            (SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_), true) => Check::unknown(
                what,
                "that it exists and the execution role may read it shows when a task is run",
            ),
            (SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_), false) => Check::bad(
                what,
                "only an ECS fleet can fetch it",
                "use `env:NAME` or `file:PATH` for this fleet".to_owned(),
            ),
        }
    };
    tenant.secrets.iter().map(check).collect()
}
