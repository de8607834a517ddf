//! One replica on its way into its fleet: asked for again while there is no room, and what it means when there is none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ApplyError;
use super::attempt::PhaseRun;
use crate::causes;
use crate::domain::{Handle, LostCause, Outcome};
use crate::fleet::{Fleet, FleetError, Launch};
use crate::report::Progress;

/// How long a fleet may be full. A cluster needs minutes to get another machine.
const FULL: Duration = Duration::from_mins(10);

/// The first pause between two questions for room, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Starts a replica, or finds the one that was started before. Waits for room while the fleet has none.
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
            let what = format!("`{}` waits for room: {}", launch.phase, causes::in_one_line(&full));
            phase.executor.listener.hear(&Progress::Done { link: launch.link.clone(), what });
        }
        tokio::select! {
            biased;
            () = sleep(pause) => {}
            () = phase.stop.wait() => return Err(full),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// What it means for an attempt that it could not be launched; other trouble is passed on.
pub(super) fn not_launched(error: ApplyError) -> Result<Outcome, ApplyError> {
    match error {
        ApplyError::Fleet(FleetError::Refused { what }) => {
            Ok(Outcome::Failed { exit_code: None, reason: what })
        }
        ApplyError::Fleet(FleetError::NotNow { cause, what }) => Ok(Outcome::Lost { cause, evidence: what }),
        ApplyError::Fleet(error @ FleetError::Unavailable { .. }) => {
            Ok(Outcome::Lost { cause: LostCause::NeverStarted, evidence: causes::in_one_line(&error) })
        }
        other => Err(other),
    }
}
