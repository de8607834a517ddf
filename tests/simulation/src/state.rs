//! The record as one process reaches it: katkit's in-memory store behind the gate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use katkit::domain::{
    CommitSha, Consent, ConsentId, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent, Request,
    RequestId,
};
use katkit::journal;
use katkit::state::{
    Append, Checkpoints, Consents, Leases, Links, MemoryState, NewConsent, NewRequest, Removal, Rename,
    Requests, StandingConsents, State, StateError, Survey,
};

use tokio::time::Instant;

use crate::approvals;
use crate::barriers;
use crate::decisions;
use crate::freezes;
use crate::gate::Gate;
use crate::invariants;
use crate::pinning;
use crate::reviews;
use crate::world::World;

/// The record through a gate.
#[derive(Debug)]
pub struct GatedState(pub Gate);

impl GatedState {
    /// Remembers what the process has read.
    fn saw<'h>(&self, heads: impl Iterator<Item = (&'h LinkId, &'h Head)>) {
        let now = Instant::now();
        let mut facts = self.0.world.facts();
        for (id, head) in heads {
            facts.seen.insert((self.0.process, id.clone()), (now, head.clone()));
        }
    }
}

fn lost(action: &'static str) -> StateError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    StateError::Unavailable { place: "simulation".to_owned(), action, hint: None, source }
}

/// A write that outlives its future.
#[derive(Debug)]
struct Write {
    process: u32,
    link: LinkId,
    expected: Generation,
    epoch: Epoch,
    events: Vec<RecordedEvent>,
    head: Head,
    consumes: Vec<RequestId>,
    consents: Option<ConsentId>,
}

impl Write {
    async fn land(&self, world: &World) -> Result<(), StateError> {
        let Self { process, link, expected, epoch, events, head, consumes, consents } = self;
        let (expected, epoch, consents) = (*expected, *epoch, *consents);
        let write = Append { link, expected, epoch, events, head, consumes, consents };
        let standing = world.state.consents().await?.standing;
        let before = world.facts().folds.get(link).cloned().unwrap_or_default();
        world.state.append(write).await?;
        freezes::by_hand(world, link, events, &standing);
        barriers::respected(world, link, &before, events);
        approvals::within(world, link, &before, events, &standing);
        reviews::within(world, link, &before, events, &standing);
        decisions::respected(world, (*process, link), &before, events, &standing);
        pinning::deploys(world, (*process, link), events, &standing);
        let words: Vec<_> = events.iter().map(|recorded| recorded.event.word()).collect();
        world.tell(|| format!("   {link} {} {}", head.generation, words.join(", ")));
        self.check(world, &standing);
        Ok(())
    }

    /// The head equals the fold of the journal (4), and every change names its actor (8), truthfully (10).
    fn check(&self, world: &World, standing: &[Consent]) {
        let fold = world.facts().folds.get(&self.link).cloned().unwrap_or_default();
        let folded = self.events.iter().try_fold(fold, |head, recorded| journal::step(&head, recorded));
        match folded {
            Err(illegal) => world.violated(4, format!("{}: {illegal}", self.link)),
            Ok(folded) => {
                if folded != self.head {
                    world.violated(4, format!("{}: the head is not the fold of its journal", self.link));
                }
                world.facts().folds.insert(self.link.clone(), folded);
            }
        }
        invariants::soaks(world, &self.link);
        for recorded in &self.events {
            invariants::evidence(world, self.process, &self.link, recorded, standing);
        }
        if self.events.iter().any(|recorded| recorded.by.name.is_empty()) {
            world.violated(8, format!("{}: an event does not say on whose behalf", self.link));
        }
        let actor = format!("p{}", self.process);
        if let Some(other) = self.events.iter().find(|recorded| recorded.by.name != actor) {
            let what = format!("{}: an event that {actor} writes says that {} did it", self.link, other.by);
            world.violated(10, what);
        }
    }
}

