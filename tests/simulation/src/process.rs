//! One katkit process: reads the manifest, takes the inventory, plans and applies, all with katkit's own code.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use katkit::apply::{self, Executor, FailureLimit, Listener, SecretReader, Session};
use katkit::clock::Clock;
use katkit::domain::{LinkId, Owner};
use katkit::estate::Estate;
use katkit::fleet::{Fleet, Secrets};
use katkit::inventory::Scope;
use katkit::manifest::{self, ManifestFiles};
use katkit::plan::{self, Plan};
use katkit::platform::Platform;
use katkit::report::{Progress, Summary};
use katkit::state::StateError;
use tokio_util::sync::CancellationToken;

use crate::approvals;
use crate::blobs::GatedBlobs;
use crate::daily;
use crate::fleet::GatedFleet;
use crate::gate::Gate;
use crate::pinning::{self, GatedRegistry};
use crate::platform::GatedPlatform;
use crate::pull_requests;
use crate::repositories::GatedRepositories;
use crate::reviews;
use crate::state::GatedState;
use crate::working_hours;
use crate::world::{Freeze, SECRET, World};

/// The manifest: a single in-memory file.
struct OneFile(String);

impl ManifestFiles for OneFile {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn matching(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

/// A manifest with these links.
pub fn manifest(
    links: &[LinkId],
    freeze: Option<Freeze>,
    (pipeline, soak): (Option<&(LinkId, LinkId)>, Option<Duration>),
    (approvals, reviews): (bool, bool),
    (limit, calendar): (Option<usize>, Option<String>),
    (pinned, tests): (bool, bool),
) -> String {
    let mut text = String::from(
        r#"
version = 1
[repos.app]
url = "https://git.example/acme/app.git"
[workflows.standard]
on-failure = "rollback"
phases = [
  { name = "build", order = 0, timeout = "2m", retries = 1 },
  { name = "test", order = 1, timeout = "2m", parallelism = 2, checkout = "clone" },
  { name = "lint", order = 1, timeout = "1m", checkout = "clone" },
  { name = "deploy", order = 2, kind = "deployment" },
  { name = "verify", order = 3, timeout = "1m", checkout = "clone" },
]
"#,
    );
    if tests {
        text = text.replace(", checkout = \"clone\"", "");
    }
    if let Some((first, _)) = pipeline {
        let branch = format!("branch = \"{}-{}\"\n[workflows", first.tenant, first.link);
        text = text.replacen("[workflows", &branch, 1);
        let stages = links.iter().map(|link| {
            let source = if tests && link == first { ", source = \"pull-requests\"" } else { "" };
            format!("{{ name = \"{}\", links = [\"{link}\"]{source} }}", link.tenant)
        });
        let stages = stages.collect::<Vec<_>>().join(", ");
        if !links.is_empty() {
            text.push_str(&format!("[pipelines.app]\nrepo = \"app\"\nstages = [{stages}]\n"));
        }
    }
    let mut conditions = String::new();
    if let Some(Freeze { start, end }) = freeze {
        let civil = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
        let (start, end) = (civil(start), civil(end));
        conditions
            .push_str(&format!("freeze = [{{ start = \"{start}\", end = \"{end}\", zone = \"UTC\" }}]\n"));
    }
    if let Some(soak) = soak {
        let train = soak.as_secs().is_multiple_of(2);
        conditions.push_str(&format!("soak = \"{}s\"\ntrain = {train}\n", soak.as_secs()));
        if let Some(calendar) = calendar {
            conditions.push_str("soak-hours = \"working\"\n");
            text.push_str(&calendar);
        }
    }
    if let Some(count) = limit {
        let zone = daily::ZONE;
        conditions.push_str(&format!("max-per-day = {{ count = {count}, zone = \"{zone}\" }}\n"));
    }
    if pinned {
        conditions.push_str("digest = \"pinned\"\n");
    }
    let policy = if conditions.is_empty() { "" } else { "policy = \"office\"\n" };
    let second = pipeline.map(|(_, second)| &second.tenant).filter(|_| approvals || reviews);
    if second.is_some() {
        let people = if approvals { approvals::PEOPLE } else { "" };
        let approvals = if approvals { approvals::CONDITION } else { "" };
        let reviews = if reviews { reviews::CONDITION } else { "" };
        text.push_str(&format!("{people}[policies.second]\n{conditions}{approvals}{reviews}"));
    }
    if !conditions.is_empty() {
        text.push_str(&format!("[policies.office]\n{conditions}"));
    }
    let mut tenants: BTreeMap<_, Vec<&LinkId>> = BTreeMap::new();
    for link in links {
        tenants.entry(&link.tenant).or_default().push(link);
    }
    for (tenant, links) in tenants {
        let policy = if second == Some(tenant) { "policy = \"second\"\n" } else { policy };
        text.push_str(&format!(
            "[tenants.{tenant}]\nenvironment = \"E\"\nsecrets = {{ PASSWORD = \"env:P\" }}\n{policy}"
        ));
        for LinkId { link, .. } in links {
            let wanted = match pipeline {
                Some(_) => "pipeline = \"app\"".to_owned(),
                None => format!("branch = \"{tenant}-{link}\""),
            };
            text.push_str(&format!(
                "[tenants.{tenant}.links.{link}]\nrepo = \"app\"\nworkflow = \"standard\"\n{wanted}\n"
            ));
        }
    }
    text
}

/// Records progress, and checks it for secrets.
#[derive(Debug)]
struct Ear(Arc<World>);

impl Listener for Ear {
    fn hear(&self, progress: &Progress) {
        let heard = format!("{progress:?}");
        if heard.contains(SECRET) {
            self.0.violated(7, format!("the secret was told: {heard}"));
        }
        self.0.tell(|| format!("   heard {heard}"));
    }

    fn wants_log(&self) -> bool {
        false
    }
}

/// A process that has read its manifest.
#[derive(Debug)]
pub struct Process {
    gate: Gate,
    estate: Arc<Estate>,
}

impl Process {
    /// Starts a process whose manifest has these links.
    pub fn start(gate: Gate, links: &[LinkId]) -> Self {
        let loaded = manifest::load(
            Path::new("/simulation/katkit.toml"),
            &OneFile(manifest(
                links,
                gate.world.freeze,
                (gate.world.pipeline.as_ref(), gate.world.soak),
                (approvals::required(gate.world.seed), reviews::required(gate.world.seed)),
                (daily::limit(gate.world.seed), working_hours::calendar(gate.world.seed)),
                (
                    pinning::is_required(gate.world.seed),
                    gate.world.pipeline.is_some() && pull_requests::is_required(gate.world.seed),
                ),
            )),
        );
        if gate.world.pipeline.is_some() && links.len() == 2 {
            gate.world.facts().staged.insert(gate.process);
        }
        let loaded = loaded.unwrap_or_else(|mistakes| panic!("the manifest is valid: {mistakes:?}"));
        let fleet: Arc<dyn Fleet> = Arc::new(GatedFleet(gate.clone()));
        let platform: Arc<dyn Platform> = Arc::new(GatedPlatform(gate.clone()));
        let (fleets, tenants) = (loaded.manifest.fleets.keys(), loaded.manifest.tenants.keys());
        let estate = Estate {
            state: Arc::new(GatedState(gate.clone())),
            blobs: Arc::new(GatedBlobs(gate.clone())),
            git: Arc::new(GatedRepositories(gate.clone())),
            fleets: fleets.map(|name| (name.clone(), Arc::clone(&fleet))).collect(),
            platforms: tenants.map(|name| (name.clone(), Arc::clone(&platform))).collect(),
            registry: Arc::new(GatedRegistry(gate.clone())),
            leases: Arc::default(),
            clock: Arc::clone(&gate.world) as Arc<dyn Clock>,
            scratch: std::env::temp_dir().join("katkit-simulation"),
            loaded: Arc::new(loaded),
        };
        Self { gate, estate: Arc::new(estate) }
    }

    /// Its current plan. If `patient`, waits until it knows which lease owners are dead.
    pub async fn plan(&self, patient: bool) -> Result<Plan, StateError> {
        let input = self.estate.inventory(&Scope { patient, ..Scope::default() }).await?;
        for link in &input.links {
            if let Some(Ok(sha)) = &link.want {
                let of = (self.gate.process, link.id.clone());
                self.gate.world.facts().wanted.insert(of, sha.clone());
            }
        }
        Ok(plan::plan(&input))
    }

    /// Plans, then executes the plan.
    pub async fn apply(&self, interrupt: &CancellationToken) -> Result<Summary, StateError> {
        let plan = self.plan(true).await?;
        self.gate.world.tell(|| {
            let steps = plan.links.iter().map(|link| format!("{}: {:?}", link.link, words(link)));
            format!("p{} plans {}", self.gate.process, steps.collect::<Vec<_>>().join("; "))
        });
        let summary = apply::apply(&self.session(interrupt), plan, 4).await;
        self.gate.world.tell(|| format!("p{} ends: {summary:?}", self.gate.process));
        if !summary.broken.is_empty() {
            self.gate.world.violated(6, format!("an internal task died: {:?}", summary.broken));
        }
        Ok(summary)
    }

    fn session(&self, interrupt: &CancellationToken) -> Arc<Session> {
        let process = self.gate.process;
        let owner = Owner {
            id: format!("p{process}"),
            host: format!("host-{process}"),
            boot: Some(format!("boot-{process}")),
            pid: process,
            started_ticks: Some(1),
            actor: format!("p{process}"),
        };
        let secrets: SecretReader = |_| {
            let password = Secrets([("PASSWORD".to_owned(), SECRET.to_owned())].into());
            Box::pin(std::future::ready(Ok(password)))
        };
        Arc::new(Session {
            executor: Arc::new(Executor::new(Arc::clone(&self.estate), owner, secrets)),
            actor: format!("p{process}").as_str().into(),
            listener: Arc::new(Ear(Arc::clone(&self.gate.world))),
            interrupt: interrupt.clone(),
            saved_plan: None,
            failure_limit: FailureLimit::default(),
        })
    }
}

fn words(link: &plan::LinkPlan) -> Vec<String> {
    let word = |step: &plan::Step| {
        let text = format!("{step:?}");
        text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
    };
    link.steps
        .iter()
        .map(word)
        .chain(link.holds.iter().map(|hold| format!("hold {}", hold.reason.describe())))
        .collect()
}
