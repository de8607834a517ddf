//! Waits until a container is healthy.

use std::time::{Duration, Instant};

use bollard::models::{ContainerInspectResponse, ContainerState, HealthStatusEnum};

use crate::docker::{Engine, EngineError};

/// Poll interval.
const POLL: Duration = Duration::from_millis(100);

/// Interval between health checks if the container does not set one.
const INTERVAL: Duration = Duration::from_secs(30);

/// Grace period for a health check that the engine should have run.
const LATE: Duration = Duration::from_millis(500);

/// Why a roll does not proceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollProblem {
    /// The new service does not work; the reason.
    Failed(String),
    /// The deadline passed; what it was waiting for.
    Stuck(String),
    /// Someone else took over; who.
    Superseded(String),
}

/// The health of a container at one inspection.
#[derive(Debug, PartialEq, Eq)]
enum HealthLook {
    Healthy,
    /// Running, without a health check.
    Runs,
    /// Its health check has no result yet.
    Checking,
    Bad(String),
}

/// Waits until the container of `role` is healthy: by its health check or, without one, after running for `settle`.
pub async fn wait(
    engine: &Engine,
    container: &str,
    role: &str,
    settle: Duration,
    deadline: Instant,
) -> Result<Result<(), RollProblem>, EngineError> {
    let mut runs_since = None;
    let mut checks = Checks { last: None, seen: Instant::now() };
    loop {
        let Some(found) = engine.inspect(container).await? else {
            return Ok(Err(RollProblem::Superseded(format!(
                "someone who removed the new container of `{role}`"
            ))));
        };
        let waiting = match look(&found) {
            HealthLook::Healthy => return Ok(Ok(())),
            HealthLook::Bad(why) => {
                let words = engine.last_lines(container).await;
                let output = if words.is_empty() { String::new() } else { format!(": {words}") };
                return Ok(Err(RollProblem::Failed(format!("the new container of `{role}` {why}{output}"))));
            }
            HealthLook::Runs => {
                let since = *runs_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= settle {
                    return Ok(Ok(()));
                }
                format!("`{role}` to run for {} s", settle.as_secs())
            }
            HealthLook::Checking => {
                if checks.are_missing(&found) {
                    let left = deadline.saturating_duration_since(Instant::now());
                    engine.check_health(container, left).await?;
                }
                format!("the health check of `{role}`")
            }
        };
        if Instant::now() >= deadline {
            return Ok(Err(RollProblem::Stuck(waiting)));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Tracks the health checks run for a container: not every engine runs them.
struct Checks {
    /// End of the last check, by the engine's clock.
    last: Option<String>,
    /// When this process saw that end.
    seen: Instant,
}

impl Checks {
    /// Whether a check is overdue. If so, counts it as run.
    fn are_missing(&mut self, found: &ContainerInspectResponse) -> bool {
        let health = found.state.as_ref().and_then(|state| state.health.as_ref());
        let last = health.and_then(|health| health.log.as_ref()?.last()?.end.clone());
        if last != self.last {
            *self = Self { last, seen: Instant::now() };
        }
        let check = found.config.as_ref().and_then(|config| config.healthcheck.as_ref());
        let interval =
            check.and_then(|check| check.interval?.try_into().ok()).map_or(INTERVAL, Duration::from_nanos);
        let are_missing = self.seen.elapsed() > interval + LATE;
        if are_missing {
            self.seen = Instant::now();
        }
        are_missing
    }
}

fn look(found: &ContainerInspectResponse) -> HealthLook {
    let state = found.state.clone().unwrap_or_default();
    let code = state.exit_code.unwrap_or_default();
    if state.oom_killed == Some(true) && state.running != Some(true) {
        return HealthLook::Bad("exceeded its memory limit".to_owned());
    }
    // A container that keeps restarting does not count as running.
    if state.restarting == Some(true) || found.restart_count.is_some_and(|count| count > 0) {
        return HealthLook::Bad(format!("ended with exit code {code} and was restarted"));
    }
    if state.running != Some(true) {
        let error = state.error.unwrap_or_default();
        let error = if error.is_empty() { error } else { format!(" ({})", error.trim()) };
        return HealthLook::Bad(format!("ended with exit code {code}{error}"));
    }
    health(&state)
}

fn health(state: &ContainerState) -> HealthLook {
    let health = state.health.clone().unwrap_or_default();
    match health.status {
        Some(HealthStatusEnum::HEALTHY) => HealthLook::Healthy,
        Some(HealthStatusEnum::STARTING) => HealthLook::Checking,
        Some(HealthStatusEnum::UNHEALTHY) => {
            let last = health.log.and_then(|log| log.into_iter().next_back()).unwrap_or_default();
            let output = last.output.unwrap_or_default();
            let output = output.trim();
            let output = if output.is_empty() { String::new() } else { format!(" ({output})") };
            HealthLook::Bad(format!("is unhealthy according to its health check{output}"))
        }
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => HealthLook::Runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerConfig, Health, HealthConfig, HealthcheckResult};

    fn seen(state: ContainerState, restarts: i64) -> HealthLook {
        let restart_count = Some(restarts);
        look(&ContainerInspectResponse { state: Some(state), restart_count, ..Default::default() })
    }

    #[test]
    fn the_health_check_decides_and_without_one_a_container_must_run() {
        let runs = ContainerState { running: Some(true), ..Default::default() };
        assert_eq!(seen(runs.clone(), 0), HealthLook::Runs);
        let with = |status| {
            let result = HealthcheckResult { output: Some("no answer\n".into()), ..Default::default() };
            let health = Health { status: Some(status), log: Some(vec![result]), ..Default::default() };
            seen(ContainerState { health: Some(health), ..runs.clone() }, 0)
        };
        assert_eq!(with(HealthStatusEnum::HEALTHY), HealthLook::Healthy);
        assert_eq!(with(HealthStatusEnum::STARTING), HealthLook::Checking);
        let bad = HealthLook::Bad("is unhealthy according to its health check (no answer)".into());
        assert_eq!(with(HealthStatusEnum::UNHEALTHY), bad);
    }

    #[test]
    fn a_health_check_is_overdue_only_if_the_engine_does_not_run_it() {
        let found = |end: Option<&str>| {
            let log = end.map(|end| vec![HealthcheckResult { end: Some(end.into()), ..Default::default() }]);
            let state =
                ContainerState { health: Some(Health { log, ..Default::default() }), ..Default::default() };
            let check = HealthConfig { interval: Some(1_000_000_000), ..Default::default() };
            let config = ContainerConfig { healthcheck: Some(check), ..Default::default() };
            ContainerInspectResponse { state: Some(state), config: Some(config), ..Default::default() }
        };
        let begun = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let mut checks = Checks { last: None, seen: begun(1) };
        assert!(!checks.are_missing(&found(None)));
        checks.seen = begun(2);
        assert!(checks.are_missing(&found(None)));
        assert!(!checks.are_missing(&found(None)));
        checks.seen = begun(2);
        assert!(!checks.are_missing(&found(Some("2026-01-02T03:04:05Z"))));
        checks.seen = begun(2);
        assert!(checks.are_missing(&found(Some("2026-01-02T03:04:05Z"))));
    }

    #[test]
    fn a_container_that_exited_or_keeps_restarting_does_not_run() {
        let ended = ContainerState { running: Some(false), exit_code: Some(3), ..Default::default() };
        assert_eq!(seen(ended, 0), HealthLook::Bad("ended with exit code 3".into()));
        let again = ContainerState { running: Some(true), ..Default::default() };
        assert!(matches!(seen(again, 2), HealthLook::Bad(_)));
    }
}
