//! Why ECS did not place a task, in words for a person, and whether it is worth another try. Pure.
//!
//! Source: "API failure reasons" (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>).

use super::stop_reason::with;
use crate::domain::LostCause;

/// Why ECS did not place a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPlaced {
    /// What may pass by itself; `None` if it is refused however often it is tried.
    pub passing: Option<LostCause>,
    /// One sentence.
    pub what: String,
}

/// What an entry of `failures` in the answer to `RunTask` means.
pub fn not_placed(reason: &str, detail: &str) -> NotPlaced {
    let said = with(reason, detail);
    let placed = |passing, what: &str| NotPlaced { passing, what: with(what, &said) };
    let part = |what: &str| reason.to_lowercase().contains(what);
    match reason {
        _ if reason.starts_with("RESOURCE:") => {
            placed(Some(LostCause::NoCapacity), "no instance of the cluster has enough left for it")
        }
        "AGENT" => placed(Some(LostCause::NoCapacity), "the instance's agent is not connected"),
        "INACTIVE" | "DRAINING" => placed(Some(LostCause::NoCapacity), "the instance takes no tasks"),
        "ATTRIBUTE" => placed(None, "no instance of the cluster has what its task definition needs"),
        "LOCATION" => placed(None, "no instance of the cluster is in one of its subnets' zones"),
        "MISSING" => placed(None, "something that it names does not exist"),
        _ if part("capacity") || part("no container instances") || part("limit on the number of tasks") => {
            placed(Some(LostCause::NoCapacity), "there is no capacity for it")
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
    fn what_was_not_placed_is_tried_again_only_where_that_may_help() {
        for reason in ["RESOURCE:MEMORY", "RESOURCE:ENI", "AGENT", "Capacity is unavailable at this time"] {
            assert_eq!(not_placed(reason, "").passing, Some(LostCause::NoCapacity), "{reason}");
        }
        for reason in ["ATTRIBUTE", "LOCATION", "MISSING", "MemberOf placement constraint unsatisfied."] {
            assert_eq!(not_placed(reason, "").passing, None, "{reason}");
        }
        assert_eq!(
            not_placed("RESOURCE:CPU", "arn:i").what,
            "no instance of the cluster has enough left for it (RESOURCE:CPU (arn:i))"
        );
    }
}
