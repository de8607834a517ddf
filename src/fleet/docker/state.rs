//! Derives the state of a service from the state of its container.

use bollard::models::{ContainerState, ContainerSummary, ContainerSummaryStateEnum};

use crate::docker::{Engine, EngineError};
use crate::domain::LostCause;
use crate::fleet::ServiceState;

/// Exit code of a process killed by SIGKILL, as reported by shells and engines.
const KILLED: i64 = 137;

/// The state if the container does not exist.
pub fn absent() -> ServiceState {
    ServiceState::Gone { cause: None, evidence: "its container is gone".to_owned() }
}

/// The state according to the list; `None` if the container must be inspected.
pub fn of_listed(container: &ContainerSummary) -> Option<ServiceState> {
    use ContainerSummaryStateEnum as State;
    match container.state? {
        State::RUNNING | State::PAUSED | State::RESTARTING => Some(ServiceState::Running),
        // `Exited (0) 5 seconds ago`
        State::EXITED if container.status.as_deref()?.starts_with("Exited (0)") => Some(ended()),
        _ => None,
    }
}

/// The state according to `inspect`.
pub async fn of_inspected(engine: &Engine, container: &str) -> Result<ServiceState, EngineError> {
    let Some(state) = engine.inspect(container).await?.and_then(|found| found.state) else {
        return Ok(absent());
    };
    if state.running == Some(true) || state.restarting == Some(true) {
        return Ok(ServiceState::Running);
    }
    if state.exit_code == Some(0) && state.started_at.as_deref().is_some_and(has_begun) {
        return Ok(ended());
    }
    let words = engine.last_lines(container).await;
    Ok(gone(&state, &words))
}

/// The agent exited on its own and has written how its phase ended.
fn ended() -> ServiceState {
    ServiceState::Gone { cause: None, evidence: String::new() }
}

/// The engine reports the year 1 for a container that never started.
fn has_begun(started: &str) -> bool {
    !started.starts_with("0001-")
}

fn gone(state: &ContainerState, words: &str) -> ServiceState {
    let code = state.exit_code.unwrap_or_default();
    let error = state.error.as_deref().unwrap_or_default().trim();
    let (cause, what) = if state.oom_killed == Some(true) {
        (LostCause::OutOfMemory, "it exceeded its memory limit".to_owned())
    } else if !state.started_at.as_deref().is_some_and(has_begun) {
        (LostCause::NeverStarted, "its container was not started".to_owned())
    } else if code == KILLED {
        (LostCause::Vanished, "its container was killed".to_owned())
    } else {
        (LostCause::Vanished, format!("its agent ended with exit code {code}"))
    };
    let parts = [what.as_str(), error, words].into_iter().filter(|part| !part.is_empty());
    ServiceState::Gone { cause: Some(cause), evidence: parts.collect::<Vec<_>>().join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(state: &ContainerState, words: &str) -> (Option<LostCause>, String) {
        match gone(state, words) {
            ServiceState::Gone { cause, evidence } => (cause, evidence),
            ServiceState::Running => panic!(),
        }
    }

    #[test]
    fn the_end_of_a_container_is_reported_with_evidence() {
        let started_at = Some("2026-01-02T03:04:05Z".to_owned());
        let state = ContainerState { started_at, exit_code: Some(137), ..Default::default() };
        assert_eq!(outcome(&state, ""), (Some(LostCause::Vanished), "its container was killed".into()));
        let oom = ContainerState { oom_killed: Some(true), ..state.clone() };
        assert_eq!(outcome(&oom, "").0, Some(LostCause::OutOfMemory));
        let code = ContainerState { exit_code: Some(1), ..state };
        assert_eq!(outcome(&code, "katkit agent: x").1, "its agent ended with exit code 1: katkit agent: x");
        let never = ContainerState {
            started_at: Some("0001-01-01T00:00:00Z".into()),
            exit_code: Some(127),
            error: Some("no such file\n".into()),
            ..Default::default()
        };
        assert_eq!(
            outcome(&never, ""),
            (Some(LostCause::NeverStarted), "its container was not started: no such file".into())
        );
    }
}
