//! Times whole processes, and says how they compare.
#![allow(dead_code, reason = "each benchmark uses its part")]

#[cfg(feature = "aws")]
pub mod engines;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of a process took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    /// What it and its descendants spent in the system, in steps of 10 ms.
    pub system: Duration,
    /// The highest resident set that was seen, in MiB.
    pub peak: f64,
}

/// Runs `command` to its end, which must be a success, with its output thrown away.
pub fn run(command: &mut Command) -> Cost {
    let (began, before) = (Instant::now(), system_of_children());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let ended = loop {
        peak = peak.max(high_water(Path::new(&status)));
        if let Some(ended) = child.try_wait().expect("it is a child") {
            break ended;
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    let wall = began.elapsed();
    assert!(ended.success(), "{command:?} ended with {ended}");
    Cost { wall, system: system_of_children().saturating_sub(before), peak }
}

/// What all children that ended spent in the system (`cstime` in `proc_pid_stat(5)`).
fn system_of_children() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("a process has it");
    let after_name = text.rsplit_once(") ").expect("the name is in parentheses").1;
    let ticks: u64 = after_name.split(' ').nth(14).and_then(|ticks| ticks.parse().ok()).expect("a number");
    Duration::from_millis(ticks * 10)
}

/// Another katkit to compare with: `KATKIT_BENCH_AGAINST=/path/to/katkit`.
pub fn other() -> Option<PathBuf> {
    std::env::var_os("KATKIT_BENCH_AGAINST").map(PathBuf::from)
}

pub fn high_water(status: &Path) -> f64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The median of `times` runs of `a` and `b` in turn, so that a machine that slows down slows both.
pub fn in_turn(times: usize, mut a: impl FnMut() -> Cost, mut b: impl FnMut() -> Cost) -> (Cost, Cost) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..times {
        first.push(a());
        second.push(b());
    }
    (median(first), median(second))
}

/// The median wall time and the highest peak.
pub fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.wall);
    let peak = costs.iter().map(|cost| cost.peak).fold(0.0, f64::max);
    let mut system: Vec<_> = costs.iter().map(|cost| cost.system).collect();
    system.sort();
    Cost { wall: costs[costs.len() / 2].wall, system: system[system.len() / 2], peak }
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// How many times as long `a` took.
pub fn ratio(a: Cost, b: Cost) -> f64 {
    a.wall.as_secs_f64() / b.wall.as_secs_f64()
}

/// Runs `git` in `directory`, with no configuration but its own; returns what it printed.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
