//! Questions to services of AWS that katkit has no client of: one request, signed and sent.
//!
//! A handful of questions is no reason for five more clients of the SDK, of which that of EC2 alone takes minutes to
//! build. What such a client is made of serves here without one: credentials, region and endpoint are found the same way,
//! requests are signed, sent again, given up and counted by the same parts, and what goes wrong becomes the same
//! [`AwsError`]. Only the few words of a question and of its answer are written and read by hand.

mod answer;
mod service;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::answer::Refusal;
use super::{Aws, AwsError, Chosen, Place};

pub use answer::records;
pub use service::Service;

/// How long an answer is waited for, all that is sent again included: in a closed network there may be none, and what is
/// asked here can go without.
const PATIENCE: Duration = Duration::from_secs(20);

/// One question.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Whom.
    pub service: Service,
    /// As IAM policies name it, `iam:GetRole`; what stands behind the colon is the service's own name of it.
    pub action: &'static str,
    /// What it is about, in words or as an ARN.
    pub resource: &'a str,
    /// What is asked.
    pub words: Words,
}

/// What is asked, as the service wants it said.
#[derive(Clone, Debug)]
pub enum Words {
    /// Names and values, answered in XML.
    Query(Vec<(String, String)>),
    /// A document, answered by one.
    Json(serde_json::Value),
}

impl Aws {
    /// The text of the answer.
    pub async fn ask(&self, place: &Place, question: Question<'_>) -> Result<String, AwsError> {
        let Question { service, action, resource, words } = question;
        let Chosen { sdk, endpoint } = self.choose(place).await?;
        let credentials = sdk.credentials_provider().ok_or_else(AwsError::no_credentials)?;
        let region = sdk.region().ok_or(AwsError::NoRegion)?;
        let home = service.home(region.as_ref());
        let endpoint = endpoint.or_else(|| service.named_endpoint(&sdk)).unwrap_or(home.endpoint);
        let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let components = RuntimeComponentsBuilder::new("katkit")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(sdk.identity_cache())
            .with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        let signing = Signing { name: service.signing_name(), region: home.signed_for };
        let layer = layer(signing, self.partition(service.signing_name()));
        let mut operation = Operation::builder()
            .service_name(service.id())
            .operation_name(name)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .standard_retry(&sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .timeout_config(timeouts.operation_timeout(PATIENCE).build())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
            .retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .interceptor(self.shared.calls.clone())
            .runtime_plugin(
                StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components),
            );
        if let Some(client) = sdk.http_client() {
            operation = operation.http_client(client);
        }
        let operation =
            operation.serializer(move |words| service.request(name, &words)).deserializer(answer::read);
        operation.build().invoke(words).await.map_err(|error| AwsError::of(action, resource, error))
    }
}

struct Signing {
    name: &'static str,
    region: String,
}

fn layer(signing: Signing, partition: RetryPartition) -> Layer {
    let mut layer = Layer::new("katkit");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(Region::new(signing.region))),
        name: Some(SigningName::from_static(signing.name)),
        ..SigV4OperationSigningConfig::default()
    });
    layer.store_put(partition);
    layer
}

impl Service {
    fn request(self, name: &str, words: &Words) -> Result<HttpRequest, BoxError> {
        let (content_type, body) = match words {
            Words::Query(pairs) => {
                let mut body = format!("Action={name}&Version={}", self.version());
                for (name, value) in pairs {
                    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
                    body.push_str(&format!("&{name}={value}"));
                }
                ("application/x-www-form-urlencoded", body)
            }
            Words::Json(document) => ("application/x-amz-json-1.1", document.to_string()),
        };
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", content_type);
        headers.insert("content-length", length);
        headers.insert("user-agent", concat!("katkit/", env!("CARGO_PKG_VERSION")));
        if matches!(words, Words::Json(_)) {
            headers.insert("x-amz-target", format!("{}.{name}", self.version()));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_written_as_its_service_reads_it() {
        let pairs = vec![("RoleName".to_owned(), "a b&c=d/é".to_owned())];
        let request = Service::Iam.request("GetRole", &Words::Query(pairs)).unwrap();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        assert_eq!(body, "Action=GetRole&Version=2010-05-08&RoleName=a%20b%26c%3Dd%2F%C3%A9");
        let words = Words::Json(serde_json::json!({ "SecretId": "x" }));
        let request = Service::SecretsManager.request("DescribeSecret", &words).unwrap();
        assert_eq!(request.headers().get("x-amz-target"), Some("secretsmanager.DescribeSecret"));
        assert_eq!(request.body().bytes(), Some(br#"{"SecretId":"x"}"#.as_slice()));
    }
}
