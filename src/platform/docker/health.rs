//! Whether a container has become healthy.

use std::time::{Duration, Instant};

use bollard::models::{ContainerInspectResponse, ContainerState, HealthStatusEnum};

use crate::docker::{Engine, EngineError};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How often the health of a container is checked that does not say how often.
const INTERVAL: Duration = Duration::from_secs(30);

/// How late a health check may be that somebody runs.
const LATE: Duration = Duration::from_millis(500);

/// Why a deployment does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The new service does not work: why.
    Failed(String),
    /// Its time is over: what it was waiting for.
    Stuck(String),
    /// Someone else took over: who.
    Superseded(String),
}

/// What one look at a container tells.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Healthy,
    /// It runs, and has no health check.
    Runs,
    /// Its health check has not decided.
    Checking,
    Bad(String),
}

/// Waits until the container of `role` is healthy: by its health check, or because it has run for `settle`.
pub async fn wait(
    engine: &Engine,
    container: &str,
    role: &str,
    settle: Duration,
    deadline: Instant,
) -> Result<Result<(), Trouble>, EngineError> {
    let mut runs_since = None;
    let mut checks = Checks { last: None, seen: Instant::now() };
    loop {
        let Some(found) = engine.inspect(container).await? else {
            return Ok(Err(Trouble::Superseded(format!(
                "someone who removed the new container of `{role}`"
            ))));
        };
        let waiting = match look(&found) {
            Look::Healthy => return Ok(Ok(())),
            Look::Bad(why) => {
                let words = engine.last_words(container).await;
                let said = if words.is_empty() { String::new() } else { format!(": {words}") };
                return Ok(Err(Trouble::Failed(format!("the new container of `{role}` {why}{said}"))));
            }
            Look::Runs => {
                let since = *runs_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= settle {
                    return Ok(Ok(()));
                }
                format!("`{role}` to run for {} s", settle.as_secs())
            }
            Look::Checking => {
                if checks.are_missing(&found) {
                    let left = deadline.saturating_duration_since(Instant::now());
                    engine.check_health(container, left).await?;
                }
                format!("the health check of `{role}`")
            }
        };
        if Instant::now() >= deadline {
            return Ok(Err(Trouble::Stuck(waiting)));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The health checks of a container as far as they were run: not every engine runs them.
struct Checks {
    /// When the last one ended, by the engine's clock.
    last: Option<String>,
    /// When that was seen.
    seen: Instant,
}

impl Checks {
    /// Whether one should have been run for a while. Then it counts as having been.
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

fn look(found: &ContainerInspectResponse) -> Look {
    let state = found.state.clone().unwrap_or_default();
    let code = state.exit_code.unwrap_or_default();
    if state.oom_killed == Some(true) && state.running != Some(true) {
        return Look::Bad("used more memory than it was given".to_owned());
    }
    // One that is started again and again is not one that runs.
    if state.restarting == Some(true) || found.restart_count.is_some_and(|count| count > 0) {
        return Look::Bad(format!("ended with exit code {code} and was started again"));
    }
    if state.running != Some(true) {
        let error = state.error.unwrap_or_default();
        let error = if error.is_empty() { error } else { format!(" ({})", error.trim()) };
        return Look::Bad(format!("ended with exit code {code}{error}"));
    }
    health(&state)
}

fn health(state: &ContainerState) -> Look {
    let health = state.health.clone().unwrap_or_default();
    match health.status {
        Some(HealthStatusEnum::HEALTHY) => Look::Healthy,
        Some(HealthStatusEnum::STARTING) => Look::Checking,
        Some(HealthStatusEnum::UNHEALTHY) => {
            let last = health.log.and_then(|log| log.into_iter().next_back()).unwrap_or_default();
            let output = last.output.unwrap_or_default();
            let output = output.trim();
            let said = if output.is_empty() { String::new() } else { format!(" ({output})") };
            Look::Bad(format!("is unhealthy, says its health check{said}"))
        }
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => Look::Runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerConfig, Health, HealthConfig, HealthcheckResult};

    fn seen(state: ContainerState, restarts: i64) -> Look {
        let restart_count = Some(restarts);
        look(&ContainerInspectResponse { state: Some(state), restart_count, ..Default::default() })
    }

    #[test]
    fn health_is_what_the_check_says_and_without_one_that_it_runs() {
        let runs = ContainerState { running: Some(true), ..Default::default() };
        assert_eq!(seen(runs.clone(), 0), Look::Runs);
        let with = |status| {
            let result = HealthcheckResult { output: Some("no answer\n".into()), ..Default::default() };
            let health = Health { status: Some(status), log: Some(vec![result]), ..Default::default() };
            seen(ContainerState { health: Some(health), ..runs.clone() }, 0)
        };
        assert_eq!(with(HealthStatusEnum::HEALTHY), Look::Healthy);
        assert_eq!(with(HealthStatusEnum::STARTING), Look::Checking);
        let bad = Look::Bad("is unhealthy, says its health check (no answer)".into());
        assert_eq!(with(HealthStatusEnum::UNHEALTHY), bad);
    }

    #[test]
    fn a_health_check_that_nobody_runs_is_missing_and_one_that_is_run_is_not() {
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
    fn what_ends_or_is_started_again_and_again_does_not_run() {
        let ended = ContainerState { running: Some(false), exit_code: Some(3), ..Default::default() };
        assert_eq!(seen(ended, 0), Look::Bad("ended with exit code 3".into()));
        let again = ContainerState { running: Some(true), ..Default::default() };
        assert!(matches!(seen(again, 2), Look::Bad(_)));
    }
}
