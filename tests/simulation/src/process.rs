//! One katkit process: reads the manifest, takes the inventory, plans and applies, all with katkit's own code.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use katkit::apply::{Executor, FailureLimit, Listener, PackPublisher};
use katkit::clock::Clock;
use katkit::domain::{LinkId, Owner};
use katkit::fleet::{Fleet, Secrets};
use katkit::inventory::{self, Scope, Sources};
use katkit::manifest::{self, Loaded, ManifestFiles};
use katkit::plan::{self, Plan};
use katkit::platform::Platform;
use katkit::report::{Progress, Summary};
use katkit::state::StateError;
use tokio_util::sync::CancellationToken;

use crate::blobs::GatedBlobs;
use crate::fleet::GatedFleet;
use crate::gate::Gate;
use crate::platform::GatedPlatform;
use crate::repositories::GatedRepositories;
use crate::state::GatedState;
use crate::world::{SECRET, World};

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
pub fn manifest(links: &[LinkId]) -> String {
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
    let mut tenants: BTreeMap<_, Vec<&LinkId>> = BTreeMap::new();
    for link in links {
        tenants.entry(&link.tenant).or_default().push(link);
    }
    for (tenant, links) in tenants {
        text.push_str(&format!(
            "[tenants.{tenant}]\nenvironment = \"E\"\nsecrets = {{ PASSWORD = \"env:P\" }}\n"
        ));
        for LinkId { link, .. } in links {
            text.push_str(&format!(
                "[tenants.{tenant}.links.{link}]\nrepo = \"app\"\nworkflow = \"standard\"\nbranch = \"{tenant}-{link}\"\n"
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
    loaded: Arc<Loaded>,
    state: Arc<GatedState>,
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<katkit::domain::TenantName, Arc<dyn Platform>>,
    repositories: Arc<GatedRepositories>,
}

impl Process {
    /// Starts a process whose manifest has these links.
    pub fn start(gate: Gate, links: &[LinkId]) -> Self {
        let loaded = manifest::load(Path::new("/simulation/katkit.toml"), &OneFile(manifest(links)));
        let loaded = loaded.unwrap_or_else(|mistakes| panic!("the manifest is valid: {mistakes:?}"));
        let fleet: Arc<dyn Fleet> = Arc::new(GatedFleet(gate.clone()));
        let platform: Arc<dyn Platform> = Arc::new(GatedPlatform(gate.clone()));
        Self {
            state: Arc::new(GatedState(gate.clone())),
            fleets: loaded
                .manifest
                .fleets
                .keys()
                .map(|name| (name.to_string(), Arc::clone(&fleet)))
                .collect(),
            platforms: loaded
                .manifest
                .tenants
                .keys()
                .map(|name| (name.clone(), Arc::clone(&platform)))
                .collect(),
            repositories: Arc::new(GatedRepositories(gate.clone())),
            loaded: Arc::new(loaded),
            gate,
        }
    }

    /// Its current plan. If `patient`, waits until it knows which lease owners are dead.
    pub async fn plan(&self, patient: bool) -> Result<Plan, StateError> {
        let sources = Sources {
            manifest: &self.loaded.manifest,
            state: &*self.state,
            git: &*self.repositories,
            fleets: &self.fleets,
            platforms: &self.platforms,
            clock: &*self.gate.world,
        };
        let input = inventory::gather(sources, &Scope { patient, ..Scope::default() }).await?;
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
        let summary = Arc::new(self.executor()).apply(plan, 4, interrupt).await;
        self.gate.world.tell(|| format!("p{} ends: {summary:?}", self.gate.process));
        if !summary.broken.is_empty() {
            self.gate.world.violated(6, format!("an internal task died: {:?}", summary.broken));
        }
        Ok(summary)
    }

    fn executor(&self) -> Executor {
        let world = Arc::clone(&self.gate.world);
        let blobs = Arc::new(GatedBlobs(self.gate.clone()));
        let scratch = std::env::temp_dir().join("katkit-simulation");
        let process = self.gate.process;
        Executor {
            state: Arc::clone(&self.state) as Arc<_>,
            blobs: Arc::clone(&blobs) as Arc<_>,
            fleets: self.fleets.clone(),
            platforms: self.platforms.clone(),
            secrets: |_| {
                let password = Secrets([("PASSWORD".to_owned(), SECRET.to_owned())].into());
                Box::pin(std::future::ready(Ok(password)))
            },
            secret_arns: |_| BTreeMap::new(),
            loaded: Arc::clone(&self.loaded),
            pack_publisher: PackPublisher::new(
                Arc::clone(&self.repositories) as Arc<_>,
                blobs as Arc<_>,
                scratch,
            ),
            clock: Arc::clone(&world) as Arc<dyn Clock>,
            owner: Owner {
                id: format!("p{process}"),
                host: format!("host-{process}"),
                boot: Some(format!("boot-{process}")),
                pid: process,
                started_ticks: Some(1),
                actor: format!("p{process}"),
            },
            actor: format!("p{process}").as_str().into(),
            listener: Arc::new(Ear(world)),
            saved_plan: None,
            failure_limit: FailureLimit::default(),
        }
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
