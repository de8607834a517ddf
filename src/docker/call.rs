//! One call to an engine, with limits on the size and duration of the whole response, however it arrives.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::wire::{self, Address, Meter};
use super::{Engine, EngineError};

/// The maximum response size and duration of a call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a streamed response, the time for all messages together.
    pub time: Duration,
    /// For a streamed response, the size of each message.
    pub bytes: u64,
}

/// The default. A list of ten thousand containers is about 30 MiB.
pub const ANSWER: Limits = Limits { time: Duration::from_mins(2), bytes: 64 << 20 };

/// A call in progress, on its own connection.
pub struct Call<'e> {
    engine: &'e Engine,
    name: &'static str,
    limits: Limits,
    deadline: Instant,
    meter: Arc<Meter>,
    /// A client whose responses count against this call's limits.
    pub docker: Docker,
}

impl<'e> Call<'e> {
    /// Starts the clock. `name` says what the call does, for error messages.
    pub fn new(
        engine: &'e Engine,
        name: &'static str,
        limits: Limits,
        connect: impl FnOnce(Arc<Meter>, Duration) -> Result<Docker, Error>,
    ) -> Result<Self, EngineError> {
        let meter = Arc::new(Meter::new(limits.bytes));
        // The client's timeout is in whole seconds and only covers the time until the response begins.
        let docker = connect(Arc::clone(&meter), limits.time + Duration::from_secs(1));
        let docker = docker.map_err(|error| engine.error(error))?;
        Ok(Self { engine, name, limits, deadline: Instant::now() + limits.time, meter, docker })
    }

    /// Runs `work` within the limits.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, EngineError> {
        match timeout_at(self.deadline, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if self.meter.is_exceeded() => {
                Err(self.implausible(format!("is larger than {}", size(self.limits.bytes))))
            }
            Ok(Err(error)) => Err(self.engine.error(error)),
            Err(_) => Err(self.implausible(format!("took longer than {:?}", self.limits.time))),
        }
    }

    /// GETs a path that the client has no function for, and returns the whole response.
    pub async fn get(&self, path: &str) -> Result<Bytes, EngineError> {
        let meter = Arc::clone(&self.meter);
        self.run(async { wire::get(Address::parse(self.engine.host())?, meter, path).await }).await
    }

    /// The next message of a streamed response.
    pub async fn next<T>(
        &self,
        messages: &mut (impl Stream<Item = Result<T, Error>> + Unpin),
    ) -> Result<Option<T>, EngineError> {
        let message = self.run(async { messages.next().await.transpose() }).await?;
        self.meter.reset();
        Ok(message)
    }

    /// The error for an implausible response. `what` continues the sentence "the response …".
    pub fn implausible(&self, what: String) -> EngineError {
        EngineError::Implausible { host: self.engine.host().to_owned(), call: self.name, what }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}
