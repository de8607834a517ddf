//! Explains why a task stopped, and whether a retry may help. Pure.
//!
//! ECS documents its messages in "Amazon ECS stopped tasks error messages", "Viewing stopped task errors" and "API
//! failure reasons" of its developer guide (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/>).

use crate::domain::{LostCause, exit_code_meaning};

/// A stopped task, as ECS describes it.
#[derive(Clone, Debug, Default)]
pub struct Stopped<'a> {
    /// `stopCode`: `EssentialContainerExited`, `SpotInterruption`, …
    pub code: &'a str,
    /// `stoppedReason`.
    pub reason: &'a str,
    /// Essential containers first, if known.
    pub containers: Vec<ContainerEnd<'a>>,
}

/// A container of a stopped task, as ECS describes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContainerEnd<'a> {
    /// The name in the task definition.
    pub name: &'a str,
    /// `None` if the container never ran.
    pub exit_code: Option<i32>,
    /// Why it did not run or was stopped; may be empty.
    pub reason: &'a str,
}

/// Why a task stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReason {
    /// `None` if its containers exited on their own.
    pub cause: Option<LostCause>,
    /// The explanation; empty if all containers exited with 0.
    pub evidence: String,
}

/// Maps ECS messages to causes. The first row with a matching part wins. Parts are lowercase.
const MEANINGS: &[(&[&str], LostCause, &str)] = &[
    (&["outofmemory", "out of memory"], LostCause::OutOfMemory, "it exceeded its memory limit"),
    (
        &["executable file not found", "no such file or directory", "exec format error"],
        LostCause::NeverStarted,
        "its program could not be started: the image lacks it, or is built for another architecture",
    ),
    (
        &["toomanyrequests", "rate limit"],
        LostCause::ImagePull,
        "the image could not be pulled: the registry limits the rate of pulls",
    ),
    (
        &["unable to pull secrets", "unable to retrieve secret", "secretsmanager", "asm:", "ssm:"],
        LostCause::NeverStarted,
        "its secrets could not be fetched: they must exist, the execution role must be allowed to read them, and the \
         subnets must reach the service",
    ),
    (
        &["unable to pull registry auth", "unable to retrieve ecr registry auth"],
        LostCause::ImagePull,
        "the image could not be pulled: the execution role is not allowed to, or the subnets cannot reach the registry",
    ),
    (
        &["cannotpullecrcontainer"],
        LostCause::ImagePull,
        "the image could not be pulled: the execution role is not allowed to, or the subnets cannot reach the registry",
    ),
    (&["no space left on device"], LostCause::NeverStarted, "its host's disk is full"),
    (
        &[
            "cannotpull",
            "cannot pull",
            "pull image manifest",
            "image not found",
            "imagenotfound",
            "no such image",
            "unable to pull image",
        ],
        LostCause::ImagePull,
        "the image could not be pulled",
    ),
    (
        &["manifest unknown", "pull access denied", "failed to resolve ref"],
        LostCause::ImagePull,
        "the image could not be pulled",
    ),
    (
        &["logging driver", "log group", "logger args", "awslogs"],
        LostCause::NeverStarted,
        "its log group could not be used: it must exist, and the execution role must be allowed to write to it",
    ),
    (&["efs", "cannotcreatevolume", "volume"], LostCause::NeverStarted, "a volume could not be mounted"),
    (
        &[
            "capacity is unavailable",
            "capacity unavailable",
            "resource:",
            "no container instances",
            "unable to place",
        ],
        LostCause::NoCapacity,
        "no capacity is available",
    ),
    (
        &["insufficientfreeaddresses", "free addresses", "free private ip", "network interface limit"],
        LostCause::NoCapacity,
        "its subnets have no free address",
    ),
    (
        &["network interface provisioning", "ephemeralstorage provisioning"],
        LostCause::NeverStarted,
        "its network or disk was not ready in time",
    ),
    (
        &["cannotassumerole", "assume the role", "unable to assume", "assume role"],
        LostCause::NeverStarted,
        "its role could not be assumed: its trust policy must allow `ecs-tasks.amazonaws.com`",
    ),
    (&["timeouterror"], LostCause::NeverStarted, "its container did not start in time"),
    (
        &["cannotstartcontainer", "cannotcreatecontainer"],
        LostCause::NeverStarted,
        "its container could not be started",
    ),
    (
        &["cannotstopcontainer", "cannotinspectcontainer"],
        LostCause::Vanished,
        "its host cannot report on its container",
    ),
    (&["spot"], LostCause::Evicted, "AWS reclaimed its spot capacity"),
    (
        &["host ec2", "instance terminated", "instance stopped", "terminationnotice", "draining"],
        LostCause::Evicted,
        "the machine it ran on was removed",
    ),
    (&["retire", "maintenance", "platform version"], LostCause::Evicted, "AWS did maintenance on its host"),
    (&["health check", "unhealthy"], LostCause::Vanished, "it failed its health check"),
    (&["resourceinitializationerror"], LostCause::NeverStarted, "its resources could not be set up"),
    (&["internalerror", "internal error"], LostCause::Vanished, "ECS had an internal error"),
];

