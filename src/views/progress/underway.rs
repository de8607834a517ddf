//! How long something has been running, and how long it usually takes.

use std::time::Duration;

/// The elapsed time with an estimate of the total: `1m20s of about 2m`. Without earlier durations there is no estimate.
pub fn pace(elapsed: Duration, usual: Option<Duration>) -> String {
    let passed = short(elapsed);
    match usual {
        None => passed,
        Some(usual) if elapsed <= usual => format!("{passed} of about {}", about(usual)),
        Some(usual) => format!("{passed}, usually about {}", about(usual)),
    }
}

/// A duration to the second, or above an hour to the minute: `5s`, `1m20s`, `1h02m`.
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if (seconds / 60).is_multiple_of(60) => format!("{}h", seconds / 3600),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A duration rounded to the precision of an estimate.
fn about(time: Duration) -> String {
    let exact = time.as_secs_f64().ceil();
    let step = match exact {
        ..10.0 => 1.0,
        10.0..60.0 => 5.0,
        60.0..600.0 => 10.0,
        600.0..3600.0 => 60.0,
        _ => 600.0,
    };
    short(Duration::from_secs_f64((exact / step).round() * step).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_earlier_durations_there_is_no_estimate() {
        let pace = |elapsed: u64, usual: Option<u64>| {
            pace(Duration::from_secs(elapsed), usual.map(Duration::from_secs))
        };
        assert_eq!(pace(80, None), "1m20s");
        assert_eq!(pace(80, Some(118)), "1m20s of about 2m");
        assert_eq!(pace(150, Some(118)), "2m30s, usually about 2m");
    }

    #[test]
    fn an_estimate_is_rounded_to_its_precision() {
        let about = |seconds: f64| about(Duration::from_secs_f64(seconds));
        let shown = [0.0, 0.2, 7.4, 12.0, 58.0, 93.0, 1234.0, 3590.0, 7500.0].map(about);
        assert_eq!(shown, ["1s", "1s", "8s", "10s", "1m", "1m30s", "21m", "1h", "2h10m"]);
        assert_eq!(short(Duration::from_secs(3725)), "1h02m");
    }
}
