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
    let started_ticks = started(pid);
    // Host, pid and start time name a process once and for all; the clock tells machines of one name apart.
    let id = format!("{host}-{pid}-{}", now.as_nanosecond());
    Owner { id, host, boot: boot_id(), pid, started_ticks, actor }
}

/// Whether it is certain that `owner` is no longer running.
pub fn is_dead(owner: &Owner) -> bool {
    let same_machine = owner.boot.is_some() && owner.boot == boot_id();
    same_machine && (owner.started_ticks.is_none() || started(owner.pid) != owner.started_ticks)
}

/// Whether the process table of this machine shows `owner`, alive or dead.
pub fn is_local(owner: &Owner) -> bool {
    owner.boot.is_some() && owner.boot == boot_id()
}

/// What a file or directory of this process's own is to begin with, so that others can tell when it is abandoned.
pub fn mark() -> String {
    let pid = std::process::id();
    format!("{pid}-{}-", started(pid).unwrap_or_default())
}

/// Whether the process that gave a file this name is no longer there; not of names without a [`mark`].
pub fn is_abandoned(name: &str) -> bool {
    let mut parts = name.split('-');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (Some(pid), Some(ticks)) = (number(), number()) else { return false };
    u32::try_from(pid).is_ok_and(|pid| started(pid) != Some(ticks))
}

/// Changes at every start of the machine.
fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat` (`proc_pid_stat(5)`).
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    // A zombie has ended; its parent only has not asked how.
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not_mistaken_for_it() {
        let me = this_process("me".into(), Timestamp::UNIX_EPOCH);
        assert!(!is_dead(&me));
        assert!(!is_abandoned(&mark()) && !is_abandoned("something-else"));
        assert!(is_abandoned(&format!("{}-1-x", me.pid)));
        assert!(is_dead(&Owner { started_ticks: Some(1), ..me.clone() }));
        assert!(!is_dead(&Owner { started_ticks: Some(1), boot: Some("other".into()), ..me }));
    }
}
