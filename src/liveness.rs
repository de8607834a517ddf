//! Which process this is, and whether another one of this machine is still there.
//!
//! That a process is gone is only ever said of one that ran on this machine since it was started, whose process table
//! shows it with certainty. Of processes elsewhere, the lease alone tells; see [`crate::domain::Lease`].

use std::fs;

use jiff::Timestamp;

use crate::domain::Owner;

/// This process as an owner of leases, on behalf of `actor`.
pub fn this_process(actor: String, now: Timestamp) -> Owner {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let pid = std::process::id();
    let started_ticks = match look(pid) {
        Seen::Since(ticks) => Some(ticks),
        Seen::Gone | Seen::Hidden => None,
    };
    // Host, pid and start time name a process once and for all; the clock tells machines of one name apart.
    let id = format!("{host}-{pid}-{}", now.as_nanosecond());
    Owner { id, host, boot: process_table(), pid, started_ticks, actor }
}

/// Whether it is certain that `owner` is no longer running.
pub fn is_dead(owner: &Owner) -> bool {
    is_local(owner)
        && match (look(owner.pid), owner.started_ticks) {
            (Seen::Gone, _) => true,
            (Seen::Since(now), Some(then)) => now != then,
            (Seen::Since(_) | Seen::Hidden, _) => false,
        }
}

/// Whether the process table of this machine shows `owner`, alive or dead.
pub fn is_local(owner: &Owner) -> bool {
    owner.boot.is_some() && owner.boot == process_table()
}

/// What a file or directory of this process's own is to begin with, so that others can tell when it is abandoned.
pub fn mark() -> String {
    let pid = std::process::id();
    let since = match look(pid) {
        Seen::Since(ticks) => ticks,
        Seen::Gone | Seen::Hidden => 0,
    };
    format!("{pid}-{since}-{}-", namespace())
}

/// Whether the process that gave a file this name is no longer there; not of names without a [`mark`].
pub fn is_abandoned(name: &str) -> bool {
    let mut parts = name.split('-');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (Some(pid), Some(ticks), Some(place)) = (number(), number(), number()) else { return false };
    // The directory may be shared with a container, whose processes are not seen here.
    place == namespace()
        && u32::try_from(pid).is_ok_and(|pid| match look(pid) {
            Seen::Gone => true,
            Seen::Since(now) => now != ticks,
            Seen::Hidden => false,
        })
}

/// Which processes are seen here: the boot of this machine, and the namespace in which their numbers hold. Two containers
/// of one machine have different ones. `None` where the system does not tell.
pub fn process_table() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace()))
}

/// Whether it is certain that no process of this table has this number.
pub fn is_gone(pid: u32) -> bool {
    look(pid) == Seen::Gone
}

/// The number of the process namespace (`namespaces(7)`: the target of the link is `pid:[4026531836]`).
fn namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// What the process table shows under a number.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing, or a process that has ended and whose parent only has not asked how.
    Gone,
    /// A process, and when it started: in clock ticks since boot.
    Since(u64),
    /// Something that it keeps to itself (`hidepid`, see `proc(5)`).
    Hidden,
}

fn look(pid: u32) -> Seen {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let answer = number.map(rustix::process::test_kill_process);
        return if matches!(answer, None | Some(Err(rustix::io::Errno::SRCH))) {
            Seen::Gone
        } else {
            Seen::Hidden
        };
    };
    // The second field of `/proc/PID/stat` is the program's name in parentheses, which may hold anything; the start is
    // field 22 (`proc_pid_stat(5)`).
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    match fields.next() {
        Some("Z" | "X") => Seen::Gone,
        _ => fields.nth(18).and_then(|ticks| ticks.parse().ok()).map_or(Seen::Hidden, Seen::Since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not_mistaken_for_it() {
        let me = this_process("me".into(), Timestamp::UNIX_EPOCH);
        assert!(!is_dead(&me));
        assert!(!is_abandoned(&mark()) && !is_abandoned("something-else"));
        assert!(is_abandoned(&format!("{}-1-{}-x", me.pid, namespace())));
        assert!(!is_abandoned(&format!("{}-1-1-x", me.pid)), "of another container, nothing is known");
        assert!(is_dead(&Owner { started_ticks: Some(1), ..me.clone() }));
        assert!(is_dead(&Owner { pid: u32::MAX, ..me.clone() }));
        assert!(!is_dead(&Owner { started_ticks: None, ..me.clone() }), "nothing tells that it is another");
        assert!(!is_dead(&Owner { started_ticks: Some(1), boot: Some("other".into()), ..me }));
    }
}
