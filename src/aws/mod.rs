//! All access to AWS: creates the SDK clients, counts their requests, and translates their errors.
//!
//! All adapters of one command share an [`Aws`], and with it the connections, the credentials, and one bucket of retry
//! tokens per service: a thousand links that are throttled at once do not throttle the account further. Credentials
//! come from the usual AWS sources (`AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, the role of the task or machine, …); the SDK
//! reads those variables itself. Region and endpoint come from the manifest, or else from the same sources.
//!
//! Services that katkit calls for a single operation have no SDK client: `ask` builds the request from the same parts.
//!
//! Retries are exponential with jitter, many and cheap. They do not use the SDK's adaptive mode, which attributes every
//! throttling response to its own request rate: if the service throttles one call in five for reasons of its own, every
//! client slows down to one call every two seconds.

mod api;
pub mod backoff;
pub mod batch;
pub mod caller;
mod calls;
pub mod ecr;
pub mod ecs;
mod error;
mod inspect;
pub mod limits;
pub mod pace;
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

use self::inspect::InspectionCache;
use self::limits::{ANSWER, Limits, UPLOAD};
use crate::config;

pub use calls::{Calls, Count};
pub use error::AwsError;
pub use inspect::secret::itself as secret_itself;

/// Maximum attempts per call. With one in five throttled, one in ten million fails.
const ATTEMPTS: u32 = 10;
/// Upper bound of the first pause before a retry; the average is half of it. It doubles with each retry.
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause before a retry.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A retry takes five of these and returns them when it succeeds, so each service can have 400 retries in flight.
const RETRY_TOKENS: usize = 2000;
/// Timeout until the response begins.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Region and endpoint of an AWS resource. Missing values come from the environment and the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsLocation {
    /// For example `eu-central-1`.
    pub region: Option<String>,
    /// The URL of the service, if it is not AWS's own.
    pub endpoint: Option<String>,
    /// Whether an endpoint from the environment overrides `endpoint`. True for agents: an agent's environment knows
    /// better than the process that launched it which endpoint is reachable there. `region` is never overridden.
    pub yields: bool,
}

impl AwsLocation {
    /// As named in the manifest.
    pub fn named(region: Option<&String>, endpoint: Option<&String>) -> Self {
        Self { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
    }
}

/// Creates clients. Cheap to clone; all clones share connections, credentials, counts and retry tokens.
#[derive(Clone, Debug, Default)]
pub struct Aws {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Calls,
    /// From the environment and the profile, read once.
    base: OnceCell<SdkConfig>,
    /// Retry tokens by service.
    partitions: Mutex<BTreeMap<&'static str, RetryPartition>>,
    seen: InspectionCache,
}

/// Builds a service client. A macro, because the SDK's client types share no trait.
macro_rules! client {
    ($aws:expr, $place:expr, $service:ident, $name:literal $(, $also:ident)?) => {{
        let ResolvedLocation { sdk, endpoint } = $aws.choose($place).await?;
        let mut builder = $service::config::Builder::from(&sdk)
            .retry_partition($aws.partition($name))
            .interceptor($aws.shared.calls.clone());
        if let Some(endpoint) = &endpoint {
            builder.set_endpoint_url(Some(endpoint.clone()));
        }
        $(
            // Only AWS itself has a host name per bucket.
            let $also = endpoint.is_some() || sdk.endpoint_url().is_some() || config::s3_endpoint();
            // Uploads may be large and the connection slow.
            let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
            let timeouts = timeouts.operation_timeout(UPLOAD).build();
            builder = builder.$also($also).timeout_config(timeouts);
        )?
        Ok($service::Client::from_conf(builder.build()))
    }};
}

/// A location, completed from the environment and the profile.
struct ResolvedLocation {
    sdk: SdkConfig,
    /// Overrides all endpoints from the environment, including service-specific ones.
    endpoint: Option<String>,
}

impl Aws {
    /// Does no IO until the first client is created.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes region, endpoint and credentials from `loader` instead of the environment.
    pub async fn from_loader(loader: ConfigLoader) -> Self {
        Self::within(loader, ANSWER).await
    }

    async fn within(loader: ConfigLoader, limits: Limits) -> Self {
        let base = OnceCell::new_with(Some(load(loader, limits).await));
        Self { shared: Arc::new(Shared { base, ..Shared::default() }) }
    }

    /// Requests sent so far by all clients.
    pub fn calls(&self) -> &Calls {
        &self.shared.calls
    }

    /// A DynamoDB client.
    pub async fn dynamodb(&self, place: &AwsLocation) -> Result<aws_sdk_dynamodb::Client, AwsError> {
        client!(self, place, aws_sdk_dynamodb, "dynamodb")
    }

    /// An S3 client.
    pub async fn s3(&self, place: &AwsLocation) -> Result<aws_sdk_s3::Client, AwsError> {
        client!(self, place, aws_sdk_s3, "s3", force_path_style)
    }

    /// An ECS client.
    pub async fn ecs(&self, place: &AwsLocation) -> Result<aws_sdk_ecs::Client, AwsError> {
        client!(self, place, aws_sdk_ecs, "ecs")
    }

    /// A CloudWatch Logs client.
    pub async fn logs(&self, place: &AwsLocation) -> Result<aws_sdk_cloudwatchlogs::Client, AwsError> {
        client!(self, place, aws_sdk_cloudwatchlogs, "logs")
    }

    /// The region of `place`, including the default from the environment.
    pub async fn region(&self, place: &AwsLocation) -> Result<String, AwsError> {
        self.choose(place).await?.sdk.region().map(ToString::to_string).ok_or(AwsError::NoRegion)
    }

    async fn choose(&self, place: &AwsLocation) -> Result<ResolvedLocation, AwsError> {
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
        Ok(ResolvedLocation { sdk, endpoint })
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
