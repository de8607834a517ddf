//! AWS errors, worded so that the user knows what to change.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::limits::TooLarge;
use crate::{causes, config};

/// Why a call to AWS failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No credentials are configured.
    #[error("no AWS credentials were found{}", in_profile(profile.as_deref()))]
    NoCredentials {
        /// The profile that was searched, from `AWS_PROFILE`.
        profile: Option<String>,
    },
    /// Credentials are configured but could not be loaded.
    #[error("the AWS credentials could not be loaded: {why}")]
    Credentials {
        /// The innermost cause.
        why: String,
        /// The credentials provider did not answer; a retry may succeed.
        passing: bool,
    },
    /// The credentials were valid once.
    #[error("the AWS credentials have expired")]
    Expired,
    /// AWS does not know the credentials.
    #[error("AWS rejected the credentials: {message}")]
    Rejected {
        /// AWS's own message.
        message: String,
    },
    /// No region is configured.
    #[error("no AWS region is set")]
    NoRegion,
    /// The resource is in another region.
    #[error("{resource} is in {}", region.as_deref().unwrap_or("another region"))]
    WrongRegion {
        /// The name or ARN of the resource.
        resource: String,
        /// Its region, if AWS named it.
        region: Option<String>,
    },
    /// IAM does not allow the call.
    #[error("access denied: `{action}` on `{resource}` is not allowed{}", to(who.as_deref()))]
    Denied {
        /// The action as named in IAM policies, such as `dynamodb:Query`.
        action: String,
        /// The resource, as an ARN if AWS named one.
        resource: String,
        /// The ARN of the caller, if AWS named it.
        who: Option<String>,
    },
    /// AWS throttled every attempt.
    #[error("AWS throttles `{action}` on {resource}, even after many retries")]
    Throttled {
        /// The action as named in IAM policies.
        action: &'static str,
        /// A description or ARN of the resource.
        resource: String,
    },
    /// AWS did not respond. The request may have taken effect.
    #[error("AWS did not answer `{action}` on {resource}: {why}")]
    Unreachable {
        /// The action as named in IAM policies.
        action: &'static str,
        /// A description or ARN of the resource.
        resource: String,
        /// The innermost cause.
        why: String,
    },
    /// The response cannot be from AWS, or did not end. The request may have taken effect.
    #[error("the AWS response to `{action}` on {resource} {what}")]
    Implausible {
        /// The action as named in IAM policies.
        action: &'static str,
        /// A description or ARN of the resource.
        resource: String,
        /// What is wrong with the response.
        what: String,
    },
    /// The clock of this machine differs from AWS's by more than signatures allow.
    #[error("the clock of this machine is wrong: {message}")]
    Skew {
        /// AWS's own message.
        message: String,
    },
    /// AWS returned any other error.
    #[error("AWS refused `{action}` on {resource}: {message}")]
    Refused {
        /// The action as named in IAM policies.
        action: &'static str,
        /// A description or ARN of the resource.
        resource: String,
        /// AWS's error code.
        code: String,
        /// AWS's own message.
        message: String,
        /// The error is temporary or on AWS's side; a retry may succeed.
        passing: bool,
    },
}

/// Temporary errors whose HTTP status does not say so.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const PASSING: [&str; 5] = [
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "TransactionConflictException",
    "TransactionInProgressException",
];

fn in_profile(name: Option<&str>) -> String {
    name.map(|name| format!(" in the profile `{name}`")).unwrap_or_default()
}

fn to(who: Option<&str>) -> String {
    who.map(|who| format!(" to {who}")).unwrap_or_default()
}

