//! The stage of an agent's work, derived from its calls to the blob store.

use crate::engines::proxy::{Call, Fault, Proxy};
use crate::world::eventually;

/// A stage of the agent of the first attempt at `build`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not yet known to have begun.
    BeforeItsFirstStatus,
    /// It is known to have begun, and has no commit yet.
    BeforeItsCommit,
    /// Its code is running.
    WhileItsCodeRuns,
    /// Its code has ended; its output is not stored yet.
    BeforeItsLogIsStored,
    /// Everything but the outcome is stored.
    BeforeItsFinalStatus,
    /// The outcome is stored; the agent has no answer yet.
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

    /// The script of a phase whose first attempt is held at this stage. It appends to `marks` when it runs.
    pub fn script(self, marks: &str) -> String {
        let waits =
            if self == Self::WhileItsCodeRuns { "[ $KATKIT_ATTEMPT != 1 ] || sleep 1000\n" } else { "" };
        format!("echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> {marks}\necho ran\n{waits}")
    }

    /// From now on the proxy between agent and blobs holds the call that marks the stage.
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
                // Its output is stored while it keeps running.
                Self::WhileItsCodeRuns => log.then_some(Fault::HoldAnswer),
                Self::BeforeItsLogIsStored => log.then_some(Fault::Hold),
                Self::BeforeItsFinalStatus => (status && !first).then_some(Fault::Hold),
                Self::AfterItsFinalStatus => (status && !first).then_some(Fault::HoldAnswer),
            }
        });
    }

    /// Waits until the agent reaches the stage, and lets the next one pass.
    pub fn reached(self, proxy: &Proxy) {
        eventually(&format!("an agent is {self:?}"), || proxy.holds().then_some(()));
        proxy.fault(|_, _| None);
    }

    /// Total attempts expected: an attempt that ended is not retried, all others are.
    pub fn attempts(self) -> usize {
        if self == Self::AfterItsFinalStatus { 1 } else { 2 }
    }

    /// The attempts whose code should have run.
    pub fn marks(self) -> &'static str {
        match self {
            Self::BeforeItsFirstStatus | Self::BeforeItsCommit => "build 2",
            Self::AfterItsFinalStatus => "build 1",
            _ => "build 1\nbuild 2",
        }
    }
}

/// Whether the call fetches a commit: the controller only checks its existence.
fn is_pack(call: Call<'_>) -> bool {
    let path = call.path.split('?').next().unwrap_or_default();
    call.name == "GET" && path.contains("/commits/") && !path.contains(".json")
}
