//! Identifies this process, and detects whether another process on this machine is gone.
//!
//! A process counts as gone only if it ran on this machine since the last boot, because then the process table is
//! certain. For processes on other machines, only the lease tells; see [`crate::domain::Lease`].

use std::fs;

use jiff::Timestamp;

use crate::domain::Owner;

/// This process as an owner of leases, on behalf of `actor`.
pub fn this_process(actor: String, now: Timestamp) -> Owner {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let pid = std::process::id();
    let started_ticks = match inspect(pid) {
        ProcessEntry::Since(ticks) => Some(ticks),
        ProcessEntry::Gone | ProcessEntry::Hidden => None,
    };
    // Host, pid and start time identify a process for good; the clock distinguishes machines with the same name.
    let id = format!("{host}-{pid}-{}", now.as_nanosecond());
    Owner { id, host, boot: process_table(), pid, started_ticks, actor }
}

/// Whether it is certain that `owner` is no longer running.
pub fn is_dead(owner: &Owner) -> bool {
    is_local(owner)
        && match (inspect(owner.pid), owner.started_ticks) {
            (ProcessEntry::Gone, _) => true,
            (ProcessEntry::Since(now), Some(then)) => now != then,
            (ProcessEntry::Since(_) | ProcessEntry::Hidden, _) => false,
        }
}

/// Whether `owner` is this process.
pub fn is_this_process(owner: &Owner) -> bool {
    owner.pid == std::process::id() && is_local(owner) && !is_dead(owner)
}

/// Whether the process table of this machine shows `owner`, alive or dead.
pub fn is_local(owner: &Owner) -> bool {
    owner.boot.is_some() && owner.boot == process_table()
}

/// A name prefix for this process's own files and directories, so that others can tell when they are abandoned.
pub fn mark() -> String {
    let pid = std::process::id();
    let since = match inspect(pid) {
        ProcessEntry::Since(ticks) => ticks,
        ProcessEntry::Gone | ProcessEntry::Hidden => 0,
    };
    format!("{pid}-{since}-{}-", namespace())
}

/// Whether the process that named a file is gone. False for names without a [`mark`].
pub fn is_abandoned(name: &str) -> bool {
    let mut parts = name.split('-');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (Some(pid), Some(ticks), Some(owner)) = (number(), number(), number()) else { return false };
    // The directory may be shared with a container, whose processes are not visible here.
    owner == namespace()
        && u32::try_from(pid).is_ok_and(|pid| match inspect(pid) {
            ProcessEntry::Gone => true,
            ProcessEntry::Since(now) => now != ticks,
            ProcessEntry::Hidden => false,
        })
}

/// Identifies the visible process table: this machine's boot, and the namespace of process ids. Two containers on one
/// machine have different ones. `None` if the system does not report the boot.
pub fn process_table() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace()))
}

/// Whether it is certain that no process in this table has this id.
pub fn is_gone(pid: u32) -> bool {
    inspect(pid) == ProcessEntry::Gone
}

/// The number of the process namespace (`namespaces(7)`: the target of the link is `pid:[4026531836]`).
fn namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// The process table's entry for an id.
#[derive(Debug, PartialEq, Eq)]
enum ProcessEntry {
    /// No process, or a zombie that its parent has not reaped.
    Gone,
    /// A process and its start time, in clock ticks since boot.
    Since(u64),
    /// A process that this user may not see (`hidepid`, see `proc(5)`).
    Hidden,
}

/// The fields of `/proc/PID/stat` that katkit needs (`proc_pid_stat(5)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The pid of the parent.
    pub parent: i32,
    /// Whether the process has ended and is not reaped yet.
    pub is_zombie: bool,
    /// The start time, in clock ticks since boot.
    pub started: u64,
}

impl Stat {
    /// Parses the content of the file; `None` if it has another form.
    pub fn parse(content: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses, which may contain anything.
        let end = content.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(&content[end + 1..]).ok()?.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        // Fields 4 and 22.
        Some(Self { is_zombie, parent: fields.next()?.parse().ok()?, started: fields.nth(17)?.parse().ok()? })
    }
}

fn inspect(pid: u32) -> ProcessEntry {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
        let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let answer = number.map(rustix::process::test_kill_process);
        return if matches!(answer, None | Some(Err(rustix::io::Errno::SRCH))) {
            ProcessEntry::Gone
        } else {
            ProcessEntry::Hidden
        };
    };
    match Stat::parse(&stat) {
        Some(Stat { is_zombie: true, .. }) => ProcessEntry::Gone,
        Some(Stat { started, .. }) => ProcessEntry::Since(started),
        None => ProcessEntry::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_may_contain_anything() {
        let fields = "S 7 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 5511 1000";
        let stat = Stat::parse([b"42 (a) Z 9 (\xff) ", fields.as_bytes()].concat().as_slice());
        assert_eq!(stat, Some(Stat { parent: 7, is_zombie: false, started: 5511 }));
        assert_eq!(Stat::parse(b"42 (sh"), None);
    }

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not_mistaken_for_it() {
        let me = this_process("me".into(), Timestamp::UNIX_EPOCH);
        assert!(!is_dead(&me));
        assert!(!is_abandoned(&mark()) && !is_abandoned("something-else"));
        assert!(is_abandoned(&format!("{}-1-{}-x", me.pid, namespace())));
        assert!(!is_abandoned(&format!("{}-1-1-x", me.pid)), "nothing is known about another container");
        assert!(is_dead(&Owner { started_ticks: Some(1), ..me.clone() }));
        assert!(is_dead(&Owner { pid: u32::MAX, ..me.clone() }));
        assert!(!is_dead(&Owner { started_ticks: None, ..me.clone() }), "it may be the same process");
        assert!(!is_dead(&Owner { started_ticks: Some(1), boot: Some("other".into()), ..me }));
    }
}
