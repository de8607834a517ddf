//! The ground truth, regardless of what processes believe: the record, the blobs, the services, the deployments. Sees
//! every effect, and records those that break an invariant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use katkit::blobs::MemoryBlobs;
use katkit::clock::Clock;
use katkit::domain::{CommitSha, Epoch, Handle, Head, ImageDigest, Images, LinkId, Request, Token, TreeId};
use katkit::state::MemoryState;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::gate::Fault;
use crate::invariants::Violation;
use crate::reviews::Review;

/// The value of the one secret. Must not appear anywhere.
pub const SECRET: &str = "correct-horse-battery-staple";

/// The simulated start time.
const BEGINNING: i64 = 1_800_000_000;

/// A freeze: from its start up to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Freeze {
    /// A freeze by its distance from the simulated start and its length, in minutes.
    pub fn after(start: u64, length: u64) -> Self {
        let minute = |minutes: u64| {
            let later = SignedDuration::from_mins(i64::try_from(minutes).unwrap_or_default());
            Timestamp::from_second(BEGINNING).unwrap_or_default() + later
        };
        Self { start: minute(start), end: minute(start + length) }
    }

    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// The world of one seed.
#[derive(Debug)]
pub struct World {
    /// Determines all randomness.
    pub seed: u64,
    /// When the policy of every tenant freezes deployments.
    pub freeze: Option<Freeze>,
    /// The link of the first stage and that of the second, if they make a pipeline.
    pub pipeline: Option<(LinkId, LinkId)>,
    /// How long a commit must soak in the first stage before the second runs it.
    pub soak: Option<Duration>,
    /// The record.
    pub state: MemoryState,
    pub blobs: Arc<MemoryBlobs>,
    began: Instant,
    calm: AtomicBool,
    /// Whether to keep a history.
    told: bool,
    facts: Mutex<Facts>,
}

/// The mutable part of the world.
#[derive(Debug, Default)]
pub struct Facts {
    /// The ephemeral services.
    pub services: BTreeMap<Handle, Service>,
    /// Number of services created per token.
    pub launches: BTreeMap<Token, u32>,
    /// Number of times a replica's code was started, per token.
    pub executions: BTreeMap<Token, u32>,
    /// Tokens whose code exited with 0.
    pub succeeded: BTreeSet<Token>,
    /// What is deployed, per link.
    pub deployed: BTreeMap<LinkId, Live>,
    /// What the tag of each image stands for, and since when; last the present.
    pub tags: BTreeMap<String, Vec<(Instant, ImageDigest)>>,
    /// Every deployment that took effect.
    pub rollouts: Vec<Rollout>,
    /// Branch tip per link.
    pub tips: BTreeMap<LinkId, CommitSha>,
    /// Every former branch tip, oldest first; each contains the earlier ones.
    pub pushed: BTreeMap<LinkId, Vec<CommitSha>>,
    /// What the evidence says of each commit, where that matters.
    pub reviews: BTreeMap<CommitSha, Review>,
    /// What commits contain, where that matters.
    pub trees: BTreeMap<CommitSha, TreeId>,
    /// The heads of open pull requests, oldest first.
    pub pulls: Vec<CommitSha>,
    /// When pull requests are closed, if they are: their commits are gone then.
    pub closed: BTreeMap<CommitSha, Duration>,
    /// The processes whose manifest has both links of the pipeline.
    pub staged: BTreeSet<u32>,
    /// What each process last read of a link, and when.
    pub seen: BTreeMap<(u32, LinkId), (Instant, Head)>,
    /// How long each verified commit of the first stage has soaked, as of the time beside it; and whether what is live
    /// there has been verified since.
    pub soaked: BTreeMap<CommitSha, Duration>,
    pub soaking: Option<(Instant, bool)>,
    /// What each process found wanted when it planned.
    pub wanted: BTreeMap<(u32, LinkId), CommitSha>,
    /// Requests submitted by users.
    pub asked: Vec<Request>,
    /// The epoch under which each process last acquired each link.
    pub held: BTreeMap<(u32, LinkId), Epoch>,
    /// The fold of every journal, computed from the appends.
    pub folds: BTreeMap<LinkId, Head>,
    /// Broken invariants.
    pub violations: Vec<Violation>,
    /// The history, as text.
    pub story: Vec<String>,
    /// The calls at which a process died, with the fault.
    pub deaths: BTreeSet<(String, Fault)>,
    /// Dead processes.
    pub dead: BTreeSet<u32>,
    /// Number of faulty calls, by fault.
    pub faults: BTreeMap<Fault, u64>,
}

/// An ephemeral service.
#[derive(Debug)]
pub struct Service {
    pub token: Token,
    pub link: LinkId,
    /// Kills its agent.
    pub agent: AbortHandle,
    /// Asks its agent to stop.
    pub stop: tokio::sync::watch::Sender<bool>,
    /// When it ended, if it has.
    pub ended: Option<Instant>,
}

/// What runs for a link.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Image per role.
    pub images: Images,
    pub description: String,
    /// Increases with every change.
    pub revision: u64,
}

/// A deployment that took effect.
#[derive(Clone, Debug)]
pub struct Rollout {
    pub token: Token,
    pub link: LinkId,
    /// The images it rolls out.
    pub images: Images,
    /// What ran before.
    pub before: Live,
    /// The revision it creates.
    pub revision: u64,
    /// When it took effect.
    pub began: Instant,
    /// When it ends.
    pub ends: Instant,
    /// Its outcome, unless another deployment replaces it first.
    pub outcome: katkit::domain::DeployOutcome,
}

impl World {
    pub fn new(
        seed: u64,
        freeze: Option<Freeze>,
        (pipeline, soak): (Option<(LinkId, LinkId)>, Option<Duration>),
        told: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            seed,
            freeze,
            pipeline,
            soak,
            state: MemoryState::new(),
            blobs: Arc::new(MemoryBlobs::new()),
            began: Instant::now(),
            calm: AtomicBool::new(false),
            told,
            facts: Mutex::default(),
        })
    }

    /// The current truth.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops all arbitrary failures.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.tell(|| "— no more failures from here on".to_owned());
    }

    /// Whether arbitrary failures have stopped.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Adds a line to the history.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            let at = self.elapsed().as_secs_f64();
            let line = format!("{at:9.3}  {}", what());
            self.facts().story.push(line);
        }
    }

    /// Records a broken invariant.
    pub fn violated(&self, invariant: u8, what: String) {
        self.tell(|| format!("!! invariant {invariant}: {what}"));
        self.facts().violations.push(Violation { invariant, what });
    }

    /// Records that a process made a call.
    pub fn called(&self, process: u32, number: u32, name: &str, fault: Option<Fault>) {
        self.tell(|| match fault {
            Some(fault) => format!("p{process} #{number} {name}  ** {fault:?}"),
            None => format!("p{process} #{number} {name}"),
        });
        let Some(fault) = fault else { return };
        let mut facts = self.facts();
        *facts.faults.entry(fault).or_default() += 1;
        if fault.is_deadly() {
            facts.deaths.insert((name.to_owned(), fault));
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(BEGINNING).unwrap_or_default() + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
