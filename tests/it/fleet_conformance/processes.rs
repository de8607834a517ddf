//! The process fleet, with real agents.

use std::sync::Arc;

use katkit::domain::{Handle, Token};
use katkit::fleet::{Fleet, Launch};

use crate::phase::{Phase, fleet_in};

use super::fixture::{Does, Yard};

/// Replicas with odd numbers end, the others wait.
const SCRIPT: &str = "[ $((REPLICA_ID % 2)) = 1 ] || while :; do sleep 0.02; done";

/// The services below one directory.
pub struct Processes(Phase);

impl Processes {
    pub async fn new() -> Self {
        let phase = Phase::running(SCRIPT).await;
        phase.write_spec().await;
        Self(phase)
    }
}

impl Yard for Processes {
    fn fleet(&self) -> Arc<dyn Fleet> {
        Arc::new(fleet_in(&self.0.root().join("services")))
    }

    fn strangers(&self) -> Arc<dyn Fleet> {
        Arc::new(fleet_in(&self.0.root().join("services of another")))
    }

    fn order(&self, does: Does, number: u32) -> Launch {
        assert_eq!(does == Does::End, number % 2 == 1, "its number decides its behaviour");
        let Launch { link, run, phase, attempt, .. } = &self.0.launch;
        let token = Token::of_attempt(link, run, phase, *attempt).replica(number);
        Launch { token, replica: number, ..self.0.launch.clone() }
    }

    fn nobody(&self) -> Handle {
        Handle("0123456789abcdef".to_owned())
    }
}
