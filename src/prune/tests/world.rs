//! Links with journals and blobs, in memory. Both share a clock: each blob written takes a second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::blobs::{BlobKey, Blobs, MemoryBlobs};
use crate::clock::Clock;
use crate::domain::*;
use crate::journal;
use crate::liveness;
use crate::prune::{Plan, Pruner, Scope, Sources, gather, plan};
use crate::report::PruneResult;
use crate::state::{Append, Leases, Links, MemoryState, Rename, State, StateError, Survey};

pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn link(name: &str) -> LinkId {
    name.parse().unwrap()
}

pub(super) fn owner() -> Owner {
    liveness::this_process("ana".to_owned(), Timestamp::UNIX_EPOCH)
}

/// A process that counts as dead.
pub(super) fn dead() -> Owner {
    Owner { pid: u32::MAX, id: "dead".to_owned(), ..owner() }
}

/// Makes everything that a prune records old at once.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub(super) struct World {
    pub(super) state: Arc<MemoryState>,
    pub(super) blobs: Arc<MemoryBlobs>,
    written: AtomicI64,
}

impl World {
    pub(super) fn new() -> Self {
        Self { state: Arc::default(), blobs: Arc::default(), written: AtomicI64::new(0) }
    }

    /// A time after everything written so far.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.written.load(Ordering::Relaxed) + 1).unwrap()
    }

    async fn put(&self, key: &BlobKey, text: &str) {
        self.blobs.put(key, text.as_bytes()).await.unwrap();
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) async fn head(&self, link: &LinkId) -> Head {
        let heads = self.state.heads(Some(std::slice::from_ref(link))).await.unwrap();
        heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
    }

    pub(super) async fn then(&self, link: &LinkId, event: Event) {
        let epoch = self.state.acquire(link, &owner(), Duration::from_secs(30), None).await.unwrap().epoch;
        let before = self.head(link).await;
        let at = Timestamp::from_second(self.written.load(Ordering::Relaxed)).unwrap();
        let generation = Generation(before.generation.0 + 1);
        let events = [RecordedEvent { generation, at, by: "ana".into(), event, previous: None }];
        let head = journal::step(&before, &events[0]).unwrap();
        let (expected, consumes) = (before.generation, &[]);
        let write = Append { link, expected, epoch, events: &events, head: &head, consumes, consents: None };
        self.state.append(write).await.unwrap();
        self.state.release(link, epoch).await.unwrap();
    }

    /// A run for a commit, with a phase that leaves four blobs, and a deployment. It ends with `outcome`.
    pub(super) async fn run(&self, link: &LinkId, digit: char, outcome: RunOutcome) {
        let name = |text: &str| PhaseName::new(text).unwrap();
        let phase = |text: &str, order, deployment| RunPhase::of(name(text), order, deployment);
        let run = RunId(format!("{}-abcdef", self.head(link).await.generation.0 + 1));
        let (sha, attempt, good) = (sha(digit), AttemptNumber(1), outcome == RunOutcome::Succeeded);
        let token = Token::of_attempt(link, &run, &name("build"), attempt);
        let phases = vec![phase("build", 0, false), phase("deploy", 1, true)];
        let (reason, workflow) = (RunReason::NewSha, "w".to_owned());
        let started = Event::RunStarted {
            run: run.clone(),
            sha: sha.clone(),
            reason,
            phases,
            workflow,
            test: None,
            authorization: None,
            saved_plan: None,
        };
        self.then(link, started).await;
        let (fleet, phase) = ("local".parse().unwrap(), name("build"));
        let intended = Event::AttemptIntended { phase, attempt, token, replicas: 1, fleet, saved_plan: None };
        self.then(link, intended).await;
        self.then(
            link,
            Event::AttemptLaunched { phase: name("build"), attempt, handles: vec![Handle("h".into())] },
        )
        .await;
        let key = BlobKey::attempt(link, &sha, &name("build"), &run, attempt);
        let replica = key.replica(0);
        for key in [key.phase_json(), replica.log_chunk(1), replica.log_chunk(2), replica.status_json()] {
            self.put(&key, "text").await;
        }
        let ended = match good {
            true => Outcome::Succeeded,
            false => Outcome::Failed { exit_code: Some(1), reason: String::new() },
        };
        self.then(link, Event::AttemptEnded { phase: name("build"), attempt, outcome: ended }).await;
        self.then(link, Event::ServiceRemoved { phase: name("build"), attempt }).await;
        if good {
            self.deploy(link, &run, &sha).await;
        }
        self.then(link, Event::RunEnded { run, outcome, because: None }).await;
        if let Some(verified) = journal::verification(&self.head(link).await) {
            self.then(link, verified).await;
        }
    }

    async fn deploy(&self, link: &LinkId, run: &RunId, sha: &CommitSha) {
        let token = Token::of_deployment(link, run, sha, 0);
        let images = [("web".to_owned(), "web".to_owned())].into_iter().collect();
        let (purpose, sha) = (DeployPurpose::Upgrade, sha.clone());
        let intended = Event::DeployIntended {
            token: token.clone(),
            purpose,
            sha,
            images,
            barrier: None,
            authorization: None,
            saved_plan: None,
        };
        self.then(link, intended).await;
        self.then(link, Event::DeployIssued { token: token.clone(), deployment: DeploymentName("d".into()) })
            .await;
        let outcome = DeployOutcome::Deployed;
        self.then(link, Event::DeployEnded { token, outcome, revision: "r".into() }).await;
    }

    pub(super) async fn rename(&self, from: &LinkId, to: &LinkId) {
        let lease = |link: &LinkId| {
            let (state, link) = (Arc::clone(&self.state), link.clone());
            async move { state.acquire(&link, &owner(), Duration::from_secs(30), None).await.unwrap().epoch }
        };
        let (old, new) = (self.head(from).await, self.head(to).await);
        let at = Timestamp::from_second(self.written.load(Ordering::Relaxed)).unwrap();
        let record = old.digest();
        let event = |generation, event| RecordedEvent {
            generation: Generation(generation),
            at,
            by: "ana".into(),
            event,
            previous: None,
        };
        let away = event(old.generation.0 + 1, Event::MovedTo { to: to.clone(), record: record.clone() });
        let here =
            event(old.generation.max(new.generation).0 + 1, Event::MovedFrom { from: from.clone(), record });
        let (left, goes_on) = (journal::step(&old, &away).unwrap(), journal::step(&old, &here).unwrap());
        let epochs = (lease(from).await, lease(to).await);
        let write = |link, expected, epoch, events, head| Append {
            link,
            expected,
            epoch,
            events,
            head,
            consumes: &[],
            consents: None,
        };
        let moved = Rename {
            from: write(from, old.generation, epochs.0, std::slice::from_ref(&away), &left),
            to: write(to, new.generation, epochs.1, std::slice::from_ref(&here), &goes_on),
            requests: &[],
        };
        self.state.rename(moved).await.unwrap();
        self.state.release(from, epochs.0).await.unwrap();
        self.state.release(to, epochs.1).await.unwrap();
    }

    pub(super) async fn pack(&self, digit: char) {
        let pack = BlobKey::pack("shop-0123", &sha(digit), 50).unwrap();
        self.put(&pack, "pack").await;
        self.put(&pack.pack_marker(), "{}").await;
    }

    pub(super) async fn plan(&self, before: Timestamp, history: bool, links: Option<&[&LinkId]>) -> Plan {
        let links = links.map(|links| links.iter().map(|link| (*link).clone()).collect::<BTreeSet<_>>());
        self.plan_from(self.state.survey().await.unwrap(), Scope { before, history, links }).await
    }

    /// The plan from this survey.
    async fn plan_from(&self, survey: Survey, scope: Scope) -> Plan {
        let sources = Sources { state: &*self.state, blobs: &*self.blobs };
        plan(gather(sources, survey, &scope).await.unwrap(), scope.before)
    }

    /// Plans and carries out the plan; panics if that fails.
    pub(super) async fn prune(&self, before: Timestamp, history: bool) {
        self.carry_out(&self.plan(before, history, None).await).await;
    }

    /// Prunes while the head of `link` is unreadable.
    pub(super) async fn prune_without(&self, link: &LinkId) -> Plan {
        let mut survey = self.state.survey().await.unwrap();
        survey.heads.retain(|(id, _)| id != link);
        let damage = StateError::Corrupt { place: "memory".to_owned(), what: "its head is gone".to_owned() };
        survey.damaged.insert(link.clone(), damage);
        let plan = self.plan_from(survey, Scope { before: self.now(), history: true, links: None }).await;
        self.carry_out(&plan).await;
        plan
    }

    async fn carry_out(&self, plan: &Plan) {
        let pruner = pruner(Arc::clone(&self.state) as _, Arc::clone(&self.blobs) as _, owner());
        let (links, packs) = pruner.carry_out(plan).await;
        assert!(
            links.iter().chain([&packs]).all(|result| *result == PruneResult::Done),
            "{links:?} {packs:?}"
        );
    }

    /// The number of blobs of each commit below a name: the commit's first digit, then the number.
    pub(super) async fn left(&self, name: &str) -> String {
        let listed = self.blobs.list(&BlobKey::new(name).unwrap(), None).await.unwrap();
        let mut left: BTreeMap<String, u32> = BTreeMap::new();
        for listed in listed {
            let sha = listed.key.left_by().map(|(_, sha, _)| sha).or(listed.key.packed());
            *left.entry(sha.map_or("other".to_owned(), |sha| sha.as_str()[..1].to_owned())).or_default() += 1;
        }
        left.into_iter().map(|(sha, blobs)| format!("{sha}{blobs}")).collect::<Vec<_>>().join(" ")
    }

    /// The first and last event of a link's journal. Asserts that it folds into the head.
    pub(super) async fn journal(&self, link: &LinkId) -> (u64, u64) {
        let head = self.head(link).await;
        let events = self.state.journal(link, None, usize::MAX).await.unwrap();
        let base = match head.cut() {
            None => Head::default(),
            Some(mark) => {
                match events.iter().find(|event| event.generation == mark.event).map(|it| &it.event) {
                    Some(Event::Pruned { history: Some(cut), .. }) => cut.base.clone(),
                    other => panic!("{other:?} is no cut"),
                }
            }
        };
        assert_eq!(
            journal::fold_behind(&base, &events).unwrap(),
            head,
            "the journal of {link} folds into its head"
        );
        (events.first().map_or(0, |first| first.generation.0), head.generation.0)
    }
}

pub(super) fn pruner(state: Arc<dyn State>, blobs: Arc<dyn Blobs>, owner: Owner) -> Pruner {
    Pruner { state, blobs, clock: Arc::new(Still), owner, actor: "ana".into() }
}
