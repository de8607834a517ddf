//! Tells whether the code was killed because it exceeded the memory limit of its control group.
//!
//! The kernel kills one process, not the container: the agent usually survives and sees only a SIGKILL. The group's own
//! counter tells why (cgroups(7): `memory.events`, or `memory.oom_control` in version 1).

use std::fs;
use std::path::PathBuf;

use crate::domain::{LostCause, Outcome};

/// The group's OOM kills before the code ran.
#[derive(Debug)]
pub struct Memory {
    kills: Option<u64>,
}

impl Memory {
    /// Reads the counter.
    pub fn watch() -> Self {
        Self { kills: kills() }
    }

    /// Turns the outcome of code that was `killed` into [`LostCause::OutOfMemory`] if the counter has risen; returns
    /// other outcomes unchanged.
    pub fn explain(&self, outcome: Outcome, killed: bool) -> Outcome {
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

/// The group's OOM kills so far; `None` if there is no counter.
fn kills() -> Option<u64> {
    let text = first(&["memory.events", "memory/memory.oom_control"])?;
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

/// The content of the first of these files of this process's group that can be read.
fn first(names: &[&str]) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find(|line| line.starts_with("0::") || line.contains(":memory:"));
    let own = own.and_then(|line| line.splitn(3, ':').nth(2)).unwrap_or_default();
    let root = PathBuf::from("/sys/fs/cgroup");
    names.iter().find_map(|name| {
        let (controller, file) = name.rsplit_once('/').unwrap_or(("", name));
        let group = root.join(controller).join(own.trim_start_matches('/')).join(file);
        // In a container, its own group is mounted at the root, whatever its name is outside.
        fs::read_to_string(group).or_else(|_| fs::read_to_string(root.join(name))).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_without_an_oom_kill_stay_unchanged() {
        let memory = Memory::watch();
        for killed in [true, false] {
            let outcome = Outcome::Failed { exit_code: Some(137), reason: String::new() };
            assert_eq!(memory.explain(outcome.clone(), killed), outcome);
        }
    }
}
