//! What is really there, whatever the processes believe of it: the record, the blobs, the services, what is deployed. It
//! sees every effect, and notes where one breaks an invariant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use katkit::blobs::MemoryBlobs;
use katkit::clock::Clock;
use katkit::domain::{CommitSha, Epoch, Handle, Head, Images, LinkId, Request, Token};
use katkit::state::MemoryState;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::gate::Fault;
use crate::invariants::Violation;

/// The value of the one secret. It must be found nowhere.
pub const SECRET: &str = "correct-horse-battery-staple";

/// When the simulated time of day begins.
const BEGINNING: i64 = 1_800_000_000;

/// The world of one seed.
#[derive(Debug)]
pub struct World {
    /// What all chance depends on.
    pub seed: u64,
    /// The record.
    pub state: MemoryState,
    /// The blobs.
    pub blobs: Arc<MemoryBlobs>,
    began: Instant,
    calm: AtomicBool,
    /// Whether what happens is written down.
    told: bool,
    facts: Mutex<Facts>,
}

/// What changes.
#[derive(Debug, Default)]
pub struct Facts {
    /// The ephemeral services.
    pub services: BTreeMap<Handle, Service>,
    /// How often a service was made under a token.
    pub launches: BTreeMap<Token, u32>,
    /// How often the code of a replica was begun under a token.
    pub executions: BTreeMap<Token, u32>,
    /// The tokens whose code ended with 0.
    pub succeeded: BTreeSet<Token>,
    /// What is deployed, by link.
    pub deployed: BTreeMap<LinkId, Live>,
    /// Every deployment that took effect.
    pub rollouts: Vec<Rollout>,
    /// The tip of the branch of every link.
    pub tips: BTreeMap<LinkId, CommitSha>,
    /// Every commit that was the tip of its branch, oldest first: each contains those before it.
    pub pushed: BTreeMap<LinkId, Vec<CommitSha>>,
    /// What each process found wanted when it planned.
    pub wanted: BTreeMap<(u32, LinkId), CommitSha>,
    /// What people asked for.
    pub asked: Vec<Request>,
    /// The epoch under which each process took each link last.
    pub held: BTreeMap<(u32, LinkId), Epoch>,
    /// The fold of every journal, worked out from what was appended.
    pub folds: BTreeMap<LinkId, Head>,
    /// What went wrong.
    pub violations: Vec<Violation>,
    /// What happened, in words.
    pub story: Vec<String>,
    /// The calls at which a process died, and how.
    pub deaths: BTreeSet<(String, Fault)>,
    /// The processes that died.
    pub dead: BTreeSet<u32>,
    /// How many calls met a fault, by kind.
    pub faults: BTreeMap<Fault, u64>,
}

/// An ephemeral service.
#[derive(Debug)]
pub struct Service {
    /// Its token.
    pub token: Token,
    /// For which link.
    pub link: LinkId,
    /// Ends its agent by force.
    pub agent: AbortHandle,
    /// Asks its agent to end.
    pub stop: tokio::sync::watch::Sender<bool>,
    /// When it ended, if it did.
    pub ended: Option<Instant>,
}

/// What runs for a link.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The image of every role.
    pub images: Images,
    /// The service description.
    pub description: String,
    /// Rises with every change.
    pub revision: u64,
}

/// A deployment that took effect.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Its token.
    pub token: Token,
    /// Of which link.
    pub link: LinkId,
    /// What it rolls.
    pub images: Images,
    /// What ran before.
    pub before: Live,
    /// The revision that it makes.
    pub revision: u64,
    /// When it took effect.
    pub began: Instant,
    /// When it ends.
    pub ends: Instant,
    /// How it ends, if nothing else is deployed before.
    pub outcome: katkit::domain::DeployOutcome,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, told: bool) -> Arc<Self> {
        Arc::new(Self {
            seed,
            state: MemoryState::new(),
            blobs: Arc::new(MemoryBlobs::new()),
            began: Instant::now(),
            calm: AtomicBool::new(false),
            told,
            facts: Mutex::default(),
        })
    }

    /// What is true now.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing fails that has no reason to.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.tell(|| "— from here on nothing fails any more".to_owned());
    }

    /// Whether nothing fails any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Writes down what happened.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            let at = self.elapsed().as_secs_f64();
            let line = format!("{at:9.3}  {}", what());
            self.facts().story.push(line);
        }
    }

    /// Notes that an invariant is broken.
    pub fn violated(&self, invariant: u8, what: String) {
        self.tell(|| format!("!! invariant {invariant}: {what}"));
        self.facts().violations.push(Violation { invariant, what });
    }

    /// A process made a call.
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

/// The simulated time.
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(BEGINNING).unwrap_or_default() + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
