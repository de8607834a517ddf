//! Requests to AWS services for which katkit has no SDK client.
//!
//! A handful of operations does not justify five more SDK clients; the EC2 client alone takes minutes to compile. These
//! requests use the parts that SDK clients are made of: the same code finds credentials, region and endpoint, signs,
//! retries, times out and counts requests, and errors become the same [`AwsError`]. Only request and response bodies
//! are written and parsed by hand.

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

use self::answer::ServiceAnswer;
use super::{Aws, AwsError, AwsLocation, ResolvedLocation};

pub use answer::records;
pub use service::Service;

/// Timeout of a call including retries. Short, because in a closed network these services may be unreachable, and
/// katkit can do without their answers.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One request.
#[derive(Clone, Debug)]
pub struct AwsRequest<'a> {
    /// The receiver.
    pub service: Service,
    /// As named in IAM policies, such as `iam:GetRole`; the part after the colon is the API operation.
    pub action: &'static str,
    /// A description or ARN of what the request is about.
    pub resource: &'a str,
    /// The parameters.
    pub words: RequestBody,
}

/// Request parameters in the service's protocol.
#[derive(Clone, Debug)]
pub enum RequestBody {
    /// Names and values; the response is XML.
    Query(Vec<(String, String)>),
    /// A JSON document; the response is JSON.
    Json(serde_json::Value),
}

impl Aws {
    /// Sends a request and returns the response body.
    pub async fn ask(&self, place: &AwsLocation, question: AwsRequest<'_>) -> Result<String, AwsError> {
        let AwsRequest { service, action, resource, words } = question;
        let ResolvedLocation { sdk, endpoint } = self.choose(place).await?;
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
            .timeout_config(timeouts.operation_timeout(TIMEOUT).build())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AwsErrorCodeClassifier::<ServiceAnswer>::new())
            .retry_classifier(TransientErrorClassifier::<ServiceAnswer>::new())
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
    fn request(self, name: &str, words: &RequestBody) -> Result<HttpRequest, BoxError> {
        let (content_type, body) = match words {
            RequestBody::Query(pairs) => {
                let mut body = format!("Action={name}&Version={}", self.version());
                for (name, value) in pairs {
                    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
                    body.push_str(&format!("&{name}={value}"));
                }
                ("application/x-www-form-urlencoded", body)
            }
            RequestBody::Json(document) => ("application/x-amz-json-1.1", document.to_string()),
        };
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", content_type);
        headers.insert("content-length", length);
        headers.insert("user-agent", concat!("katkit/", env!("CARGO_PKG_VERSION")));
        if matches!(words, RequestBody::Json(_)) {
            headers.insert("x-amz-target", format!("{}.{name}", self.version()));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_follows_its_services_protocol() {
        let pairs = vec![("RoleName".to_owned(), "a b&c=d/é".to_owned())];
        let request = Service::Iam.request("GetRole", &RequestBody::Query(pairs)).unwrap();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        assert_eq!(body, "Action=GetRole&Version=2010-05-08&RoleName=a%20b%26c%3Dd%2F%C3%A9");
        let words = RequestBody::Json(serde_json::json!({ "SecretId": "x" }));
        let request = Service::SecretsManager.request("DescribeSecret", &words).unwrap();
        assert_eq!(request.headers().get("x-amz-target"), Some("secretsmanager.DescribeSecret"));
        assert_eq!(request.body().bytes(), Some(br#"{"SecretId":"x"}"#.as_slice()));
    }
}
