//! The URL of a store: `s3://bucket/prefix`, with region and endpoint as a query if the manifest sets them.

use std::sync::Arc;

use crate::aws::{Aws, AwsLocation};
use crate::blobs::Blobs;
use crate::domain::{percent_decoded, percent_encoded};

use super::S3Blobs;

/// The URL of a location in S3.
pub fn url(place: &str, at: &AwsLocation) -> String {
    let named = [("region", &at.region), ("endpoint", &at.endpoint)];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let query: Vec<String> = named.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { place.to_owned() } else { format!("{place}?{}", query.join("&")) }
}

/// Also encodes slashes, which would look like further path segments.
fn encoded(value: &str) -> String {
    percent_encoded(value.as_bytes()).replace('/', "%2F")
}

/// Opens the store with that URL. An endpoint in the environment overrides the URL's: it is right for the machine this
/// process runs on.
pub fn open(url: &str) -> Result<Arc<dyn Blobs>, &'static str> {
    let rest = url.strip_prefix("s3://").unwrap_or(url);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() || bucket.contains(['%', '#']) {
        return Err("`s3://` must be followed by a bucket");
    }
    let text = |text: &str| percent_decoded(text).and_then(|bytes| String::from_utf8(bytes).ok());
    let prefix = text(prefix.trim_matches('/')).ok_or("its prefix is not percent-encoded UTF-8")?;
    let mut at = AwsLocation { yields: true, ..AwsLocation::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = text(value).ok_or("its query is not percent-encoded UTF-8")?;
        match name {
            "region" => at.region = Some(value),
            "endpoint" => at.endpoint = Some(value),
            _ => return Err("only `region` and `endpoint` are supported after `?`"),
        }
    }
    Ok(Arc::new(S3Blobs::new(Aws::new(), at, bucket.to_owned(), prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_reports_the_url_it_was_opened_with() {
        for url in [
            "s3://bucket",
            "s3://bucket/prefix",
            "s3://bucket/a/b%20%C3%BC%3F",
            "s3://bucket/prefix?region=eu-central-1",
            "s3://bucket?region=eu-central-1&endpoint=http%3A%2F%2F127.0.0.1%3A4566%2F",
        ] {
            assert_eq!(open(url).unwrap().url(), url);
        }
        for bad in ["s3://", "s3:///prefix", "s3://b/%zz", "s3://b?x=1", "s3://b?region=%ff"] {
            assert!(open(bad).is_err(), "{bad}");
        }
    }
}
