//! A run whose deployment is held stays open, and the next apply resumes it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::session;
use crate::apply::Session;
use crate::blobs::{BlobKey, Blobs};
use crate::clock::{Clock, SystemClock};
use crate::domain::{
    Check, CommitSha, DeployOutcome, DeploymentName, Handle, Head, ImageDigests, LinkId, Outcome,
    PhaseStatus, ReplicaStatus, RunOutcome,
};
use crate::estate::Estate;
use crate::fleet::{Fleet, FleetError, Launch, ListedService, ServiceState};
use crate::plan::{self, CommitFacts, Holder, LinkInput, Observed, Plan, PlanInput};
use crate::platform::{
    FencingCheck, InFlight, Observation, Platform, PlatformError, RollEnd, Target, Upgrade,
};
use crate::report::LinkResult;

const MANIFEST: &str = r#"
version = 1
[repos.app]
url = "https://git.example/acme/app.git"
[workflows.standard]
phases = [
  { name = "build", order = 0, checkout = "clone" },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, checkout = "clone" },
]
[policies.office]
freeze = [{ start = "fri 16:00", end = "mon 08:00", zone = "UTC", why = "it is Friday" }]
[tenants.dev]
policy = "office"
[tenants.dev.links.web]
repo = "app"
workflow = "standard"
branch = "main"
"#;

/// The machine's clock, with a date that a test sets.
#[derive(Debug)]
struct Calendar {
    now: Mutex<Timestamp>,
    /// After how many questions the freeze is in force for a single one.
    blink: Mutex<Option<usize>>,
    machine: SystemClock,
}

impl Clock for Calendar {
    fn now(&self) -> Timestamp {
        let mut blink = self.blink.lock().unwrap();
        let is_frozen = *blink == Some(0);
        *blink = blink.and_then(|left| left.checked_sub(1));
        if is_frozen { SATURDAY.parse().unwrap() } else { *self.now.lock().unwrap() }
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }
}

/// During the freeze.
pub(super) const SATURDAY: &str = "2026-01-03T12:00:00Z";
pub(super) const TUESDAY: &str = "2026-01-06T12:00:00Z";

/// Every phase succeeds at once.
#[derive(Debug)]
struct InstantFleet(Arc<dyn Blobs>);

#[async_trait]
impl Fleet for InstantFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let attempt = launch.log_path.trim_start_matches("memory:").trim_start_matches('/');
        let replica = BlobKey::new(attempt).unwrap().replica(launch.replica);
        let now = Timestamp::UNIX_EPOCH;
        let status = ReplicaStatus {
            version: ReplicaStatus::VERSION,
            agent: None,
            started: now,
            heartbeat: now,
            chunks: 0,
            ended: Some(now),
            outcome: Some(Outcome::Succeeded),
            artifacts: 0,
            exposed: Vec::new(),
            images: ImageDigests::new(),
        };
        self.0.put(&replica.status_json(), &serde_json::to_vec(&status).unwrap()).await.unwrap();
        Ok(Handle(launch.token.to_string()))
    }

    async fn observe(&self, _: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        unreachable!("nothing is observed")
    }

    async fn gone(&self, _: &Handle) -> Result<ServiceState, FleetError> {
        Ok(ServiceState::Gone { cause: None, evidence: String::new() })
    }

    async fn stop(&self, _: &Handle) -> Result<(), FleetError> {
        Ok(())
    }

    async fn remove(&self, _: &Handle) -> Result<(), FleetError> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        Ok(Vec::new())
    }

    async fn verify(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn verify_launch(&self, _: &Launch) -> Option<Check> {
        None
    }
}

/// Deployments succeed at once. One whose process died has this outcome.
#[derive(Debug)]
struct InstantPlatform(DeployOutcome);

#[async_trait]
impl Platform for InstantPlatform {
    async fn observe(&self, _: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        unreachable!("nothing is observed")
    }

    async fn upgrade(&self, _: &Upgrade, _: &dyn FencingCheck) -> Result<DeploymentName, PlatformError> {
        Ok(DeploymentName("d".to_owned()))
    }

    fn goes_on_alone(&self) -> bool {
        true
    }

