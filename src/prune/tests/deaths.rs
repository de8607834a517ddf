//! A process that dies before or after each of its writes, followed by the next prune.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::world::{World, dead, link, pruner};
use super::{BAD, GOOD};
use crate::blobs::{BlobError, BlobKey, Blobs, Listed};
use crate::domain::*;
use crate::state::*;

/// How many writes a process makes before it dies, and whether the last one takes effect.
#[derive(Debug)]
struct Life {
    left: AtomicI64,
    lands: bool,
}

/// The fate of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Made,
    /// Takes effect, but the writer dies before the answer.
    Landed,
    Never,
}

impl Life {
    fn write(&self) -> Fate {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            2.. => Fate::Made,
            1 if self.lands => Fate::Landed,
            _ => Fate::Never,
        }
    }
}

#[derive(Debug)]
struct Mortal<T>(Arc<T>, Arc<Life>);

fn died() -> StateError {
    StateError::Locked { place: "nowhere".to_owned() }
}

impl Mortal<MemoryState> {
    async fn write<T>(&self, made: impl Future<Output = Result<T, StateError>>) -> Result<T, StateError> {
        match self.1.write() {
            Fate::Made => made.await,
            Fate::Landed => made.await.and(Err(died())),
            Fate::Never => Err(died()),
        }
    }
}

#[async_trait]
impl Links for Mortal<MemoryState> {
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        self.0.heads(links).await
    }
    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        self.0.own_journal(link, before, limit).await
    }
    async fn append(&self, write: Append<'_>) -> Result<(), StateError> {
        self.write(self.0.append(write)).await
    }
    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError> {
        self.write(self.0.rename(write)).await
    }
    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError> {
        self.0.beginning(link).await
    }
    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError> {
        self.write(self.0.prune(removal)).await
    }
}

#[async_trait]
impl Leases for Mortal<MemoryState> {
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        self.0.leases(links).await
    }
    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        self.write(self.0.acquire(link, owner, duration, takes_over)).await
    }
    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        self.0.renew(link, epoch).await
    }
    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        self.write(self.0.release(link, epoch)).await
    }
    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError> {
        self.0.break_lease(link).await
    }
}

#[async_trait]
impl Requests for Mortal<MemoryState> {
    async fn submit(&self, request: NewRequest) -> Result<Request, StateError> {
        self.0.submit(request).await
    }
    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        self.0.requests(links).await
    }
}

#[async_trait]
impl Consents for Mortal<MemoryState> {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        self.0.consents().await
    }
    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError> {
        self.0.consent(new).await
    }
    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        self.0.evidence(commits).await
    }
    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError> {
        self.0.consent_journal(before, limit).await
    }
}

#[async_trait]
impl Checkpoints for Mortal<MemoryState> {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        self.0.checkpoints().await
    }
    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError> {
        self.0.add_checkpoint(number, batch).await
    }
}

#[async_trait]
impl State for Mortal<MemoryState> {
    fn place(&self) -> String {
        self.0.place()
    }
    async fn identity(&self) -> Result<String, StateError> {
        self.0.identity().await
    }
    async fn survey(&self) -> Result<Survey, StateError> {
        self.0.survey().await
    }
}

#[async_trait]
impl Blobs for Mortal<crate::blobs::MemoryBlobs> {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.0.put(key, bytes).await
    }
    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.0.create(key, bytes).await
    }
    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.0.put_file(key, file).await
    }
    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        self.0.get(key).await
    }
    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.0.get_file(key, file).await
    }
    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        self.0.list(prefix, after).await
    }
    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let fate = self.1.write();
        if fate != Fate::Never {
            self.0.remove(key).await?;
        }
        match fate {
            Fate::Made => Ok(()),
            _ => Err(BlobError::Full { place: "nowhere".to_owned() }),
        }
    }
    fn url(&self) -> String {
        self.0.url()
    }
}

async fn world() -> World {
    let world = World::new();
    for digit in ['a', 'b', 'c'] {
        world.run(&link("dev/shop"), digit, GOOD).await;
    }
    world.run(&link("dev/shop"), 'd', BAD).await;
    world.pack('a').await;
    world.pack('d').await;
    world
}

/// Prunes everything as a process that dies after this many writes. Returns whether it died.
async fn dies(world: &World, writes: i64, lands: bool) -> bool {
    let life = Arc::new(Life { left: AtomicI64::new(writes), lands });
    let plan = world.plan(world.now(), true, None).await;
    let state = Arc::new(Mortal(Arc::clone(&world.state), Arc::clone(&life)));
    let blobs = Arc::new(Mortal(Arc::clone(&world.blobs), Arc::clone(&life)));
    pruner(state, blobs, dead()).carry_out(&plan).await;
    life.left.load(Ordering::SeqCst) < 0
}

#[tokio::test]
async fn a_process_may_die_at_any_write_and_the_next_prune_finishes_what_is_on_record() {
    let shop = link("dev/shop");
    let undisturbed = world().await;
    undisturbed.prune(undisturbed.now(), true).await;
    let done = (undisturbed.left("dev").await, undisturbed.journal(&shop).await.0);
    assert_eq!(done.0, "c4 d4");
    let mut deaths = 0;
    for lands in [false, true] {
        for writes in 0.. {
            let world = world().await;
            let before = (world.left("dev").await, world.journal(&shop).await.0);
            if !dies(&world, writes, lands).await {
                break;
            }
            deaths += 1;
            let head = world.head(&shop).await;
            let left = (world.left("dev").await, world.journal(&shop).await.0);
            if head.pruned.is_none() {
                assert_eq!(left, before, "killed after {writes} writes: removed but not on record");
                continue;
            }
            // Even with an empty scope of its own.
            world.prune(Timestamp::UNIX_EPOCH, false).await;
            let now = (world.left("dev").await, world.journal(&shop).await.0);
            assert_eq!(now, done, "killed after {writes} writes");
            assert_eq!(world.head(&shop).await.generation, head.generation, "finishing needs no event");
            assert!(world.plan(Timestamp::UNIX_EPOCH, true, None).await.is_empty());
            world.prune(world.now(), true).await;
            assert_eq!(world.left("commits").await, "d2", "killed after {writes} writes");
        }
    }
    assert!(deaths > 20, "{deaths}");
}

/// A commit that is needed by then keeps its blobs, although the killed prune would have removed them.
#[tokio::test]
async fn finishing_a_prune_keeps_what_became_needed_again() {
    let (world, shop) = (world().await, link("dev/shop"));
    // It takes the lease and records its intent, then dies before it cuts or removes anything.
    assert!(dies(&world, 3, false).await);
    assert!(world.head(&shop).await.pruned.is_some());
    assert_eq!(world.left("dev").await, "a4 b4 c4 d4");
    let lease = world.state.leases(None).await.unwrap().remove(0).1;
    let taken_over = world.state.acquire(&shop, &super::owner(), Duration::from_secs(30), Some(&lease)).await;
    let epoch = taken_over.unwrap().epoch;
    world.state.release(&shop, epoch).await.unwrap();
    world.run(&shop, 'a', GOOD).await;
    world.prune(Timestamp::UNIX_EPOCH, false).await;
    assert_eq!(
        world.left("dev").await,
        "a8 c4 d4",
        "a is needed again, b is removed, c and d were never planned for removal"
    );
}
