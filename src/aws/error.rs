//! What went wrong at AWS, as a sentence about what a person can change.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::limits::TooLarge;
use crate::{causes, config};

/// Why a call to AWS did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// Nobody said who is asking.
    #[error("no AWS credentials were found{}", in_profile(profile.as_deref()))]
    NoCredentials {
        /// Where they were looked for: what `AWS_PROFILE` says.
        profile: Option<String>,
    },
    /// There are credentials, and they could not be had.
    #[error("the AWS credentials could not be loaded: {why}")]
    Credentials {
        /// The innermost cause.
        why: String,
        /// Whoever gives them did not answer, and may do so later.
        passing: bool,
    },
    /// The credentials were good once.
    #[error("the AWS credentials have expired")]
    Expired,
    /// AWS does not know the credentials.
    #[error("AWS does not accept the credentials: {message}")]
    Rejected {
        /// AWS's words.
        message: String,
    },
    /// Nobody said where.
    #[error("no AWS region is set")]
    NoRegion,
    /// What was asked for is elsewhere.
    #[error("{resource} is in {}", region.as_deref().unwrap_or("another region"))]
    WrongRegion {
        /// What.
        resource: String,
        /// Where it is, if AWS said so.
        region: Option<String>,
    },
    /// Whoever asks may not.
    #[error("access denied: `{action}` on `{resource}` is not allowed{}", to(who.as_deref()))]
    Denied {
        /// The action as IAM policies name it, `dynamodb:Query`.
        action: String,
        /// The resource, as an ARN where AWS said so.
        resource: String,
        /// The ARN of who asked, if AWS said so.
        who: Option<String>,
    },
    /// AWS asks for patience, and got all there was.
    #[error("AWS throttles `{action}` on {resource}, also after many retries")]
    Throttled {
        /// The action as IAM policies name it.
        action: &'static str,
        /// The resource.
        resource: String,
    },
    /// There was no answer. The request may have taken effect.
    #[error("AWS did not answer `{action}` on {resource}: {why}")]
    Unreachable {
        /// The action as IAM policies name it.
        action: &'static str,
        /// The resource.
        resource: String,
        /// The innermost cause.
        why: String,
    },
    /// AWS never gives such an answer, or the answer did not end. The request may have taken effect.
    #[error("the answer of AWS to `{action}` on {resource} {what}")]
    Implausible {
        /// The action as IAM policies name it.
        action: &'static str,
        /// The resource.
        resource: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The clock of this machine differs from AWS's by more than signatures allow.
    #[error("the clock of this machine is wrong: {message}")]
    Skew {
        /// AWS's words.
        message: String,
    },
    /// Anything else that AWS answered.
    #[error("AWS refused `{action}` on {resource}: {message}")]
    Refused {
        /// The action as IAM policies name it.
        action: &'static str,
        /// The resource.
        resource: String,
        /// AWS's name of the error.
        code: String,
        /// AWS's words.
        message: String,
        /// The trouble is AWS's own, or of this moment.
        passing: bool,
    },
}

/// What is refused at one moment and not at the next, without a status that says so.
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
    /// Translates what the SDK returned. `action` is what IAM calls it (`ecs:RunTask`), `resource` what it was about,
    /// in words or as an ARN.
    #[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    pub fn of<E>(action: &'static str, resource: &str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let resource = resource.to_owned();
        if let Some(trouble) = credentials(&error) {
            return trouble;
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
            // Something in it cannot be: a bucket whose name is none, for instance.
            SdkError::ConstructionFailure(_) => {
                let (code, message) = ("InvalidRequest".to_owned(), innermost(&error));
                Self::Refused { action, resource, code, message, passing: false }
            }
            SdkError::TimeoutError(_) => {
                let why = format!("there was no whole answer in time: {}", innermost(&error));
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
                let said = |before: &str| said(&message, before);
                Self::Denied {
                    action: said("perform: ").unwrap_or_else(|| action.to_owned()),
                    resource: said("on resource: ").unwrap_or(resource),
                    who: said("User: "),
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

    /// AWS's name of the error, where it is none that has a variant here.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unreachable { .. } => true,
            Self::Refused { passing, .. } | Self::Credentials { passing, .. } => *passing,
            _ => false,
        }
    }

    /// Nobody said who is asking.
    pub fn no_credentials() -> Self {
        Self::NoCredentials { profile: config::aws_profile() }
    }

    /// Whether AWS answered with a no that it will repeat: what was asked for did not take effect.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Refused { .. }) && !self.is_retryable()
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCredentials { profile: Some(profile) } => format!(
                "`aws configure list-profiles` shows whether there is a `{profile}`; `aws configure` or `aws sso login` with \
                 `--profile {profile}` gives it credentials"
            ),
            Self::NoCredentials { profile: None } => {
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given"
                    .to_owned()
            }
            Self::Expired => "log in again (`aws sso login`), or get new ones".to_owned(),
            Self::Credentials { .. } | Self::Rejected { .. } => {
                "`aws sts get-caller-identity` shows whether they are good, and whose they are".to_owned()
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
                "no authority that is known here vouches for it: install `ca-certificates`, in an image too, or set \
                 SSL_CERT_FILE"
                    .to_owned()
            }
            Self::Unreachable { .. } => "check the network, the region, and the endpoint if one is set".to_owned(),
            Self::Implausible { .. } => {
                "check what answers there: the endpoint, if one is set, and any proxy in between".to_owned()
            }
            Self::Skew { .. } => "set the clock of this machine, by NTP for instance".to_owned(),
            Self::Refused { .. } => return None,
        })
    }
}

/// The word that follows `before` in AWS's words.
fn said(message: &str, before: &str) -> Option<String> {
    let (_, rest) = message.split_once(before)?;
    let word = rest.split_whitespace().next()?.trim_matches(['"', '\'', '.', ',']);
    Some(word.to_owned()).filter(|word| !word.is_empty())
}

/// Whether there was nobody in whose name the request could have been signed.
fn credentials(error: &(dyn Error + 'static)) -> Option<AwsError> {
    let mut at = Some(error);
    while let Some(error) = at {
        match error.downcast_ref() {
            Some(CredentialsError::CredentialsNotLoaded(_)) => return Some(AwsError::no_credentials()),
            Some(trouble) => {
                let why = innermost(error);
                let expired = why.to_lowercase().contains("expired");
                let passing = !matches!(trouble, CredentialsError::InvalidConfiguration(_));
                let credentials = AwsError::Credentials { why, passing };
                return Some(if expired { AwsError::Expired } else { credentials });
            }
            None => at = error.source(),
        }
    }
    None
}

/// Why the size of an answer is a problem, if it is.
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

/// The last of the causes: those above it are the layers of the SDK.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    causes::cut(&last.to_string())
}
