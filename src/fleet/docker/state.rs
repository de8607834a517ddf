//! What a container's state means for the service in it.

use bollard::models::{ContainerState, ContainerSummary, ContainerSummaryStateEnum};

use crate::docker::{Engine, EngineError};
use crate::domain::LostCause;
use crate::fleet::ServiceState;

/// The exit code of a process that SIGKILL ended, as shells and engines count it.
const KILLED: i64 = 137;

/// Of a container that is not there.
pub fn absent() -> ServiceState {
    ServiceState::Gone { cause: None, evidence: "its container is gone".to_owned() }
}

/// As far as a list says it; `None` where more must be asked.
pub fn of_listed(container: &ContainerSummary) -> Option<ServiceState> {
    use ContainerSummaryStateEnum as State;
    match container.state? {
        State::RUNNING | State::PAUSED | State::RESTARTING => Some(ServiceState::Running),
        // `Exited (0) 5 seconds ago`
        State::EXITED if container.status.as_deref()?.starts_with("Exited (0)") => Some(ended()),
        _ => None,
    }
}

/// As the engine tells of the one container.
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
    let words = engine.last_words(container).await;
    Ok(gone(&state, &words))
}

/// The agent left by itself; how its phase ended, it has written.
fn ended() -> ServiceState {
    ServiceState::Gone { cause: None, evidence: String::new() }
}

/// The engine's way to say never is the year 1.
fn has_begun(started: &str) -> bool {
    !started.starts_with("0001-")
}

fn gone(state: &ContainerState, words: &str) -> ServiceState {
    let code = state.exit_code.unwrap_or_default();
    let error = state.error.as_deref().unwrap_or_default().trim();
    let (cause, what) = if state.oom_killed == Some(true) {
        (LostCause::OutOfMemory, "it used more memory than it was given".to_owned())
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

    fn said(state: &ContainerState, words: &str) -> (Option<LostCause>, String) {
        match gone(state, words) {
            ServiceState::Gone { cause, evidence } => (cause, evidence),
            ServiceState::Running => panic!(),
        }
    }

    #[test]
    fn the_end_of_a_container_is_said_with_its_evidence() {
        let started_at = Some("2026-01-02T03:04:05Z".to_owned());
        let state = ContainerState { started_at, exit_code: Some(137), ..Default::default() };
        assert_eq!(said(&state, ""), (Some(LostCause::Vanished), "its container was killed".into()));
        let oom = ContainerState { oom_killed: Some(true), ..state.clone() };
        assert_eq!(said(&oom, "").0, Some(LostCause::OutOfMemory));
        let code = ContainerState { exit_code: Some(1), ..state };
        assert_eq!(said(&code, "katkit agent: x").1, "its agent ended with exit code 1: katkit agent: x");
        let never = ContainerState {
            started_at: Some("0001-01-01T00:00:00Z".into()),
            exit_code: Some(127),
            error: Some("no such file\n".into()),
            ..Default::default()
        };
        assert_eq!(
            said(&never, ""),
            (Some(LostCause::NeverStarted), "its container was not started: no such file".into())
        );
    }
}
