//! Limits of this process that its children do not inherit: other processes of its user cannot read its environment,
//! memory or core dumps, and it may open many files.
//!
//! Root, and a process with `CAP_SYS_PTRACE`, can still read all of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// The limits that this process changed: before, and now.
static CHANGED: Mutex<Vec<(Resource, Rlimit, Rlimit)>> = Mutex::new(Vec::new());

/// The limit of open files. libgit2 keeps every pack of a repository open, and each fetch adds one to a mirror. The
/// usual limit of 1024 exists for programs that use `select`.
const FILES: u64 = 65_536;

/// Protects this process from others of its user: they can neither trace it nor read its `environ` and `mem` in
/// `/proc`, and it leaves no core dump. Its `stat`, `status` and `cmdline` stay readable (proc(5), prctl(2):
/// `PR_SET_DUMPABLE`).
///
/// Programs that it starts are not protected, but inherit the limits; see [`as_started`].
pub fn protect() {
    // None of this fails for these values. A system that lacks them is no reason to stop.
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

/// Keeps programs that this process starts from inheriting files that are already open: they may outlive it, and would
/// keep a wrapper's lock or pipe open.
pub fn close_on_exec() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Calls `spawn` with the limits that this process was started with, so that the child inherits them.
pub fn as_started<T>(spawn: impl FnOnce() -> T) -> T {
    // Locked until the end: another thread could change the limits before the child exists.
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
