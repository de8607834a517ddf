//! Reads the system's process table from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::liveness::Stat;

/// The pids of all processes.
fn pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// The value read from a process; `None` if the process has ended or denies access. Any other error says nothing about
/// the process: treating it as gone would leave it running.
fn unless_gone<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn stat(pid: i32) -> io::Result<Option<Stat>> {
    Ok(unless_gone(fs::read(format!("/proc/{pid}/stat")))?.as_deref().and_then(Stat::parse))
}

/// All descendants of a process, without zombies.
pub fn descendants(of: Pid) -> io::Result<Vec<Pid>> {
    let mut table = BTreeMap::new();
    for pid in pids()? {
        table.extend(stat(pid)?.map(|stat| (pid, stat)));
    }
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, stat) in &table {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let (mut found, mut open) = (BTreeSet::new(), vec![of.as_raw_pid()]);
    while let Some(parent) = open.pop() {
        open.extend(children.get(&parent).into_iter().flatten().filter(|child| found.insert(**child)));
    }
    Ok(found.into_iter().filter(|pid| !table[pid].is_zombie).filter_map(Pid::from_raw).collect())
}

/// The living processes with `variable=value` in their environment, except this one. A process that hides its
/// environment, as agents do, is judged by its command line.
///
/// Processes of other users cannot be read and count as unmarked.
pub fn marked(variable: &str, value: &[u8]) -> io::Result<Vec<Pid>> {
    let own = std::process::id().cast_signed();
    let mut marked = Vec::new();
    for pid in pids()?.into_iter().filter(|pid| *pid != own) {
        if has_mark(pid, variable, value)? {
            marked.extend(Pid::from_raw(pid));
        }
    }
    Ok(marked)
}

fn has_mark(pid: i32, variable: &str, value: &[u8]) -> io::Result<bool> {
    let holds = |list: Vec<u8>| {
        list.split(|byte| *byte == 0).any(|pair| {
            let rest = pair.strip_prefix(variable.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            rest == Some(value)
        })
    };
    match fs::read(format!("/proc/{pid}/environ")) {
        // Anyone can forge their own command line, so the user is checked too.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let line = unless_gone(fs::read(format!("/proc/{pid}/cmdline")))?;
            Ok(line.is_some_and(holds) && is_ours(pid)?)
        }
        // Empty for zombies and kernel threads.
        environment => Ok(unless_gone(environment)?.is_some_and(holds)),
    }
}

/// Whether a process runs as the same user as this one. The owner of its `/proc` directory does not tell: it is root
/// for every non-dumpable process.
fn is_ours(pid: i32) -> io::Result<bool> {
    let status = unless_gone(fs::read_to_string(format!("/proc/{pid}/status")))?.unwrap_or_default();
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let real = users.and_then(|users| users.split_ascii_whitespace().next()?.parse::<u32>().ok());
    Ok(real == Some(rustix::process::getuid().as_raw()))
}

/// Sends `signal` to `pid` if `still` returns true once the pid is pinned and cannot be reused.
pub fn signal(pid: Pid, signal: Signal, still: impl FnOnce() -> bool) {
    if let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        && still()
    {
        // The process may have ended or belong to another user; the caller checks again.
        let _ = rustix::process::pidfd_send_signal(&process, signal);
    }
}

/// Signals every one of `processes` that still carries the mark.
pub fn signal_marked(processes: &[Pid], how: Signal, variable: &str, value: &[u8]) {
    for pid in processes {
        signal(*pid, how, || has_mark(pid.as_raw_pid(), variable, value).unwrap_or(false));
    }
}

/// Signals every one of `processes` that is still a descendant of `of`.
pub fn signal_descendants(processes: &[Pid], how: Signal, of: Pid) {
    for pid in processes {
        signal(*pid, how, || is_descendant(*pid, of));
    }
}

fn is_descendant(pid: Pid, of: Pid) -> bool {
    let mut at = pid.as_raw_pid();
    while let Ok(Some(Stat { parent, .. })) = stat(at) {
        if parent == of.as_raw_pid() {
            return true;
        }
        at = parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_errors_that_prove_it_make_a_process_gone() {
        for (errno, gone) in
            [(Errno::NOENT, true), (Errno::SRCH, true), (Errno::MFILE, false), (Errno::NOMEM, false)]
        {
            let read = unless_gone(Err::<(), _>(errno.into()));
            assert_eq!(read.is_ok(), gone, "{errno:?}");
        }
    }

    #[test]
    fn a_child_is_found_by_descent_and_by_its_mark() {
        let mut child = Command::new("sleep").arg("60").env("KATKIT_TEST_MARK", "here").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(descendants(rustix::process::getpid()).unwrap().contains(&pid));
        assert_eq!(marked("KATKIT_TEST_MARK", b"here").unwrap(), [pid]);
        assert_eq!(marked("KATKIT_TEST_MARK", b"her").unwrap(), []);
        signal_marked(&[pid], Signal::KILL, "KATKIT_TEST_MARK", b"elsewhere");
        assert!(child.try_wait().unwrap().is_none());
        signal_marked(&[pid], Signal::KILL, "KATKIT_TEST_MARK", b"here");
        child.wait().unwrap();
    }
}
