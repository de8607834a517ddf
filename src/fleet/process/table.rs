//! The system's process table, as `/proc` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;

use rustix::process::{Pid, PidfdFlags, Signal};

/// What is needed of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    parent: i32,
    zombie: bool,
}

/// Every process that could be read. One that ends while it is read is left out.
fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Reads `/proc/PID/stat`: `pid (command) state ppid …`, where the command may hold blanks and brackets (proc(5)).
fn entry(pid: i32) -> Option<Entry> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    Some(Entry { zombie: matches!(state, "Z" | "X"), parent: fields.next()?.parse().ok()? })
}

/// The children, their children and so on of a process, zombies left out.
pub fn descendants(of: Pid) -> Vec<Pid> {
    let table: BTreeMap<i32, Entry> = pids().filter_map(|pid| Some((pid, entry(pid)?))).collect();
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, entry) in &table {
        children.entry(entry.parent).or_default().push(*pid);
    }
    let (mut found, mut open) = (BTreeSet::new(), vec![of.as_raw_pid()]);
    while let Some(parent) = open.pop() {
        open.extend(children.get(&parent).into_iter().flatten().filter(|child| found.insert(**child)));
    }
    found.into_iter().filter(|pid| !table[pid].zombie).filter_map(Pid::from_raw).collect()
}

/// The living processes in whose environment `variable=value` stands, this one left out. Of processes that keep their
/// environment to themselves, as agents do, their command line is believed.
///
/// Processes of other users cannot be looked into, and count as not marked.
pub fn marked(variable: &str, value: &[u8]) -> Vec<Pid> {
    let own = std::process::id().cast_signed();
    let others = pids().filter(|pid| *pid != own);
    others.filter(|pid| has_mark(*pid, variable, value)).filter_map(Pid::from_raw).collect()
}

fn has_mark(pid: i32, variable: &str, value: &[u8]) -> bool {
    let holds = |list: Vec<u8>| {
        list.split(|byte| *byte == 0).any(|pair| {
            let rest = pair.strip_prefix(variable.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            rest == Some(value)
        })
    };
    match fs::read(format!("/proc/{pid}/environ")) {
        // Empty for a zombie and for a thread of the kernel.
        Ok(environment) => holds(environment),
        // Anybody can write anything into a command line of their own.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(holds) && is_ours(pid)
        }
        Err(_) => false,
    }
}

/// Whether a process runs as the same user as this one. The owner of its directory does not tell: that is root for every
/// process that is closed to others.
fn is_ours(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let real = users.and_then(|users| users.split_ascii_whitespace().next()?.parse::<u32>().ok());
    real == Some(rustix::process::getuid().as_raw())
}

/// Sends a signal to `pid` if `still` holds for it once it is certain that it cannot become another process.
pub fn signal(pid: Pid, signal: Signal, still: impl FnOnce() -> bool) {
    if let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        && still()
    {
        // It may have ended, or belong to another user: the caller looks again and sees.
        let _ = rustix::process::pidfd_send_signal(&process, signal);
    }
}

/// Sends a signal to every one of `processes` that still carries the mark.
pub fn signal_marked(processes: &[Pid], how: Signal, variable: &str, value: &[u8]) {
    for pid in processes {
        signal(*pid, how, || has_mark(pid.as_raw_pid(), variable, value));
    }
}

/// Sends a signal to every one of `processes` that is still a descendant of `of`.
pub fn signal_descendants(processes: &[Pid], how: Signal, of: Pid) {
    for pid in processes {
        signal(*pid, how, || is_descendant(*pid, of));
    }
}

fn is_descendant(pid: Pid, of: Pid) -> bool {
    let mut at = pid.as_raw_pid();
    while let Some(Entry { parent, .. }) = entry(at) {
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
    fn a_child_is_found_by_descent_and_by_its_mark() {
        let mut child = Command::new("sleep").arg("60").env("KATKIT_TEST_MARK", "here").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(descendants(rustix::process::getpid()).contains(&pid));
        assert_eq!(marked("KATKIT_TEST_MARK", b"here"), [pid]);
        assert_eq!(marked("KATKIT_TEST_MARK", b"her"), []);
        signal_marked(&[pid], Signal::KILL, "KATKIT_TEST_MARK", b"elsewhere");
        assert!(child.try_wait().unwrap().is_none());
        signal_marked(&[pid], Signal::KILL, "KATKIT_TEST_MARK", b"here");
        child.wait().unwrap();
    }
}
