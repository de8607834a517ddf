//! Keeps what this process knows from other processes of its user: its environment, its memory, its core dumps.
//!
//! Root can read all of it all the same, and so can a process with `CAP_SYS_PTRACE`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// The limit on core dumps before [`protect`] lowered it; `None` if it has not.
static STARTED_WITH: Mutex<Option<Rlimit>> = Mutex::new(None);

/// Closes this process to others of its user: they can neither trace it nor read its `environ` and `mem` in `/proc`, and
/// it leaves no core dump. Its `stat`, `status` and `cmdline` stay readable (proc(5), prctl(2): `PR_SET_DUMPABLE`).
///
/// A program that this process starts is open again, but inherits the limit on core dumps; see [`as_started`].
pub fn protect() {
    // Neither fails for such values. A system without them is no reason not to work.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let mut started_with = started_with();
    let limit = getrlimit(Resource::Core);
    if started_with.is_none() && setrlimit(Resource::Core, none_of(limit)).is_ok() {
        *started_with = Some(limit);
    }
}

/// Calls `spawn` with the limit on core dumps that this process was started with, so that the child inherits that one.
pub fn as_started<T>(spawn: impl FnOnce() -> T) -> T {
    // Held meanwhile: another thread would lower the limit before the child is there.
    let started_with = started_with();
    let Some(limit) = *started_with else { return spawn() };
    let _ = setrlimit(Resource::Core, limit);
    let spawned = spawn();
    let _ = setrlimit(Resource::Core, none_of(limit));
    spawned
}

/// No core dumps, until the limit is raised again.
fn none_of(limit: Rlimit) -> Rlimit {
    Rlimit { current: Some(0), ..limit }
}

fn started_with() -> MutexGuard<'static, Option<Rlimit>> {
    STARTED_WITH.lock().unwrap_or_else(PoisonError::into_inner)
}
