//! Explains why ECS did not place a task, and whether a retry may help. Pure.
//!
//! Source: "API failure reasons" (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>).

use super::stop_reason::with;
use crate::domain::LostCause;

/// Why ECS did not place a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPlaced {
    /// The cause if it is temporary; `None` if a retry cannot help.
    pub passing: Option<LostCause>,
    /// The explanation, with ECS's own reason in parentheses.
    pub what: String,
}

/// Interprets an entry of `failures` in a `RunTask` response.
pub fn not_placed(reason: &str, detail: &str) -> NotPlaced {
    let said = with(reason, detail);
    let placed = |passing, what: &str| NotPlaced { passing, what: with(what, &said) };
    let part = |what: &str| reason.to_lowercase().contains(what);
    match reason {
        _ if reason.starts_with("RESOURCE:") => {
            placed(Some(LostCause::NoCapacity), "no instance of the cluster has enough resources left")
        }
        "AGENT" => placed(Some(LostCause::NoCapacity), "the instance's agent is not connected"),
        "INACTIVE" | "DRAINING" => placed(Some(LostCause::NoCapacity), "the instance accepts no tasks"),
        "ATTRIBUTE" => {
            placed(None, "no instance of the cluster has the attributes its task definition requires")
        }
        "LOCATION" => placed(None, "no instance of the cluster is in a zone of its subnets"),
        "MISSING" => placed(None, "something it refers to does not exist"),
        _ if part("capacity") || part("no container instances") || part("limit on the number of tasks") => {
            placed(Some(LostCause::NoCapacity), "no capacity is available")
        }
        _ if part("memberof") || part("constraint") => {
            placed(None, "no instance meets its placement constraints")
        }
        _ => placed(Some(LostCause::NeverStarted), "it was not placed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_placement_failures_are_retried() {
        for reason in ["RESOURCE:MEMORY", "RESOURCE:ENI", "AGENT", "Capacity is unavailable at this time"] {
            assert_eq!(not_placed(reason, "").passing, Some(LostCause::NoCapacity), "{reason}");
        }
        for reason in ["ATTRIBUTE", "LOCATION", "MISSING", "MemberOf placement constraint unsatisfied."] {
            assert_eq!(not_placed(reason, "").passing, None, "{reason}");
        }
        assert_eq!(
            not_placed("RESOURCE:CPU", "arn:i").what,
            "no instance of the cluster has enough resources left (RESOURCE:CPU (arn:i))"
        );
    }
}
