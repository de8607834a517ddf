//! Launches one replica: retries while its fleet is full, and turns failures into outcomes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ApplyError;
use super::phase_run::PhaseRun;
use crate::causes;
use crate::domain::{Handle, LostCause, Outcome};
use crate::fleet::{Fleet, FleetError, Launch};
use crate::report::Progress;

/// How long to retry while a fleet is full. A cluster needs minutes to add a machine.
const FULL: Duration = Duration::from_mins(10);

/// The first and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Starts a replica, or finds the one already started. Waits for capacity while the fleet is full.
pub(super) async fn launch(
    phase: &PhaseRun,
    fleet: &dyn Fleet,
    launch: &Launch,
) -> Result<Handle, FleetError> {
    let (began, mut pause) = (Instant::now(), PAUSES.0);
    loop {
        let full = match fleet.launch(launch).await {
            Err(full @ FleetError::NotNow { cause: LostCause::NoCapacity, .. }) => full,
            launched => return launched,
        };
        if began.elapsed() >= FULL {
            return Err(full);
        }
        if pause == PAUSES.0 && launch.replica == 0 {
            let what = format!("`{}` is waiting for capacity: {}", launch.phase, causes::in_one_line(&full));
            phase.session.listener.hear(&Progress::Done { link: launch.link.clone(), what });
        }
        tokio::select! {
            biased;
            () = sleep(pause) => {}
            () = phase.stop.wait() => return Err(full),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// The outcome of an attempt that its fleet could not launch. Returns other errors as they are.
pub(super) fn not_launched(error: ApplyError) -> Result<Outcome, ApplyError> {
    match error {
        ApplyError::Fleet(FleetError::Refused { what }) => {
            Ok(Outcome::Failed { exit_code: None, reason: what })
        }
        // They were there when the attempt was intended.
        error @ ApplyError::Impossible { .. } => {
            Ok(Outcome::Lost { cause: LostCause::NeverStarted, evidence: causes::in_one_line(&error) })
        }
        ApplyError::Fleet(FleetError::NotNow { cause, what }) => Ok(Outcome::Lost { cause, evidence: what }),
        ApplyError::Fleet(error @ FleetError::Unavailable { .. }) => {
            Ok(Outcome::Lost { cause: LostCause::NeverStarted, evidence: causes::in_one_line(&error) })
        }
        other => Err(other),
    }
}
