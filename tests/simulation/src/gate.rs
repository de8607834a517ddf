//! The one way from a simulated process to the world. Whatever can go wrong with a call goes wrong here.

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

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is refused, and has no effect.
    FailBefore,
    /// It takes effect, and its answer is lost.
    FailAfter,
    /// It takes effect seconds later than others.
    Slow,
    /// The network delivers it a second time, seconds later.
    Twice,
    /// The process dies before it is sent.
    DieBefore,
    /// The process dies while it is on its way; it takes effect seconds later.
    DieInFlight,
    /// It takes effect, and the process dies before it hears of that.
    DieAfter,
    /// It takes effect, and the process hears of that after everybody else has given it up for dead.
    Freeze,
}

impl Fault {
    /// All of them.
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

    /// Whether it is the last that happens to a process.
    pub fn is_deadly(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieInFlight | Self::DieAfter)
    }
}

/// How long a request may be on its way. The clients' time-outs keep it below what a lease has to spare.
pub const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// How long a frozen process sleeps: longer than a lease lasts.
const FROZEN: Duration = Duration::from_secs(75);

/// A process's way to the world. Clones are the same way.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where the calls lead.
    pub world: Arc<World>,
    /// Whose they are.
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
    /// The gate of a process whose calls meet these faults.
    pub fn new(world: Arc<World>, process: u32, faults: BTreeMap<At, Fault>) -> Self {
        let life = Life {
            faults: Mutex::new(faults),
            calls: AtomicU32::new(0),
            dead: watch::Sender::new(false),
            thaws: watch::Sender::new(Instant::now()),
        };
        Self { world, process, life: Arc::new(life) }
    }

    /// Returns when the process has died.
    pub async fn died(&self) {
        let mut dead = self.life.dead.subscribe();
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// Makes one call. `effect` is what it does to the world, and `broken` what a caller hears who hears nothing.
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

    /// The same for a request of which its sender has just found out that it may be sent: no sleep comes in between, as
    /// two instructions are as close together as a process can bring them.
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

    /// A process that sleeps sends nothing and hears nothing.
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
    /// The fault that a call meets. Each is met once.
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

/// Lets a request arrive that nobody waits for.
fn later<T: Send + 'static>(after: Duration, effect: BoxFuture<'static, T>) {
    tokio::spawn(async move {
        sleep(after).await;
        effect.await;
    });
}
