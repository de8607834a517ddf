//! Being asked to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, remembered once it came.
#[derive(Debug)]
pub struct Stop {
    signal: Signal,
    asked: bool,
}

impl Stop {
    /// From now on SIGTERM is a request, and ends nothing by itself.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { signal: signal(SignalKind::terminate())?, asked: false })
    }

    /// Returns when the agent is asked to end, and at once ever after.
    pub async fn asked(&mut self) {
        if !self.asked {
            self.signal.recv().await;
            self.asked = true;
        }
    }
}