    async fn watch(
        &self,
        _: &Upgrade,
        _: &DeploymentName,
        _: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        Ok(RollEnd { outcome: DeployOutcome::Deployed, revision: "r".to_owned() })
    }

    async fn resume(&self, _: InFlight<'_>, _: &dyn FencingCheck) -> Result<Option<RollEnd>, PlatformError> {
        Ok(Some(RollEnd { outcome: self.0.clone(), revision: "r".to_owned() }))
    }

    async fn verify(&self, _: &Target<'_>) -> Vec<Check> {
        Vec::new()
    }
}

/// A session with a clock that the test sets.
pub(super) struct Office {
    pub(super) session: Arc<Session>,
    clock: Arc<Calendar>,
}

impl Office {
    pub(super) fn on(&self, day: &str) {
        *self.clock.now.lock().unwrap() = day.parse().unwrap();
    }
}

pub(super) fn office(resumed: DeployOutcome) -> Office {
    let estate = Estate::in_memory(MANIFEST);
    let (name, tenant) = estate.manifest().tenants.first_key_value().unwrap();
    let fleet: Arc<dyn Fleet> = Arc::new(InstantFleet(Arc::clone(&estate.blobs)));
    let fleets = [(tenant.fleet.clone(), fleet)].into();
    let platforms = [(name.clone(), Arc::new(InstantPlatform(resumed)) as Arc<dyn Platform>)].into();
    let clock = Arc::new(Calendar {
        now: Mutex::new(SATURDAY.parse().unwrap()),
        blink: Mutex::default(),
        machine: SystemClock::new(),
    });
    let estate = Estate { fleets, platforms, clock: Arc::clone(&clock) as Arc<dyn Clock>, ..estate };
    Office { session: session(estate, Arc::default()), clock }
}

pub(super) fn link() -> LinkId {
    "dev/web".parse().unwrap()
}

pub(super) fn sha() -> CommitSha {
    CommitSha::new("a".repeat(40)).unwrap()
}

pub(super) async fn head(session: &Session) -> Head {
    let heads = session.estate().state.heads(None).await.unwrap();
    heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
}

/// The plan for the recorded state.
pub(super) async fn planned(session: &Session) -> Plan {
    let runs = |head: &Head| if head.deployed.is_some() { Observed::AsDeployed } else { Observed::Absent };
    planned_for(session, sha(), runs).await
}

/// The same for another commit, and with something else that runs.
pub(super) async fn planned_for(
    session: &Session,
    want: CommitSha,
    runs: impl Fn(&Head) -> Observed,
) -> Plan {
    let (head, manifest) = (head(session).await, session.estate().manifest());
    let facts = CommitFacts {
        workflow: Arc::clone(&manifest.workflows["standard"]),
        description: Some(
            r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<hubtag>" } ] }"#.to_owned(),
        ),
        roles: vec!["web".to_owned()],
        deployed_description: None,
        commits: Vec::new(),
        more_commits: 0,
        barrier: None,
        taints: Vec::new(),
        notes: Vec::new(),
    };
    let input = LinkInput {
        changes: None,
        added: None,
        owed_reviews: Vec::new(),
        pipeline: None,
        waits: None,
        id: link(),
        observed: runs(&head),
        head: Box::new(head),
        renamed: None,
        damage: None,
        holder: Holder::Nobody,
        lease: None,
        requests: Vec::new(),
        refused: Vec::new(),
        test: None,
        stops: None,
        held_tip: None,
        landing: None,
        want: Some(Ok(want)),
        watched: None,
        facts: Some(Ok(Arc::new(facts))),
        registry: None,
    };
    plan::plan(&PlanInput {
        consents: Vec::new(),
        reviews: crate::policy::Reviews::default(),
        manifest,
        now: session.estate().clock.now(),
        links: vec![input],
        orphans: Vec::new(),
        workflow_digests: manifest.workflows.iter().map(|(name, it)| (name.clone(), it.digest())).collect(),
        unattended: false,
        refresh_only: false,
    })
}

