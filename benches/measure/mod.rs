//! Times whole processes and compares them.
#![allow(dead_code, reason = "each benchmark uses its part")]

#[cfg(feature = "aws")]
pub mod engines;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The cost of one run of a process.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    /// System time of the process and its descendants, in steps of 10 ms.
    pub system: Duration,
    /// The highest resident set observed, in MiB.
    pub peak: f64,
}

/// Runs `command` to its end, discards its output, and expects success.
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

/// System time of all children that ended (`cstime` in `proc_pid_stat(5)`).
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

/// The median of `times` interleaved runs of `a` and `b`, so that a slowdown of the machine affects both.
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

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The duration of `a` relative to `b`.
pub fn ratio(a: Cost, b: Cost) -> f64 {
    a.wall.as_secs_f64() / b.wall.as_secs_f64()
}

/// Runs `git` in `directory` with only the repository's own configuration; returns its output.
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
