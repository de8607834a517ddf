//! Soaks in which only some minutes of each day count (invariant 14).

use std::time::Duration;

use katkit::clock::Clock as _;
use tokio::time::Instant;

use crate::world::World;

/// The hour, in UTC, at which every simulation begins.
const HOUR: u64 = 8;

/// A day.
const DAY: Duration = Duration::from_hours(24);

/// The minutes after [`HOUR`] between which a soak counts, in every second scenario. With dice of its own, like the freeze.
fn minutes(seed: u64) -> Option<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_ca1e);
    let start = rng.u64(0..10);
    rng.bool().then(|| (start, start + rng.u64(5..40)))
}

/// The calendar in the manifest.
pub fn calendar(seed: u64) -> Option<String> {
    let (from, to) = minutes(seed)?;
    let hours = format!("from = \"{HOUR:02}:{from:02}\"\nto = \"{HOUR:02}:{to:02}\"\nzone = \"UTC\"");
    Some(format!("[calendars.working]\n{hours}\n"))
}

/// How much of the time since `from` counts.
pub fn counted(world: &World, from: Instant) -> Duration {
    let Some((first, last)) = minutes(world.seed) else { return from.elapsed() };
    let (first, last) = (Duration::from_mins(first), Duration::from_mins(last));
    let end = world.elapsed();
    let start = end.saturating_sub(from.elapsed());
    let days = u32::try_from(end.as_secs() / DAY.as_secs()).unwrap_or_default();
    let on = |day: u32| {
        let (opens, closes) = (first + DAY * day, last + DAY * day);
        closes.min(end).saturating_sub(opens.max(start))
    };
    (0..=days).map(on).sum()
}