pub(super) async fn apply(session: &Arc<Session>, plan: Plan) -> LinkResult {
    let mut summary = crate::apply::apply(session, plan, 1).await;
    assert_eq!((summary.links.len(), &summary.broken), (1, &Vec::new()), "{summary:?}");
    summary.links.remove(0).result
}

/// The status of each phase of the run, and how it ended.
pub(super) fn statuses(head: &Head) -> (Vec<PhaseStatus>, Option<RunOutcome>) {
    let run = head.run.as_ref().unwrap();
    (run.phases.iter().map(|phase| phase.status).collect(), run.ended.map(|(_, outcome)| outcome))
}

#[tokio::test]
async fn the_run_stays_open_and_is_resumed_at_the_deployment() {
    use PhaseStatus::{Pending, Succeeded};
    let office = office(DeployOutcome::Deployed);
    let session = &office.session;
    let result = apply(session, planned(session).await).await;
    let LinkResult::Held { deployed: None, reason, hint: Some(_) } = &result else { panic!("{result:?}") };
    assert!(reason.starts_with("`deploy` waits: ") && !result.is_failure(), "{reason}");
    let waiting = head(session).await;
    assert_eq!(statuses(&waiting), (vec![Succeeded, Pending, Pending], None));
    assert!(waiting.deploying.is_none() && waiting.verified.is_empty(), "{waiting:?}");
    assert!(!planned(session).await.has_steps());

    office.on(TUESDAY);
    let result = apply(session, planned(session).await).await;
    assert!(matches!(&result, LinkResult::Done { deployed: Some(live) } if *live == sha()), "{result:?}");
    let verified = head(session).await;
    assert_eq!(statuses(&verified), (vec![Succeeded; 3], Some(RunOutcome::Succeeded)));
    assert!(verified.evidence(&sha()).is_some());
    let run = |head: &Head| head.run.as_ref().map(|run| run.id.clone());
    assert_eq!(run(&verified), run(&waiting), "the same run");
    let build = verified.run.as_ref().unwrap().phases[0].attempt.as_ref().unwrap();
    assert_eq!(build.number.0, 1);
}

#[tokio::test]
async fn a_freeze_that_began_after_the_plan_holds_the_deployment() {
    use PhaseStatus::{Pending, Succeeded};
    let office = office(DeployOutcome::Deployed);
    let session = &office.session;
    office.on(TUESDAY);
    let plan = planned(session).await;
    office.on(SATURDAY);
    let result = apply(session, plan).await;
    let LinkResult::Held { deployed: None, reason, hint: Some(hint) } = &result else { panic!("{result:?}") };
    assert_eq!(
        reason,
        "`deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday"
    );
    assert!(hint.contains("`katkit apply dev/web`"), "{hint}");
    assert_eq!(statuses(&head(session).await), (vec![Succeeded, Pending, Pending], None));
    office.on(TUESDAY);
    let result = apply(session, planned(session).await).await;
    assert!(matches!(&result, LinkResult::Done { deployed: Some(live) } if *live == sha()), "{result:?}");
}

#[tokio::test]
async fn no_phase_runs_behind_a_deployment_that_the_gate_refused_for_a_moment() {
    use PhaseStatus::{Pending, Succeeded};
    let mut refused = 0;
    for questions in 0..80 {
        let office = office(DeployOutcome::Deployed);
        let session = &office.session;
        office.on(TUESDAY);
        let plan = planned(session).await;
        *office.clock.blink.lock().unwrap() = Some(questions);
        let result = apply(session, plan).await;
        *office.clock.blink.lock().unwrap() = None;
        match result {
            LinkResult::Done { deployed } => {
                assert_eq!(deployed, Some(sha()), "{questions}");
                continue;
            }
            LinkResult::Held { deployed: None, reason, .. } => {
                assert_eq!(statuses(&head(session).await), (vec![Succeeded, Pending, Pending], None));
                refused += usize::from(reason.contains("when it was about to begin"));
            }
            other => panic!("{questions}: {other:?}"),
        }
        let result = apply(session, planned(session).await).await;
        assert!(matches!(&result, LinkResult::Done { deployed: Some(live) } if *live == sha()), "{result:?}");
    }
    assert!(refused > 0, "the gate was never closed at the intent alone");
}
