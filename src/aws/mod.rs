//! How katkit speaks to AWS: one place that makes the clients of the SDK, counts what they send, and says in a sentence
//! what went wrong.
//!
//! All adapters of one command share an [`Aws`], and with it the connections, the credentials, and one bucket of retry
//! tokens per service: a thousand links that are throttled at once do not throttle the account further. Credentials
//! come from where every tool of AWS takes them (`AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, the role of the task or machine, …);
//! the SDK reads those variables itself. Region and endpoint come from the manifest, else from there too.
//!
//! Services that are asked one thing and no more have no client: `ask` makes a request of its own of the same parts.
//!
//! Retries are exponential with jitter, many and cheap. The SDK's adaptive mode is not used: it takes every throttling
//! answer for its own rate being too high, so that one call in five being throttled for a reason of the service's own
//! brings every client down to a call in two seconds.

mod ask;
pub mod batch;
pub mod caller;
mod calls;
pub mod ecs;
mod error;
pub mod limits;
mod look;
pub mod pace;
pub mod patience;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use tokio::sync::OnceCell;

use self::limits::{ANSWER, Limits, UPLOAD};
use self::look::Memo;
use crate::config;

pub use calls::{Calls, Count};
pub use error::AwsError;
pub use look::secret::itself as secret_itself;

/// How often one call is sent at most. With one in five throttled, one in ten million fails.
const ATTEMPTS: u32 = 10;
/// The first pause before a retry, on the average half of it; it doubles.
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause before a retry.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Five of these are taken by a retry and given back when it succeeds: 400 retries may be under way in each service.
const RETRY_TOKENS: usize = 2000;
/// How long the beginning of an answer is waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where in AWS something is. What is left out is taken from the environment and the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The region.
    pub region: Option<String>,
    /// The URL of the service, where it is not AWS's own.
    pub endpoint: Option<String>,
    /// Whether an endpoint that the environment names goes before this one. It does for an agent, which knows better than
    /// who sent it there how the service is called where the agent runs. The region is the thing's own wherever one is.
    pub yields: bool,
}

/// Makes clients. Cheap to clone; all clones share connections, credentials, counts and retry tokens.
#[derive(Clone, Debug, Default)]
pub struct Aws {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Calls,
    /// The environment and the profile, read once.
    base: OnceCell<SdkConfig>,
    /// By service.
    partitions: Mutex<BTreeMap<&'static str, RetryPartition>>,
    /// What was looked at already.
    seen: Memo,
}

/// Builds the client of a service: the same steps for each, on types that have nothing in common.
macro_rules! client {
    ($aws:expr, $place:expr, $service:ident, $name:literal $(, $also:ident)?) => {{
        let Chosen { sdk, endpoint } = $aws.choose($place).await?;
        let mut builder = $service::config::Builder::from(&sdk)
            .retry_partition($aws.partition($name))
            .interceptor($aws.shared.calls.clone());
        if let Some(endpoint) = &endpoint {
            builder.set_endpoint_url(Some(endpoint.clone()));
        }
        $(
            // Only AWS itself has a host name for every bucket.
            let $also = endpoint.is_some() || sdk.endpoint_url().is_some() || config::s3_endpoint();
            // The request may be large, and the line slow.
            let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
            let timeouts = timeouts.operation_timeout(UPLOAD).build();
            builder = builder.$also($also).timeout_config(timeouts);
        )?
        Ok($service::Client::from_conf(builder.build()))
    }};
}

/// A place, once the environment and the profile were asked.
struct Chosen {
    sdk: SdkConfig,
    /// Goes before what the environment names, also for one service alone.
    endpoint: Option<String>,
}

impl Aws {
    /// Reads nothing and asks nobody until the first client is made.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes region, endpoint and credentials from where `loader` says, instead of from the environment.
    pub async fn from_loader(loader: ConfigLoader) -> Self {
        Self::within(loader, ANSWER).await
    }

    async fn within(loader: ConfigLoader, limits: Limits) -> Self {
        let base = OnceCell::new_with(Some(load(loader, limits).await));
        Self { shared: Arc::new(Shared { base, ..Shared::default() }) }
    }

    /// What was sent so far, by all clients.
    pub fn calls(&self) -> &Calls {
        &self.shared.calls
    }

    /// A client of DynamoDB.
    pub async fn dynamodb(&self, place: &Place) -> Result<aws_sdk_dynamodb::Client, AwsError> {
        client!(self, place, aws_sdk_dynamodb, "dynamodb")
    }

    /// A client of S3.
    pub async fn s3(&self, place: &Place) -> Result<aws_sdk_s3::Client, AwsError> {
        client!(self, place, aws_sdk_s3, "s3", force_path_style)
    }

    /// A client of ECS.
    pub async fn ecs(&self, place: &Place) -> Result<aws_sdk_ecs::Client, AwsError> {
        client!(self, place, aws_sdk_ecs, "ecs")
    }

    /// A client of CloudWatch Logs.
    pub async fn logs(&self, place: &Place) -> Result<aws_sdk_cloudwatchlogs::Client, AwsError> {
        client!(self, place, aws_sdk_cloudwatchlogs, "logs")
    }

    /// The region that a place is in.
    pub async fn region(&self, place: &Place) -> Result<String, AwsError> {
        self.choose(place).await?.sdk.region().map(ToString::to_string).ok_or(AwsError::NoRegion)
    }

    async fn choose(&self, place: &Place) -> Result<Chosen, AwsError> {
        let read = || load(aws_config::defaults(BehaviorVersion::latest()), ANSWER);
        let base = self.shared.base.get_or_init(read).await;
        let named = base.endpoint_url().is_some() || config::s3_endpoint();
        let endpoint = place.endpoint.clone().filter(|_| !(place.yields && named));
        let sdk = match &place.region {
            Some(region) => base.to_builder().region(Region::new(region.clone())).build(),
            None => base.clone(),
        };
        if sdk.region().is_none() {
            return Err(AwsError::NoRegion);
        }
        Ok(Chosen { sdk, endpoint })
    }

    fn partition(&self, service: &'static str) -> RetryPartition {
        let mut partitions = self.shared.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let tokens = TokenBucket::new(RETRY_TOKENS);
            RetryPartition::custom(format!("katkit-{service}")).token_bucket(tokens).build()
        };
        partitions.entry(service).or_insert_with(new).clone()
    }
}

async fn load(loader: ConfigLoader, limits: Limits) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_timeout(limits.time);
    let loader = loader.retry_config(retries).timeout_config(timeouts.build());
    match limits::client(limits.bytes) {
        Some(client) => loader.http_client(client).load().await,
        None => loader.load().await,
    }
}