/// Fallback by stop code, for messages that match no row of [`MEANINGS`].
const CODES: &[(&str, LostCause, &str)] = &[
    ("TaskFailedToStart", LostCause::NeverStarted, "it could not be started"),
    ("SpotInterruption", LostCause::Evicted, "AWS reclaimed its spot capacity"),
    ("TerminationNotice", LostCause::Evicted, "the machine it ran on was removed"),
    ("ServiceSchedulerInitiated", LostCause::Evicted, "its service's scheduler stopped it"),
    ("UserInitiated", LostCause::Vanished, "someone stopped it"),
];

/// Explains why a task stopped.
pub fn classify(stopped: &Stopped<'_>) -> StopReason {
    let reason = aws_reason(stopped);
    if stopped.code == "EssentialContainerExited" && !memory(&reason) {
        return exited(stopped);
    }
    let text = reason.to_lowercase();
    // For these codes the reason is free text of the user or scheduler, which must not match a row by accident.
    let by_code = matches!(stopped.code, "UserInitiated" | "ServiceSchedulerInitiated" | "SpotInterruption")
        && !text.contains("health check");
    let meant = MEANINGS.iter().find(|(parts, ..)| !by_code && parts.iter().any(|part| text.contains(part)));
    let code = CODES.iter().find(|(code, ..)| *code == stopped.code);
    match (meant, code) {
        (Some((_, cause, what)), _) | (None, Some((_, cause, what))) => {
            StopReason { cause: Some(*cause), evidence: with(what, &reason) }
        }
        (None, None) if stopped.containers.iter().any(|container| container.exit_code.is_some()) => {
            exited(stopped)
        }
        (None, None) => {
            StopReason { cause: Some(LostCause::Vanished), evidence: with("it was stopped", &reason) }
        }
    }
}

/// The reason for containers that exited on their own.
fn exited(stopped: &Stopped<'_>) -> StopReason {
    let failed =
        stopped.containers.iter().find(|container| container.exit_code.is_some_and(|code| code != 0));
    let Some(ContainerEnd { name, exit_code: Some(code), reason }) = failed.copied() else {
        return StopReason { cause: None, evidence: String::new() };
    };
    let how = exit_code_meaning(code).map_or_else(String::new, |meaning| format!(", {meaning}"));
    let what = format!("container `{name}` exited with code {code}{how}");
    StopReason { cause: None, evidence: with(&what, reason) }
}

fn memory(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("outofmemory") || reason.contains("out of memory")
}

/// AWS's own reason: of the first container that has one, else of the task.
fn aws_reason(stopped: &Stopped<'_>) -> String {
    let container =
        stopped.containers.iter().map(|container| container.reason).find(|reason| !reason.is_empty());
    match (container, stopped.reason) {
        (Some(said), "" | "Essential container in task exited" | "Task failed to start") => said.to_owned(),
        (Some(said), reason) if reason.contains(said) => reason.to_owned(),
        (Some(said), reason) => format!("{reason}: {said}"),
        (None, reason) => reason.to_owned(),
    }
}

