//! Limits of this process that its children do not inherit: other processes of its user cannot read its environment, memory
//! or core dumps, and it may open many files.
//!
//! Root, and a process with `CAP_SYS_PTRACE`, can still read all of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// The limits that this process changed: before, and now.
static CHANGED: Mutex<Vec<(Resource, Rlimit, Rlimit)>> = Mutex::new(Vec::new());

/// How many files may be open. libgit2 keeps every pack of a repository open, and a mirror gets one with each fetch; the
/// usual limit of 1024 is kept low for programs that use `select`.
const FILES: u64 = 65_536;

/// Closes this process to others of its user: they can neither trace it nor read its `environ` and `mem` in `/proc`, and
/// it leaves no core dump. Its `stat`, `status` and `cmdline` stay readable (proc(5), prctl(2): `PR_SET_DUMPABLE`).
///
/// A program that this process starts is open again, but inherits the limits; see [`as_started`].
pub fn protect() {
    // None of this fails for such values. A system without them is no reason not to work.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let mut changed = changed();
    if changed.is_empty() {
        let (core, files) = (getrlimit(Resource::Core), getrlimit(Resource::Nofile));
        let most = files.maximum.map_or(FILES, |most| most.min(FILES));
        let many = Rlimit { current: files.current.map(|now| now.max(most)), ..files };
        for (resource, before, now) in
            [(Resource::Core, core, Rlimit { current: Some(0), ..core }), (Resource::Nofile, files, many)]
        {
            if setrlimit(resource, now).is_ok() {
                changed.push((resource, before, now));
            }
        }
    }
}

/// Keeps the files that are open already from programs that this process starts: they may outlive it, and a lock or a pipe that a
/// wrapper left open must not live as long.
pub fn close_on_exec() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Calls `spawn` with the limits that this process was started with, so that the child inherits those.
pub fn as_started<T>(spawn: impl FnOnce() -> T) -> T {
    // Held meanwhile: another thread would change the limits before the child is there.
    let changed = changed();
    for (resource, before, _) in &*changed {
        let _ = setrlimit(*resource, *before);
    }
    let spawned = spawn();
    for (resource, _, now) in &*changed {
        let _ = setrlimit(*resource, *now);
    }
    spawned
}

fn changed() -> MutexGuard<'static, Vec<(Resource, Rlimit, Rlimit)>> {
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}