#[async_trait]
impl Links for GatedState {
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        let links = links.map(<[LinkId]>::to_vec);
        let read = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let links = links.clone();
            Box::pin(async move { world.state.heads(links.as_deref()).await })
        };
        let heads = self.0.call("state.heads", read, || lost("read")).await?;
        self.saw(heads.iter().map(|(id, head)| (id, head)));
        Ok(heads)
    }

    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        self.0.world.state.own_journal(link, before, limit).await
    }

    /// Manifests in these worlds rename nothing.
    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError> {
        self.0.world.state.rename(write).await
    }

    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError> {
        self.0.world.state.beginning(link).await
    }

    /// Nobody prunes in these worlds.
    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError> {
        self.0.world.state.prune(removal).await
    }

    async fn append(&self, write: Append<'_>) -> Result<(), StateError> {
        let write = Arc::new(Write {
            process: self.0.process,
            link: write.link.clone(),
            expected: write.expected,
            epoch: write.epoch,
            events: write.events.to_vec(),
            head: write.head.clone(),
            consumes: write.consumes.to_vec(),
            consents: write.consents,
        });
        let last = write.events.last().map_or("nothing", |recorded| recorded.event.word());
        let name = format!("state.append {last}");
        let land = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let write = Arc::clone(&write);
            Box::pin(async move { write.land(&world).await })
        };
        self.0.call(&name, land, || lost("written")).await
    }
}

#[async_trait]
impl Leases for GatedState {
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        let links = links.map(<[LinkId]>::to_vec);
        let read = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let links = links.clone();
            Box::pin(async move { world.state.leases(links.as_deref()).await })
        };
        self.0.call("state.leases", read, || lost("read")).await
    }

    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        let (id, owner, takes_over) = (link.clone(), owner.clone(), takes_over.cloned());
        let acquire = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let (link, owner, takes_over) = (id.clone(), owner.clone(), takes_over.clone());
            Box::pin(async move { world.state.acquire(&link, &owner, duration, takes_over.as_ref()).await })
        };
        let lease = self.0.call("state.acquire", acquire, || lost("written")).await?;
        self.0.world.facts().held.insert((self.0.process, link.clone()), lease.epoch);
        Ok(lease)
    }

    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let link = link.clone();
        let renew = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let link = link.clone();
            Box::pin(async move { world.state.renew(&link, epoch).await })
        };
        self.0.call("state.renew", renew, || lost("written")).await
    }

    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let link = link.clone();
        let release = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let link = link.clone();
            Box::pin(async move { world.state.release(&link, epoch).await })
        };
        self.0.call("state.release", release, || lost("written")).await
    }

    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError> {
        self.0.world.state.break_lease(link).await
    }
}

#[async_trait]
impl Requests for GatedState {
    async fn submit(&self, new: NewRequest) -> Result<Request, StateError> {
        self.0.world.state.submit(new).await
    }

    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        // Polled every second, and harmless when it fails: not counted among the calls.
        self.0.world.state.requests(links).await
    }
}

#[async_trait]
impl Consents for GatedState {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        let read = |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            Box::pin(async move { world.state.consents().await })
        };
        self.0.call("state.consents", read, || lost("read")).await
    }

    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        let commits = commits.to_vec();
        let read = move |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let commits = commits.clone();
            Box::pin(async move { world.state.evidence(&commits).await })
        };
        self.0.call("state.evidence", read, || lost("read")).await
    }

    /// No process gives consents: users do.
    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError> {
        self.0.world.state.consent(new).await
    }

    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError> {
        self.0.world.state.consent_journal(before, limit).await
    }
}

/// No process makes checkpoints.
#[async_trait]
impl Checkpoints for GatedState {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        self.0.world.state.checkpoints().await
    }

    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError> {
        self.0.world.state.add_checkpoint(number, batch).await
    }
}

#[async_trait]
impl State for GatedState {
    fn place(&self) -> String {
        MemoryState::new().place()
    }

    async fn identity(&self) -> Result<String, StateError> {
        Ok("simulation".to_owned())
    }

    async fn survey(&self) -> Result<Survey, StateError> {
        let survey = |world: Arc<World>| -> futures::future::BoxFuture<'static, _> {
            Box::pin(async move { world.state.survey().await })
        };
        let survey: Survey = self.0.call("state.survey", survey, || lost("read")).await?;
        self.saw(survey.heads.iter().map(|(id, head)| (id, &**head)));
        Ok(survey)
    }
}
