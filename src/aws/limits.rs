//! Limits on responses: size, time and pages. The endpoint may not be AWS, and may be malicious.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_runtime::client::defaults::default_http_client_plugin_v2;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;

use super::AwsError;

/// The limits of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum size of a response that is read into memory as a whole: all except object content.
    pub bytes: usize,
    /// Maximum duration of a call, including retries.
    pub time: Duration,
}

/// `BatchGetItem` has the largest responses, with up to 16 MB of items. Ten attempts with the longest timeouts and the
/// pauses between them take four minutes.
pub const ANSWER: Limits = Limits { bytes: 64 << 20, time: Duration::from_mins(5) };

/// Maximum duration of a call that uploads part of a file over a slow connection.
pub const UPLOAD: Duration = Duration::from_mins(30);

/// Maximum pages per listing: a million S3 objects.
const PAGES: usize = 1000;
/// Maximum total text of a listing's pages, in bytes.
const LISTING: usize = 256 << 20;

/// A response above the size limit, in bytes.
#[derive(Debug, thiserror::Error)]
#[error("is larger than {} MiB", .0 >> 20)]
pub struct TooLarge(usize);

/// The SDK's HTTP client with a limit of `most` bytes on responses. The limit does not apply to object content.
pub fn client(most: usize) -> Option<SharedHttpClient> {
    let plugin = default_http_client_plugin_v2(BehaviorVersion::latest())?;
    let nothing = RuntimeComponentsBuilder::new("katkit");
    let inner = plugin.runtime_components(&nothing).http_client()?;
    Some(SharedHttpClient::new(Limited { inner, most }))
}

#[derive(Debug)]
struct Limited<T> {
    inner: T,
    most: usize,
}

impl HttpClient for Limited<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Limited { inner, most: self.most })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, bag)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, bag: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl HttpConnector for Limited<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // Object keys cannot contain this text: they encode an equals sign as %3D.
        let is_object = request.uri().contains("x-id=GetObject");
        let (answer, most) = (self.inner.call(request), self.most);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_object && answer.status().is_success() { Ok(answer) } else { whole(answer, most).await }
        })
    }
}

/// Reads the whole body into memory.
async fn whole(mut answer: HttpResponse, most: usize) -> Result<HttpResponse, ConnectorError> {
    let mut body = ByteStream::new(answer.take_body());
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if bytes.len() + part.len() > most {
            // The SDK does not retry user errors.
            return Err(ConnectorError::user(TooLarge(most).into()));
        }
        bytes.extend_from_slice(&part);
    }
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

/// Counts the pages of one listing. Each page carries a token for the next.
#[derive(Debug)]
pub struct Pages<'r> {
    action: &'static str,
    resource: &'r str,
    count: usize,
    bytes: usize,
    hashes: RandomState,
    seen: HashSet<u64>,
}

impl<'r> Pages<'r> {
    /// For a listing of `resource` through `action`, named as in IAM policies.
    pub fn new(action: &'static str, resource: &'r str) -> Self {
        Self { action, resource, count: 0, bytes: 0, hashes: RandomState::new(), seen: HashSet::new() }
    }

    /// Call before requesting the next page; `bytes` is the text size of the current one. Fails after too many pages or
    /// bytes, or if `token` repeats an earlier one.
    pub fn turn(&mut self, bytes: usize, token: &str) -> Result<(), AwsError> {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let what = if !self.seen.insert(self.hashes.hash_one(token)) {
            format!("leads from page {} back to an earlier one", self.count)
        } else if self.count >= PAGES {
            format!("has more than {PAGES} pages")
        } else if self.bytes > LISTING {
            format!("is larger than {} MiB in {} pages", LISTING >> 20, self.count)
        } else {
            return Ok(());
        };
        Err(AwsError::Implausible { action: self.action, resource: self.resource.to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mut turn: impl FnMut(&mut Pages<'_>, usize) -> Result<(), AwsError>) -> String {
        let mut pages = Pages::new("ecs:ListTasks", "cluster `x`");
        (0..=PAGES).find_map(|page| turn(&mut pages, page).err()).unwrap().to_string()
    }

    #[test]
    fn a_listing_that_loops_or_never_ends_fails() {
        let sentence = "the AWS response to `ecs:ListTasks` on cluster `x`";
        assert_eq!(
            said(|pages, page| pages.turn(1, &(page % 3).to_string())),
            format!("{sentence} leads from page 4 back to an earlier one")
        );
        assert_eq!(
            said(|pages, page| pages.turn(1, &page.to_string())),
            format!("{sentence} has more than 1000 pages")
        );
        assert_eq!(
            said(|pages, page| pages.turn(200 << 20, &page.to_string())),
            format!("{sentence} is larger than 256 MiB in 2 pages")
        );
    }
}
