//! Checks everything a link depends on, before anything runs or is deployed. Decides nothing.
//!
//! Does not query again what the gathered input already contains: the record, the repository, and what runs. Queries
//! the adapters for the rest: each knows best what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use crate::blobs::{BlobKey, Blobs};
use crate::causes;
use crate::description::ServiceDescription;
use crate::domain::{Check, CheckResult, FleetName, PhaseKind, TenantName, Workflow};
use crate::fleet::{Fleet, Launch, Secrets};
use crate::liveness;
use crate::manifest::{BlobsConfig, FleetKind, SecretRef, Tenant};
use crate::plan::{self, CommitFacts, LinkInput, LinkPlan, PlanInput};
use crate::platform::{Platform, Target};
use crate::report::{Section, Verification};

/// How many links to check concurrently.
const CONCURRENTLY: usize = 16;

/// The adapters to query.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Logs, status and artifacts.
    pub blobs: &'a dyn Blobs,
    /// By name in the manifest, without kinds that this build lacks.
    pub fleets: &'a BTreeMap<FleetName, Arc<dyn Fleet>>,
    /// One per tenant, without kinds that this build lacks.
    pub platforms: &'a BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// Checks what the links of `input` depend on.
pub async fn verify(sources: Sources<'_>, input: &PlanInput<'_>) -> Verification {
    let count = match input.links.len() {
        1 => "1 link checked".to_owned(),
        many => format!("{many} links checked"),
    };
    let record = Check::good("the record", format!("can be read; {count}"));
    let mut sections = vec![Section {
        title: "state and blobs".to_owned(),
        checks: vec![record, probe(sources.blobs).await],
    }];
    for name in fleets_of(input) {
        let Some(config) = input.manifest.fleets.get(&name) else { continue };
        let mut checks = match sources.fleets.get(&name) {
            Some(fleet) => fleet.verify().await,
            None => vec![Check::bad(
                "its kind",
                "this build does not have it",
                "use a build that has it".to_owned(),
            )],
        };
        if config.kind == FleetKind::Ecs && matches!(input.manifest.blobs, BlobsConfig::Directory(_)) {
            let fix = "set `blobs.url` to `s3://bucket/prefix`".to_owned();
            checks.push(Check::bad(
                "the blob store",
                "is a directory on this machine, which tasks cannot reach",
                fix,
            ));
        }
        sections.push(Section { title: format!("fleet {name}"), checks });
    }
    let plan = plan::plan(input);
    let planned: BTreeMap<_, _> = plan.links.iter().map(|link| (&link.link, link)).collect();
    let planned = &planned;
    let links = stream::iter(&input.links).map(|link| async move {
        let mut checks = of_link(sources, input, link).await;
        checks.extend(refused(planned.get(&link.id).copied(), &checks));
        Section { title: link.id.to_string(), checks }
    });
    sections.extend(links.buffered(CONCURRENTLY).collect::<Vec<_>>().await);
    Verification { sections }
}

/// The errors in a plan that no check reports already, in the plan's own words.
fn refused(planned: Option<&LinkPlan>, checks: &[Check]) -> Vec<Check> {
    let holds = planned.into_iter().flat_map(|planned| &planned.holds);
    let errors = holds.filter(|hold| hold.reason.is_error());
    let errors = errors.map(|hold| Check::bad("the plan", hold.describe(), hold.hint.clone()));
    let said = |error: &Check| checks.iter().any(|check| check.found == error.found);
    errors.filter(|error| !said(error)).collect()
}

/// Writes, reads and removes a blob.
async fn probe(blobs: &dyn Blobs) -> Check {
    let what = format!("blob store `{}`", blobs.url());
    let fix =
        || Some("make sure that it exists, and that the user who runs katkit may write to it".to_owned());
    // A unique name, so that concurrent checks do not read each other's blob.
    let name = format!("{}-{}", liveness::mark(), jiff::Timestamp::now().as_nanosecond());
    let Ok(key) = BlobKey::probe(&name) else { return Check::unknown(what, "cannot be probed") };
    let tried = async {
        blobs.put(&key, b"probe").await?;
        let read = blobs.get(&key).await?;
        blobs.remove(&key).await?;
        Ok::<_, crate::blobs::BlobError>(read)
    };
    match tried.await {
        Ok(Some(read)) if read == b"probe" => Check::good(what, "can be written, read and cleared"),
        Ok(_) => Check::bad(what, "reads back something other than what was written", fix()),
        Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint().or_else(fix)),
    }
}

/// The fleets used by the links' tenants.
fn fleets_of(input: &PlanInput<'_>) -> BTreeSet<FleetName> {
    let tenants = input.links.iter().filter_map(|link| input.manifest.tenants.get(&link.id.tenant));
    tenants.flat_map(|tenant| [Some(&tenant.fleet), tenant.build_fleet.as_ref()]).flatten().cloned().collect()
}

