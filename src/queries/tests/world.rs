//! An estate in memory whose platform runs everything as it was deployed.
use std::sync::Arc;
use std::time::Duration;

use crate::domain::*;
use crate::estate::Estate;
use crate::inventory::Targets;
use crate::journal;
use crate::liveness;
use crate::platform::{
    FencingCheck, InFlight, Observation, Platform, PlatformError, RollEnd, Target, Upgrade,
};
use crate::state::Append;
use async_trait::async_trait;
use jiff::Timestamp;

pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn id(link: &str) -> LinkId {
    link.parse().unwrap()
}

pub(super) fn phase(name: &str) -> PhaseName {
    PhaseName::new(name).unwrap()
}

pub(super) fn targets(pattern: &str) -> Targets {
    Targets::matching(&[pattern.to_owned()]).unwrap()
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// This process.
pub(super) fn owner() -> Owner {
    liveness::this_process("ana".to_owned(), Timestamp::UNIX_EPOCH)
}

/// Reports everything as it was deployed, and deploys nothing.
#[derive(Debug)]
struct AsDeployed;

#[async_trait]
impl Platform for AsDeployed {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        let observed = |target: &Target<'_>| match target.known {
            Some(_) => Ok(Observation::AsKnown),
            None => Ok(Observation::Absent),
        };
        targets.iter().map(observed).collect()
    }

    async fn upgrade(&self, _: &Upgrade, _: &dyn FencingCheck) -> Result<DeploymentName, PlatformError> {
        unreachable!("a query deploys nothing")
    }

    fn goes_on_alone(&self) -> bool {
        false
    }

    async fn watch(
        &self,
        _: &Upgrade,
        _: &DeploymentName,
        _: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        unreachable!("a query deploys nothing")
    }

    async fn resume(&self, _: InFlight<'_>, _: &dyn FencingCheck) -> Result<Option<RollEnd>, PlatformError> {
        unreachable!("a query deploys nothing")
    }

    async fn verify(&self, _: &Target<'_>) -> Vec<Check> {
        Vec::new()
    }
}

/// The links `dev/shop` and `prod/shop`, which both want the commit `a`; then `extra`.
pub(super) fn estate(extra: &str) -> Estate {
    let link = |tenant: &str| {
        format!(
            "[tenants.{tenant}.links.shop]\nrepo = \"app\"\nworkflow = \"standard\"\nsha = \"{}\"\n",
            sha('a')
        )
    };
    let text = format!(
        "version = 1\n[repos.app]\nurl = \"/app\"\n[workflows.standard]\nphases = [\n{{ name = \"build\", order = 0 }},\n\
         {{ name = \"deploy\", order = 1, kind = \"deployment\" }},\n{{ name = \"verify\", order = 2 }},\n]\n{}{}{extra}",
        link("dev"),
        link("prod")
    );
    let platform =
        |tenant: &str| (TenantName::new(tenant).unwrap(), Arc::new(AsDeployed) as Arc<dyn Platform>);
    Estate { platforms: ["dev", "prod"].map(platform).into(), ..Estate::in_memory(&text) }
}

pub(super) async fn head(estate: &Estate, link: &str) -> Head {
    let heads = estate.state.heads(Some(&[id(link)])).await.unwrap();
    heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
}

/// Records the next event of a link.
pub(super) async fn record(estate: &Estate, link: &str, second: i64, event: Event) {
    let (state, before, link) = (&*estate.state, head(estate, link).await, id(link));
    let epoch = state.acquire(&link, &owner(), Duration::from_secs(30), None).await.unwrap().epoch;
    let (expected, generation) = (before.generation, Generation(before.generation.0 + 1));
    let events = [RecordedEvent { generation, at: time(second), by: "ana".into(), event, previous: None }];
    let head = journal::step(&before, &events[0]).unwrap();
    let write =
        Append { link: &link, expected, epoch, events: &events, head: &head, consumes: &[], consents: None };
    state.append(write).await.unwrap();
    state.release(&link, epoch).await.unwrap();
}

/// The commit was found running.
pub(super) fn adopted(digit: char) -> Event {
    let images = Images::from_iter([("web".to_owned(), format!("acme/web:{}", sha(digit)))]);
    Event::Adopted { sha: sha(digit), images, revision: "r".to_owned() }
}

/// An event that changes nothing but the length of the journal.
pub(super) fn taken_over() -> Event {
    Event::TakenOver { from: "bob".to_owned() }
}

/// Starts a run for a commit and launches its first phase, `build`, on one replica.
pub(super) async fn start_build(estate: &Estate, link: &str, digit: char) -> RunId {
    let run = RunId(format!("{}-abcdef", head(estate, link).await.generation.0 + 1));
    let in_run = |name, order, deployment| RunPhase::of(phase(name), order, deployment);
    let phases = vec![in_run("build", 0, false), in_run("deploy", 1, true), in_run("verify", 2, false)];
    let started = Event::RunStarted {
        run: run.clone(),
        sha: sha(digit),
        reason: RunReason::NewSha,
        phases,
        workflow: "w".to_owned(),
        test: None,
        authorization: None,
        saved_plan: None,
    };
    record(estate, link, 100, started).await;
    let (build, attempt) = (phase("build"), AttemptNumber(1));
    let intended = Event::AttemptIntended {
        token: Token::of_attempt(&id(link), &run, &build, attempt),
        phase: build.clone(),
        attempt,
        replicas: 1,
        fleet: "local".parse().unwrap(),
        saved_plan: None,
    };
    record(estate, link, 110, intended).await;
    let handles = vec![Handle("h".to_owned())];
    record(estate, link, 120, Event::AttemptLaunched { phase: build, attempt, handles }).await;
    run
}
