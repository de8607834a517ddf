//! A run whose deployment is held stays open, and the next apply resumes it.

use std::sync::Arc;

use async_trait::async_trait;

use super::session;
use crate::apply::{HeldLease, Record, Session};
use crate::blobs::{BlobKey, Blobs};
use crate::domain::{
    Check, CommitSha, DeployOutcome, DeployPurpose, DeploymentName, Event, Handle, Head, LinkId, Outcome,
    PhaseStatus, ReplicaStatus, RunOutcome, Token,
};
use crate::estate::Estate;
use crate::fleet::{Fleet, FleetError, Launch, ListedService, ServiceState};
use crate::plan::{self, ClosedGate, CommitFacts, HoldReason, Holder, LinkInput, Observed, Plan, PlanInput};
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
[tenants.dev.links.web]
repo = "app"
workflow = "standard"
branch = "main"
"#;

/// Every phase succeeds at once.
#[derive(Debug)]
struct InstantFleet(Arc<dyn Blobs>);

#[async_trait]
impl Fleet for InstantFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let attempt = launch.log_path.trim_start_matches("memory:").trim_start_matches('/');
        let replica = BlobKey::new(attempt).unwrap().replica(launch.replica);
        let now = jiff::Timestamp::UNIX_EPOCH;
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

fn instant_session(resumed: DeployOutcome) -> Arc<Session> {
    let estate = Estate::in_memory(MANIFEST);
    let (name, tenant) = estate.manifest().tenants.first_key_value().unwrap();
    let fleet: Arc<dyn Fleet> = Arc::new(InstantFleet(Arc::clone(&estate.blobs)));
    let fleets = [(tenant.fleet.clone(), fleet)].into();
    let platforms = [(name.clone(), Arc::new(InstantPlatform(resumed)) as Arc<dyn Platform>)].into();
    session(Estate { fleets, platforms, ..estate }, Arc::default())
}

fn link() -> LinkId {
    "dev/web".parse().unwrap()
}

fn sha() -> CommitSha {
    CommitSha::new("a".repeat(40)).unwrap()
}

async fn head(session: &Session) -> Head {
    let heads = session.estate().state.heads(None).await.unwrap();
    heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
}

/// The plan for the recorded state.
async fn planned(session: &Session, is_gate_closed: bool) -> Plan {
    let (head, manifest) = (head(session).await, session.estate().manifest());
    let gate = || {
        let (sha, since) = (sha(), jiff::Timestamp::UNIX_EPOCH);
        let reason = HoldReason::Quarantined { sha, since, why: "it is Friday".to_owned() };
        Box::new(ClosedGate { reason, hint: None })
    };
    let facts = CommitFacts {
        workflow: Arc::clone(&manifest.workflows["standard"]),
        description: Some(
            r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<hubtag>" } ] }"#.to_owned(),
        ),
        roles: vec!["web".to_owned()],
        deployed_description: None,
        commits: Vec::new(),
        more_commits: 0,
        taints: Vec::new(),
        notes: Vec::new(),
    };
    let input = LinkInput {
        id: link(),
        observed: if head.deployed.is_some() { Observed::AsDeployed } else { Observed::Absent },
        head: Box::new(head),
        renamed: None,
        damage: None,
        holder: Holder::Nobody,
        lease: None,
        requests: Vec::new(),
        want: Some(Ok(sha())),
        watched: None,
        facts: Some(Ok(Arc::new(facts))),
        deployment_gate: is_gate_closed.then(gate),
    };
    plan::plan(&PlanInput {
        manifest,
        now: session.estate().clock.now(),
        links: vec![input],
        orphans: Vec::new(),
        workflow_digests: manifest.workflows.iter().map(|(name, it)| (name.clone(), it.digest())).collect(),
        refresh_only: false,
    })
}

async fn apply(session: &Arc<Session>, plan: Plan) -> LinkResult {
    let mut summary = crate::apply::apply(session, plan, 1).await;
    assert_eq!((summary.links.len(), &summary.broken), (1, &Vec::new()), "{summary:?}");
    summary.links.remove(0).result
}

/// The status of each phase of the run, and how it ended.
fn statuses(head: &Head) -> (Vec<PhaseStatus>, Option<RunOutcome>) {
    let run = head.run.as_ref().unwrap();
    (run.phases.iter().map(|phase| phase.status).collect(), run.ended.map(|(_, outcome)| outcome))
}

