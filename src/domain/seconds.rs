//! Stores a duration as a number of whole seconds: `#[serde(with = "seconds")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Fractions of a second are dropped.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::domain::seconds;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Limits {
        #[serde(with = "seconds")]
        timeout: Duration,
    }

    #[test]
    fn whole_seconds_survive_the_round_trip() {
        for number in [0, 1, 3600, u64::MAX] {
            let limits = Limits { timeout: Duration::from_secs(number) };
            let stored = serde_json::to_value(&limits).unwrap();
            assert_eq!(stored, json!({ "timeout": number }));
            assert_eq!(serde_json::from_value::<Limits>(stored).unwrap(), limits);
        }
    }

    #[test]
    fn anything_but_a_number_of_whole_seconds_is_refused() {
        for timeout in [json!(null), json!(-1), json!(0.5), json!("1h")] {
            assert!(serde_json::from_value::<Limits>(json!({ "timeout": timeout })).is_err(), "{timeout}");
        }
        assert!(serde_json::from_value::<Limits>(json!({})).is_err());
    }
}
