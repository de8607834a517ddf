//! One call to an engine, held to its limits: the whole answer has a size and a time, however it arrives.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::wire::{self, Address, Meter};
use super::{Engine, EngineError};

/// The largest answer of a call, and the longest time that the call may take as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a call whose answer is a stream of messages, the time for all of them.
    pub time: Duration,
    /// Of a call whose answer is a stream of messages, the size of each.
    pub bytes: u64,
}

/// Of most calls. A list of ten thousand containers has about 30 MiB.
pub const ANSWER: Limits = Limits { time: Duration::from_mins(2), bytes: 64 << 20 };

/// A call on its way. It has a connection of its own.
pub struct Call<'e> {
    engine: &'e Engine,
    name: &'static str,
    limits: Limits,
    deadline: Instant,
    meter: Arc<Meter>,
    /// The client, whose requests are counted against this call.
    pub docker: Docker,
}

impl<'e> Call<'e> {
    /// Its time runs from now. `name` says what the engine is asked to do, for error messages.
    pub fn new(
        engine: &'e Engine,
        name: &'static str,
        limits: Limits,
        connect: impl FnOnce(Arc<Meter>, Duration) -> Result<Docker, Error>,
    ) -> Result<Self, EngineError> {
        let meter = Arc::new(Meter::new(limits.bytes));
        // The client counts whole seconds, and only until the answer begins.
        let docker = connect(Arc::clone(&meter), limits.time + Duration::from_secs(1));
        let docker = docker.map_err(|error| engine.error(error))?;
        Ok(Self { engine, name, limits, deadline: Instant::now() + limits.time, meter, docker })
    }

    /// The result of `work`, unless it exceeds the limits.
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

    /// The whole answer to a GET of a path that the client has no function for.
    pub async fn get(&self, path: &str) -> Result<Bytes, EngineError> {
        let meter = Arc::clone(&self.meter);
        self.run(async { wire::get(Address::parse(self.engine.host())?, meter, path).await }).await
    }

    /// The next message of an answer that is a stream of them.
    pub async fn next<T>(
        &self,
        messages: &mut (impl Stream<Item = Result<T, Error>> + Unpin),
    ) -> Result<Option<T>, EngineError> {
        let message = self.run(async { messages.next().await.transpose() }).await?;
        self.meter.reset();
        Ok(message)
    }

    /// The error for an answer that no engine gives. `what` continues the sentence "the answer …".
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