impl AwsError {
    /// Translates an SDK error. `action` is named as in IAM policies (`ecs:RunTask`), `resource` by description or ARN.
    #[allow(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
    pub fn of<E>(action: &'static str, resource: &str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let resource = resource.to_owned();
        if let Some(missing) = credentials(&error) {
            return missing;
        }
        match &error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().map(causes::cut);
                let message = answer.err().message().map(causes::cut);
                let headers = answer.raw().headers();
                let region = headers.get("x-amz-bucket-region").map(str::to_owned);
                let status = answer.raw().status().as_u16();
                let code = code.unwrap_or_else(|| format!("HTTP status {status}"));
                let passing = status >= 500 || PASSING.contains(&code.as_str());
                match Self::answered(action, resource, code, message, region) {
                    Self::Refused { action, resource, code, message, .. } => {
                        Self::Refused { action, resource, code, message, passing }
                    }
                    other => other,
                }
            }
            // The request is invalid, for instance because of an illegal bucket name.
            SdkError::ConstructionFailure(_) => {
                let (code, message) = ("InvalidRequest".to_owned(), innermost(&error));
                Self::Refused { action, resource, code, message, passing: false }
            }
            SdkError::TimeoutError(_) => {
                let why = format!("no complete response in time: {}", innermost(&error));
                Self::Unreachable { action, resource, why }
            }
            _ => match too_large(&error) {
                Some(what) => Self::Implausible { action, resource, what },
                None => Self::Unreachable { action, resource, why: innermost(&error) },
            },
        }
    }

    fn answered(
        action: &'static str,
        resource: String,
        code: String,
        message: Option<String>,
        region: Option<String>,
    ) -> Self {
        let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| code.clone());
        let late = ["Signature expired", "Signature not yet current"];
        match code.as_str() {
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Self::Expired,
            "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Self::Skew { message },
            _ if late.iter().any(|late| message.contains(late)) => Self::Skew { message },
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "AuthFailure" => Self::Rejected { message },
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AllAccessDisabled" => {
                let word = |before: &str| word_after(&message, before);
                Self::Denied {
                    action: word("perform: ").unwrap_or_else(|| action.to_owned()),
                    resource: word("on resource: ").unwrap_or(resource),
                    who: word("User: "),
                }
            }
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "TemporaryRedirect" => Self::WrongRegion { resource, region },
            "HTTP status 301" | "HTTP status 400" if region.is_some() => {
                Self::WrongRegion { resource, region }
            }
            "HTTP status 403" => Self::Denied { action: action.to_owned(), resource, who: None },
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "SlowDown" => Self::Throttled { action, resource },
            _ => Self::Refused { action, resource, code, message, passing: false },
        }
    }

    /// AWS's error code, for errors without a variant of their own.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without user action.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unreachable { .. } => true,
            Self::Refused { passing, .. } | Self::Credentials { passing, .. } => *passing,
            _ => false,
        }
    }

    /// [`Self::NoCredentials`] for the current profile.
    pub fn no_credentials() -> Self {
        Self::NoCredentials { profile: config::aws_profile() }
    }

    /// Whether AWS refused for good: the request did not take effect, and a retry will not help.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Refused { .. }) && !self.is_retryable()
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCredentials { profile: Some(profile) } => format!(
                "`aws configure list-profiles` shows whether `{profile}` exists; `aws configure` or `aws sso login` with \
                 `--profile {profile}` sets its credentials"
            ),
            Self::NoCredentials { profile: None } => {
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with an IAM role"
                    .to_owned()
            }
            Self::Expired => "log in again (`aws sso login`), or get new credentials".to_owned(),
            Self::Credentials { .. } | Self::Rejected { .. } => {
                "`aws sts get-caller-identity` shows whether they are valid, and whose they are".to_owned()
            }
            Self::NoRegion => "set `region` in the manifest, or AWS_REGION".to_owned(),
            Self::WrongRegion { region: Some(region), .. } => {
                format!("set `region = \"{region}\"` in the manifest")
            }
            Self::WrongRegion { region: None, .. } => "set its `region` in the manifest".to_owned(),
            Self::Denied { .. } => {
                "allow it in a policy; `katkit bootstrap --print` shows what katkit needs".to_owned()
            }
            Self::Throttled { .. } => "try again later, or with a smaller `--parallelism`".to_owned(),
            Self::Unreachable { why, .. } if why.contains("UnknownIssuer") => {
                "its certificate is not signed by a trusted CA: install `ca-certificates` (in images too), or set \
                 SSL_CERT_FILE"
                    .to_owned()
            }
            Self::Unreachable { .. } => "check the network, the region, and the endpoint if one is set".to_owned(),
            Self::Implausible { .. } => {
                "check what answers there: the endpoint, if one is set, and any proxy in between".to_owned()
            }
            Self::Skew { .. } => "synchronize the clock of this machine, for instance with NTP".to_owned(),
            Self::Refused { .. } => return None,
        })
    }
}

/// The word that follows `before` in a message.
fn word_after(message: &str, before: &str) -> Option<String> {
    let (_, rest) = message.split_once(before)?;
    let word = rest.split_whitespace().next()?.trim_matches(['"', '\'', '.', ',']);
    Some(word.to_owned()).filter(|word| !word.is_empty())
}

/// The error if the request could not be signed for lack of credentials.
fn credentials(error: &(dyn Error + 'static)) -> Option<AwsError> {
    let mut at = Some(error);
    while let Some(error) = at {
        match error.downcast_ref() {
            Some(CredentialsError::CredentialsNotLoaded(_)) => return Some(AwsError::no_credentials()),
            Some(error_kind) => {
                let why = innermost(error);
                let expired = why.to_lowercase().contains("expired");
                let passing = !matches!(error_kind, CredentialsError::InvalidConfiguration(_));
                let credentials = AwsError::Credentials { why, passing };
                return Some(if expired { AwsError::Expired } else { credentials });
            }
            None => at = error.source(),
        }
    }
    None
}

/// The error text if the response exceeded the size limit.
fn too_large(error: &(dyn Error + 'static)) -> Option<String> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(large) = error.downcast_ref::<TooLarge>() {
            return Some(large.to_string());
        }
        at = error.source();
    }
    None
}

/// The root cause: those above it are SDK layers.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    causes::cut(&last.to_string())
}
