//! Whether the code was killed because it needed more memory than its control group was given.
//!
//! The kernel kills one process, not the container: the agent mostly survives, and sees no more than a SIGKILL. The
//! group's own count tells (cgroups(7): `memory.events`, or `memory.oom_control` in the first version).

use std::fs;
use std::path::PathBuf;

use crate::domain::{LostCause, Outcome};

use super::code::KILLED_BY;

/// The exit code with which a shell passes on that its command was ended by SIGKILL.
const KILLED: i32 = 137;

/// The group as it was before the code ran.
#[derive(Debug)]
pub struct Memory {
    kills: Option<u64>,
}

impl Memory {
    /// Counts what was killed up to now.
    pub fn watch() -> Self {
        Self { kills: kills() }
    }

    /// The outcome of code that ended so, unless want of memory explains it.
    pub fn explain(&self, outcome: Outcome) -> Outcome {
        let killed = match &outcome {
            Outcome::Failed { exit_code, reason } => {
                *exit_code == Some(KILLED)
                    || exit_code.is_none()
                        && reason.strip_prefix(KILLED_BY).is_some_and(|by| by.starts_with("SIGKILL"))
            }
            _ => false,
        };
        if !killed || kills() <= self.kills {
            return outcome;
        }
        let limit = first(&["memory.max", "memory/memory.limit_in_bytes"]);
        let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
        let given = limit.map_or_else(String::new, |bytes| format!(" of {} MiB", bytes >> 20));
        let evidence = format!("its code was killed at the memory limit{given}");
        Outcome::Lost { cause: LostCause::OutOfMemory, evidence }
    }
}

/// How many processes of the group were killed for want of memory; `None` where nobody counts.
fn kills() -> Option<u64> {
    let text = first(&["memory.events", "memory/memory.oom_control"])?;
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

/// The first of these files of the own group that can be read.
fn first(names: &[&str]) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find(|line| line.starts_with("0::") || line.contains(":memory:"));
    let own = own.and_then(|line| line.splitn(3, ':').nth(2)).unwrap_or_default();
    let root = PathBuf::from("/sys/fs/cgroup");
    names.iter().find_map(|name| {
        let (controller, file) = name.rsplit_once('/').unwrap_or(("", name));
        let group = root.join(controller).join(own.trim_start_matches('/')).join(file);
        // Inside of a container its own group is what is mounted, whatever it is called outside.
        fs::read_to_string(group).or_else(|_| fs::read_to_string(root.join(name))).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_killed_for_want_of_memory_stays_as_it_is() {
        let memory = Memory::watch();
        for (exit_code, reason) in
            [(Some(137), ""), (None, "killed by SIGKILL (often out of memory)"), (Some(1), "")]
        {
            let outcome = Outcome::Failed { exit_code, reason: reason.to_owned() };
            assert_eq!(memory.explain(outcome.clone()), outcome);
        }
        assert_eq!(memory.explain(Outcome::Succeeded), Outcome::Succeeded);
    }
}
