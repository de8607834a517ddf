//! The actor of this process.

#[cfg(feature = "aws")]
use std::time::Duration;

#[cfg(feature = "aws")]
use tokio::time::timeout;

#[cfg(feature = "aws")]
use super::Access;
#[cfg(feature = "aws")]
use super::adapters::Adapters;
#[cfg(feature = "aws")]
use crate::aws::{Aws, AwsLocation, caller};
#[cfg(feature = "aws")]
use crate::causes;
use crate::config::Config;
#[cfg(feature = "aws")]
use crate::domain::Assurance;
use crate::domain::{Actor, ActorKind};
#[cfg(feature = "aws")]
use crate::manifest::StateConfig;

/// The actor named by the environment, unverified.
pub(super) fn asserted(config: &Config) -> Actor {
    let kind = if config.is_job { ActorKind::Job } else { ActorKind::Person };
    Actor { kind, ..config.actor.as_str().into() }
}

/// How long to wait for AWS, which may never answer from an isolated network.
#[cfg(feature = "aws")]
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts looking up the caller's AWS identity, while everything else is opened; `None` if nothing will be recorded in
/// AWS.
#[cfg(feature = "aws")]
pub(super) fn ask(
    adapters: &Adapters,
    state: &StateConfig,
    access: Access<'_>,
) -> Option<tokio::task::JoinHandle<Actor>> {
    let (StateConfig::Dynamodb { region, endpoint, .. }, Access::Write) = (state, access) else {
        return None;
    };
    let state = AwsLocation::named(region.as_ref(), endpoint.as_ref());
    let (config, aws) = (adapters.config.clone(), adapters.aws.clone());
    // AWS has one endpoint per service, an emulator has one for all.
    let is_aws = |url: &String| {
        let host = url.split("://").last().and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    };
    let location = AwsLocation { endpoint: state.endpoint.clone().filter(|url| !is_aws(url)), ..state };
    Some(tokio::spawn(async move { caller(&config, &aws, &location).await }))
}

/// The AWS identity of the caller. Falls back to [`asserted`] if AWS does not answer.
#[cfg(feature = "aws")]
async fn caller(config: &Config, aws: &Aws, location: &AwsLocation) -> Actor {
    let actor = asserted(config);
    let arn = match timeout(ANSWER_TIMEOUT, caller::arn(aws, location)).await {
        Ok(Ok(arn)) => arn,
        Ok(Err(error)) => {
            let error = causes::in_one_line(&error);
            tracing::debug!(%error, "AWS did not identify the caller; using the actor from the environment");
            return actor;
        }
        Err(_) => {
            tracing::debug!("AWS did not identify the caller in time; using the actor from the environment");
            return actor;
        }
    };
    let name = if config.actor_is_named { actor.name } else { caller::name(&arn).to_owned() };
    Actor { name, subject: Some(arn), assurance: Assurance::Aws, ..actor }
}