#[tokio::test]
async fn the_run_stays_open_and_is_resumed_at_the_deployment() {
    use PhaseStatus::{Pending, Succeeded};
    let session = instant_session(DeployOutcome::Deployed);
    let result = apply(&session, planned(&session, true).await).await;
    let LinkResult::Held { deployed: None, reason, hint: None } = &result else { panic!("{result:?}") };
    assert!(reason.starts_with("`deploy` waits: ") && !result.is_failure(), "{reason}");
    let waiting = head(&session).await;
    assert_eq!(statuses(&waiting), (vec![Succeeded, Pending, Pending], None));
    assert!(waiting.deploying.is_none() && waiting.verified.is_empty(), "{waiting:?}");
    assert!(!planned(&session, true).await.has_steps());

    let result = apply(&session, planned(&session, false).await).await;
    assert!(matches!(&result, LinkResult::Done { deployed: Some(live) } if *live == sha()), "{result:?}");
    let verified = head(&session).await;
    assert_eq!(statuses(&verified), (vec![Succeeded; 3], Some(RunOutcome::Succeeded)));
    assert!(verified.evidence(&sha()).is_some());
    let run = |head: &Head| head.run.as_ref().map(|run| run.id.clone());
    assert_eq!(run(&verified), run(&waiting), "the same run");
    let build = verified.run.as_ref().unwrap().phases[0].attempt.as_ref().unwrap();
    assert_eq!(build.number.0, 1);
}

/// Another process issued the deployment before the gate closed, and died.
async fn in_flight(resumed: DeployOutcome) -> Arc<Session> {
    let session = instant_session(resumed);
    apply(&session, planned(&session, true).await).await;
    let estate = session.estate();
    let held = HeldLease::acquire(&estate.state, &link(), &session.executor.owner, None).await.unwrap();
    let (state, clock) = (Arc::clone(&estate.state), Arc::clone(&estate.clock));
    let mut record = Record::new(state, clock, link(), held.epoch, "ana".into(), head(&session).await);
    let intended = Event::DeployIntended {
        token: Token("t".to_owned()),
        purpose: DeployPurpose::Upgrade,
        sha: sha(),
        images: [("web".to_owned(), format!("acme/web:{}", sha()))].into_iter().collect(),
        saved_plan: None,
    };
    record.record(intended).await.unwrap();
    held.release().await;
    session
}

#[tokio::test]
async fn a_deployment_in_flight_that_failed_ends_the_run_although_it_is_held() {
    use PhaseStatus::{Failed, Pending, Succeeded};
    let session = in_flight(DeployOutcome::Failed { reason: "no such image".to_owned() }).await;
    let result = apply(&session, planned(&session, true).await).await;
    let LinkResult::Failed(failure) = result else { panic!("{result:?}") };
    assert_eq!((failure.step.as_str(), failure.reason.as_str()), ("deploy", "no such image"));
    let failed = head(&session).await;
    assert_eq!(statuses(&failed), (vec![Succeeded, Failed, Pending], Some(RunOutcome::Failed)));
    assert!(!planned(&session, true).await.has_steps());
}

#[tokio::test]
async fn after_a_deployment_in_flight_that_succeeded_the_next_apply_runs_the_phases_behind_it() {
    use PhaseStatus::{Pending, Succeeded};
    let session = in_flight(DeployOutcome::Deployed).await;
    let result = apply(&session, planned(&session, true).await).await;
    let LinkResult::Held { deployed: Some(live), reason, hint: Some(hint) } = &result else {
        panic!("{result:?}")
    };
    assert_eq!(*live, sha());
    assert_eq!(reason, "the phases after the deployment have not run");
    assert_eq!(hint, "`katkit apply dev/web` runs them");
    assert_eq!(statuses(&head(&session).await), (vec![Succeeded, Succeeded, Pending], None));
    let result = apply(&session, planned(&session, true).await).await;
    assert!(matches!(result, LinkResult::Done { .. }), "{result:?}");
    assert_eq!(statuses(&head(&session).await), (vec![Succeeded; 3], Some(RunOutcome::Succeeded)));
}
