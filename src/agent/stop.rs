//! The request to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, remembered once received.
#[derive(Debug)]
pub struct Stop {
    signal: Signal,
    asked: bool,
}

impl Stop {
    /// Catches SIGTERM from now on, so that it no longer ends this process.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { signal: signal(SignalKind::terminate())?, asked: false })
    }

    /// Returns once SIGTERM was received; immediately on every later call.
    pub async fn asked(&mut self) {
        if !self.asked {
            self.signal.recv().await;
            self.asked = true;
        }
    }
}
