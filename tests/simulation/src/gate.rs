//! The only path from a simulated process to the world. Every fault of a call is injected here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::dice;
use crate::scenario::At;
use crate::world::World;

/// A fault injected into one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The call is refused and has no effect.
    FailBefore,
    /// The call takes effect; its answer is lost.
    FailAfter,
    /// The call takes effect seconds late.
    Slow,
    /// The network delivers the call again, seconds later.
    Twice,
    /// The process dies before sending the call.
    DieBefore,
    /// The process dies while the call is in flight; it takes effect seconds later.
    DieInFlight,
    /// The call takes effect; the process dies before the answer.
    DieAfter,
    /// The call takes effect; the process gets the answer after everyone else has declared it dead.
    Freeze,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 8] = [
        Self::FailBefore,
        Self::FailAfter,
        Self::Slow,
        Self::Twice,
        Self::DieBefore,
        Self::DieInFlight,
        Self::DieAfter,
        Self::Freeze,
    ];

    /// Whether the fault kills the process.
    pub fn is_deadly(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieInFlight | Self::DieAfter)
    }
}

/// Longest time a request is in flight. The clients' time-outs keep it below the slack in a lease.
pub const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// How long a frozen process sleeps: longer than a lease lasts.
const FROZEN: Duration = Duration::from_secs(75);

/// A process's connection to the world. Clones share it.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where calls arrive.
    pub world: Arc<World>,
    /// The calling process.
    pub process: u32,
    life: Arc<Life>,
}

#[derive(Debug)]
struct Life {
    faults: Mutex<BTreeMap<At, Fault>>,
    calls: AtomicU32,
    dead: watch::Sender<bool>,
    thaws: watch::Sender<Instant>,
}

impl Gate {
    /// The gate of a process whose calls hit these faults.
    pub fn new(world: Arc<World>, process: u32, faults: BTreeMap<At, Fault>) -> Self {
        let life = Life {
            faults: Mutex::new(faults),
            calls: AtomicU32::new(0),
            dead: watch::Sender::new(false),
            thaws: watch::Sender::new(Instant::now()),
        };
        Self { world, process, life: Arc::new(life) }
    }

    /// Returns once the process has died.
    pub async fn died(&self) {
        let mut dead = self.life.dead.subscribe();
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// Makes one call. `effect` is its effect on the world; `broken` is the error of a call without an answer.
    pub async fn call<T, E>(
        &self,
        name: &str,
        effect: impl Fn(Arc<World>) -> BoxFuture<'static, Result<T, E>>,
        broken: impl Fn() -> E,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.awake().await;
        let done = self.send(name, effect, broken).await;
        self.awake().await;
        done
    }

    /// Like [`Self::call`], for a request that its sender has just been cleared to send: never sleeps in between,
    /// because a process executes these two steps back to back.
    pub async fn send<T, E>(
        &self,
        name: &str,
        effect: impl Fn(Arc<World>) -> BoxFuture<'static, Result<T, E>>,
        broken: impl Fn() -> E,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let number = self.life.calls.fetch_add(1, Ordering::Relaxed);
        let dice = dice::of(&[self.world.seed, self.process.into(), number.into()]);
        sleep(Duration::from_millis(1 + dice % 20)).await;
        self.alive().await;
        let fault = self.life.meets(number, name).filter(|_| !self.world.is_calm());
        self.world.called(self.process, number, name, fault);
        let late = ON_ITS_WAY.mul_f64((dice >> 32) as f64 / f64::from(u32::MAX));
        let act = || effect(Arc::clone(&self.world));
        match fault {
            None => act().await,
            Some(Fault::FailBefore) => Err(broken()),
            Some(Fault::FailAfter) => {
                drop(act().await);
                Err(broken())
            }
            Some(Fault::Slow) => {
                sleep(late).await;
                act().await
            }
            Some(Fault::Twice) => {
                later(late, act());
                act().await
            }
            Some(Fault::DieBefore) => self.die().await,
            Some(Fault::DieInFlight) => {
                later(late, act());
                self.die().await
            }
            Some(Fault::DieAfter) => {
                drop(act().await);
                self.die().await
            }
            Some(Fault::Freeze) => {
                let done = act().await;
                self.life.thaws.send_replace(Instant::now() + FROZEN);
                self.awake().await;
                done
            }
        }
    }

    /// A frozen process sends and receives nothing.
    async fn awake(&self) {
        self.alive().await;
        loop {
            let thaws = *self.life.thaws.borrow();
            if Instant::now() >= thaws {
                return self.alive().await;
            }
            sleep_until(thaws).await;
        }
    }

    async fn alive(&self) {
        if *self.life.dead.borrow() {
            std::future::pending::<()>().await;
        }
    }

    async fn die<T>(&self) -> T {
        self.world.facts().dead.insert(self.process);
        self.life.dead.send_replace(true);
        std::future::pending().await
    }
}

impl Life {
    /// The fault of this call, if any. Each fires once.
    fn meets(&self, number: u32, name: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let this = |at: &At| match at {
            At::Call(other) => *other == number,
            At::First(other) => *other == name,
        };
        let at = faults.keys().copied().find(this)?;
        faults.remove(&at)
    }
}

/// Delivers a request later; nobody waits for its answer.
fn later<T: Send + 'static>(after: Duration, effect: BoxFuture<'static, T>) {
    tokio::spawn(async move {
        sleep(after).await;
        effect.await;
    });
}