/// Appends AWS's own reason in parentheses, if there is one.
pub(super) fn with(what: &str, said: &str) -> String {
    let said = said.trim().trim_end_matches('.');
    if said.is_empty() { what.to_owned() } else { format!("{what} ({said})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task<'a>(code: &'a str, reason: &'a str) -> Stopped<'a> {
        Stopped { code, reason, containers: Vec::new() }
    }

    #[test]
    fn every_documented_message_has_its_cause() {
        use LostCause::{Evicted, ImagePull, NeverStarted, NoCapacity, OutOfMemory, Vanished};
        let failed = "TaskFailedToStart";
        for (code, reason, cause) in [
            (
                failed,
                "CannotPullContainerError: ref pull has been retried 5 time(s): failed to resolve ref",
                ImagePull,
            ),
            (
                failed,
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): manifest unknown",
                ImagePull,
            ),
            (failed, "CannotPullContainerError: API error (404): repository alpine not found", ImagePull),
            (failed, "CannotPullImageManifestError: Error response from daemon", ImagePull),
            (failed, "CannotPullECRContainerError: AccessDeniedException", ImagePull),
            (
                failed,
                "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
                ImagePull,
            ),
            (
                failed,
                "CannotPullContainerError: write /var/lib/docker/tmp: no space left on device",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: unable to retrieve secret arn:aws:ssm:x for environment variable A",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: failed to validate logger args: create stream has been retried",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log stream",
                NeverStarted,
            ),
            (
                failed,
                "ResourceInitializationError: 404 Client Error: Not Found (\"No such image: web:9\")",
                ImagePull,
            ),
            (
                failed,
                "CannotStartContainerError: OCI runtime create failed: exec: \"katkit\": executable file not found in $PATH",
                NeverStarted,
            ),
            (failed, "CannotCreateVolumeError: mount unsuccessful", NeverStarted),
            (
                failed,
                "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m",
                NeverStarted,
            ),
            (
                failed,
                "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s",
                NeverStarted,
            ),
            (failed, "CannotStartContainerError: failed to get container status", NeverStarted),
            (failed, "Timeout waiting for network interface provisioning to complete.", NeverStarted),
            (failed, "Timeout waiting for EphemeralStorage provisioning to complete.", NeverStarted),
            (
                failed,
                "Unexpected EC2 error while attempting to Create Network Interface: InsufficientFreeAddressesInSubnet",
                NoCapacity,
            ),
            (
                failed,
                "Capacity is unavailable at this time. Please try again later or in a different availability zone",
                NoCapacity,
            ),
            (
                failed,
                "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.",
                NeverStarted,
            ),
            (
                "EssentialContainerExited",
                "OutOfMemoryError: Container killed due to memory usage",
                OutOfMemory,
            ),
            ("SpotInterruption", "Your Spot Task was interrupted.", Evicted),
            ("TerminationNotice", "Host EC2 (instance i-0) terminated.", Evicted),
            ("", "Host EC2 (instance i-0) stopped.", Evicted),
            ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", Evicted),
            ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:x)", Vanished),
            ("", "Task failed container health checks", Vanished),
            ("UserInitiated", "Task stopped by user", Vanished),
            ("", "CannotInspectContainerError: Could not transition to inspecting", Vanished),
            (failed, "InternalError: something", Vanished),
            ("SomethingNew", "for a reason nobody has heard of", Vanished),
        ] {
            let found = classify(&task(code, reason));
            assert_eq!(found.cause, Some(cause), "{code}: {reason}: {found:?}");
            assert!(found.evidence.contains(reason.trim_end_matches('.')), "{}", found.evidence);
        }
    }

    #[test]
    fn a_task_that_exited_on_its_own_has_no_cause() {
        let ended = |exit_code, reason| {
            let container = ContainerEnd { name: "phase", exit_code: Some(exit_code), reason };
            let reason = "Essential container in task exited";
            classify(&Stopped { code: "EssentialContainerExited", reason, containers: vec![container] })
        };
        assert_eq!(ended(0, ""), StopReason { cause: None, evidence: String::new() });
        assert_eq!(ended(1, "").evidence, "container `phase` exited with code 1");
        assert_eq!(
            ended(143, "").evidence,
            "container `phase` exited with code 143, killed by SIGTERM (asked to stop)"
        );
        let killed = ended(137, "OutOfMemoryError: Container killed due to memory usage");
        assert_eq!(killed.cause, Some(LostCause::OutOfMemory));
        assert_eq!(
            killed.evidence,
            "it exceeded its memory limit (OutOfMemoryError: Container killed due to memory usage)"
        );
        assert_eq!(ended(137, "").cause, None);
    }
}
