//! Where an agent is in its work, as its calls to the blob store show.

use crate::engines::proxy::{Call, Fault, Proxy};
use crate::world::eventually;

/// A point in the life of the agent of a first attempt at `build`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody knows yet that it began.
    BeforeItsFirstStatus,
    /// It is known to have begun, and has no commit yet.
    BeforeItsCommit,
    /// Its code runs.
    WhileItsCodeRuns,
    /// Its code has ended, and what it printed is not stored.
    BeforeItsLogIsStored,
    /// All is stored but how it ended.
    BeforeItsFinalStatus,
    /// How it ended is stored, and it does not know.
    AfterItsFinalStatus,
}

impl Stage {
    pub const ALL: [Self; 6] = [
        Self::BeforeItsFirstStatus,
        Self::BeforeItsCommit,
        Self::WhileItsCodeRuns,
        Self::BeforeItsLogIsStored,
        Self::BeforeItsFinalStatus,
        Self::AfterItsFinalStatus,
    ];

    /// What a phase does of which the first attempt is to come to this stage. `marks` is where it says that it ran.
    pub fn script(self, marks: &str) -> String {
        let waits =
            if self == Self::WhileItsCodeRuns { "[ $KATKIT_ATTEMPT != 1 ] || sleep 1000\n" } else { "" };
        format!("echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> {marks}\necho ran\n{waits}")
    }

    /// From now on the proxy, through which the agent reaches its blobs, holds it where the stage is.
    pub fn hold(self, proxy: &Proxy) {
        let begun = std::sync::atomic::AtomicBool::new(false);
        proxy.fault_of(move |call| {
            let status = call.path.contains(".1/replica-0/status.json") && call.name == "PUT";
            let first = status && !begun.swap(true, std::sync::atomic::Ordering::Relaxed);
            let log = call.path.contains(".1/replica-0/log/") && call.name == "PUT";
            match self {
                Self::BeforeItsFirstStatus => first.then_some(Fault::Hold),
                Self::BeforeItsCommit => {
                    let begun = begun.load(std::sync::atomic::Ordering::Relaxed);
                    (begun && is_pack(call)).then_some(Fault::Hold)
                }
                // What it printed is stored while it runs on.
                Self::WhileItsCodeRuns => log.then_some(Fault::HoldAnswer),
                Self::BeforeItsLogIsStored => log.then_some(Fault::Hold),
                Self::BeforeItsFinalStatus => (status && !first).then_some(Fault::Hold),
                Self::AfterItsFinalStatus => (status && !first).then_some(Fault::HoldAnswer),
            }
        });
    }

    /// Waits until the agent is there, and has the next one left alone.
    pub fn reached(self, proxy: &Proxy) {
        eventually(&format!("an agent is {self:?}"), || proxy.holds().then_some(()));
        proxy.fault(|_, _| None);
    }

    /// How many attempts there are to be in all: what ended is not tried again, and everything else is.
    pub fn attempts(self) -> usize {
        if self == Self::AfterItsFinalStatus { 1 } else { 2 }
    }

    /// The attempts whose code is to have run.
    pub fn marks(self) -> &'static str {
        match self {
            Self::BeforeItsFirstStatus | Self::BeforeItsCommit => "build 2",
            Self::AfterItsFinalStatus => "build 1",
            _ => "build 1\nbuild 2",
        }
    }
}

/// Whether a commit is being fetched: the controller only looks whether it is there.
fn is_pack(call: Call<'_>) -> bool {
    let path = call.path.split('?').next().unwrap_or_default();
    call.name == "GET" && path.contains("/commits/") && !path.contains(".json")
}
