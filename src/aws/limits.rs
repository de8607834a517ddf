//! Limits on an answer: its size, its time, its pages. The endpoint may not be AWS, and may be malicious.

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
    /// The size of an answer that is read into memory first: every answer but an object's content.
    pub bytes: usize,
    /// The time of a whole call, including retries.
    pub time: Duration,
}

/// `BatchGetItem` gives the largest answers, with up to 16 MB of items. Ten attempts with the longest waits and the
/// pauses between them take four minutes.
pub const ANSWER: Limits = Limits { bytes: 64 << 20, time: Duration::from_mins(5) };

/// The time of a call that uploads a part of a file over a slow line.
pub const UPLOAD: Duration = Duration::from_mins(30);

/// How many pages one listing may have: a million S3 objects.
const PAGES: usize = 1000;
/// How much text all of its pages may hold together.
const LISTING: usize = 256 << 20;

/// An answer larger than any should be.
#[derive(Debug, thiserror::Error)]
#[error("is larger than {} MiB", .0 >> 20)]
pub struct TooLarge(usize);

/// The SDK's own client, with a limit on the size of answers. The limit does not cover an object's content.
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
        // In an object's name, an equals sign is written as %3D.
        let is_object = request.uri().contains("x-id=GetObject");
        let (answer, most) = (self.inner.call(request), self.most);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_object && answer.status().is_success() { Ok(answer) } else { whole(answer, most).await }
        })
    }
}

/// The answer with its whole body in memory.
async fn whole(mut answer: HttpResponse, most: usize) -> Result<HttpResponse, ConnectorError> {
    let mut body = ByteStream::new(answer.take_body());
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if bytes.len() + part.len() > most {
            // A kind of error that the SDK does not retry.
            return Err(ConnectorError::user(TooLarge(most).into()));
        }
        bytes.extend_from_slice(&part);
    }
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

/// Counts the pages of one listing. Each page ends with a token for the next.
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
    /// For a listing of `resource` through `action`, as IAM names it.
    pub fn new(action: &'static str, resource: &'r str) -> Self {
        Self { action, resource, count: 0, bytes: 0, hashes: RandomState::new(), seen: HashSet::new() }
    }

    /// Checks whether to ask for one more page, after one with so much text. Fails after too many pages, or if
    /// `token` leads back to an earlier page.
    pub fn turn(&mut self, bytes: usize, token: &str) -> Result<(), AwsError> {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let what = if !self.seen.insert(self.hashes.hash_one(token)) {
            format!("leads from page {} back to one before it", self.count)
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
    fn a_listing_that_leads_back_or_does_not_end_is_given_up() {
        let sentence = "the answer of AWS to `ecs:ListTasks` on cluster `x`";
        assert_eq!(
            said(|pages, page| pages.turn(1, &(page % 3).to_string())),
            format!("{sentence} leads from page 4 back to one before it")
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