async fn of_link(sources: Sources<'_>, input: &PlanInput<'_>, link: &LinkInput) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(damage) = &link.damage {
        checks.push(Check::bad("its record", &damage.what, damage.hint.clone()));
    }
    let Some((tenant, it)) = input.manifest.link(&link.id) else {
        checks.push(Check::unknown("the manifest", "the link is no longer in it"));
        return checks;
    };
    let repository = format!("repository `{}`", it.repo);
    match (&link.want, &link.facts) {
        (Some(Err(hold)), _) if hold.reason.is_error() => {
            checks.push(Check::bad(repository, hold.reason.describe(), hold.hint.clone()));
        }
        // Its pipeline has no commit for it yet, which its repository told.
        (Some(Err(hold)), _) => checks.push(Check::good(repository, hold.reason.describe())),
        (_, Some(Err(problem))) => {
            checks.push(Check::bad(repository, &problem.what, problem.hint.clone()));
        }
        (Some(Ok(sha)), _) => checks.push(Check::good(repository, format!("has {}", sha.short()))),
        (None, _) => {}
    }
    let facts = link.facts.as_ref().and_then(|facts| facts.as_deref().ok());
    let workflow = facts.map(|facts| &facts.workflow);
    let workflow = workflow.or_else(|| input.manifest.workflows.get(it.workflow.as_ref()?));
    if let Some(workflow) = workflow {
        checks.extend(phases(sources, input, link, workflow).await);
    }
    checks.extend(secrets(tenant));
    match sources.platforms.get(&link.id.tenant) {
        Some(platform) => {
            let formerly = &*link.head.formerly;
            let target = Target {
                link: &link.id,
                formerly,
                roles: link.roles(),
                // The image's repository distinguishes a role's container from the service's other containers.
                images: link.images(),
                known: None,
            };
            checks.extend(platform.verify(&target).await);
            checks.extend(rolled(&**platform, link, facts).await);
        }
        None => checks.push(Check::bad(
            "its platform",
            "this build does not have it",
            "use a build that has it".to_owned(),
        )),
    }
    checks
}

/// Whether the fleets would accept the workflow's phases.
async fn phases(
    sources: Sources<'_>,
    input: &PlanInput<'_>,
    link: &LinkInput,
    workflow: &Workflow,
) -> Vec<Check> {
    let Some(tenant) = input.manifest.tenants.get(&link.id.tenant) else { return Vec::new() };
    // Only the names matter here, not the values.
    let kept =
        |(name, from): (&String, &SecretRef)| from.arn().is_none().then(|| (name.clone(), String::new()));
    let secrets = Secrets(tenant.secrets.iter().filter_map(kept).collect());
    let arns = tenant.secret_arns();
    let mut checks = Vec::new();
    for phase in workflow.phases() {
        let PhaseKind::Execution(execution) = &phase.kind else { continue };
        let Some(fleet) = sources.fleets.get(tenant.fleet_for(execution.placement)) else { continue };
        let (secrets, arns, store) = (secrets.clone(), arns.clone(), sources.blobs.url());
        let launch = Launch::rehearsal(&link.id, (phase, execution), store, secrets, arns);
        let needs = fleet.verify_needs(&launch).await;
        // Phases share images and secrets; report each once.
        for check in fleet.verify_launch(&launch).await.into_iter().chain(needs) {
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
    }
    checks
}

/// Whether service images are available: the deployed ones, and those that a deployment would replace them with. An
/// earlier phase may still have to build the latter.
async fn rolled(platform: &dyn Platform, link: &LinkInput, facts: Option<&CommitFacts>) -> Vec<Check> {
    let deployed = link.head.deployed.iter().flat_map(|deployed| deployed.images.values());
    let deployed: BTreeSet<&str> = deployed.map(String::as_str).collect();
    let (wanted, made_before) = facts.and_then(|facts| wanted(link, facts)).unwrap_or_default();
    let wanted = wanted.iter().map(|(_, image)| image.as_str());
    let all: BTreeSet<&str> = deployed.iter().copied().chain(wanted).collect();
    let mut checks = Vec::new();
    for image in all {
        let Some(mut check) = platform.verify_image(image).await else { continue };
        if let CheckResult::Bad { problem, .. } = &check.found
            && made_before
            && !deployed.contains(image)
        {
            check.found =
                CheckResult::Unknown(format!("{problem}; a phase before the deployment may build it"));
        }
        checks.push(check);
    }
    checks
}

/// The image of every role that deploying the wanted commit updates, and whether phases run before the deployment.
fn wanted(link: &LinkInput, facts: &CommitFacts) -> Option<(Vec<(String, String)>, bool)> {
    let sha = link.want.as_ref()?.as_ref().ok()?;
    let (deployment, _) = facts.workflow.deployment()?;
    let description = ServiceDescription::parse(facts.description.as_deref()?).ok()?;
    let before = facts.workflow.phases().iter().any(|phase| phase.order < deployment.order);
    Some((description.retag(sha).images, before))
}

/// Checks of the secrets that katkit itself reads. Fleets check the others.
fn secrets(tenant: &Tenant) -> Vec<Check> {
    let check = |(name, from): (&String, &SecretRef)| {
        let what = format!("secret `{name}`");
        match from {
            SecretRef::Environment(_) | SecretRef::File(_) => {
                Some(Check::unknown(what, format!("`{from}` is read where `apply` runs")))
            }
            SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => None,
        }
    };
    tenant.secrets.iter().filter_map(check).collect()
}
