//! A store in a bucket of S3: a blob is an object, its key the path behind the store's prefix.
//!
//! An object appears whole or not at all, and what was written is seen by every later read and listing: S3 promises both
//! since 2020. `create` is a write under `If-None-Match: *`. Each object carries the nonce of the write that made it, so
//! that a writer whose answer got lost finds out that it was itself who took the key.
//!
//! Objects are encrypted as the bucket says, so that a bucket with a key of its own is respected; `katkit bootstrap`
//! sets up one that encrypts. Large files go up in parts; parts of an upload that failed are removed, and those of a
//! process that died are removed by the bucket's lifecycle rule.
//!
//! Unlike a directory, S3 does not mind a blob under the key of another.
//!
//! S3 says that an object is missing only to a caller who may list the whole bucket; to others it says "access denied".
//! A caller who may list below the store's own prefix can still tell the two apart, with one more call. So nobody needs to
//! be allowed more than that.

mod address;
mod download;
mod upload;

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{EncodingType, Object};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::aws::limits::Pages;
use crate::aws::{Aws, AwsError, Place};
use crate::domain::{percent_decoded, percent_encoded};

use super::{BlobError, BlobKey, Blobs, Listed, MOST};

pub(super) use address::open;

/// How often an answer that broke off is asked for again, from where it broke off.
const RESUMES: u32 = 10;

/// See the module's text.
pub struct S3Blobs {
    aws: Aws,
    at: Place,
    bucket: String,
    prefix: String,
    client: OnceCell<Client>,
}

impl S3Blobs {
    /// The store in a bucket, below `prefix`, which is perhaps empty and has no slash at either end. Nothing is asked
    /// before the first call.
    pub fn new(aws: Aws, at: Place, bucket: String, prefix: String) -> Self {
        Self { aws, at, bucket, prefix, client: OnceCell::new() }
    }

    async fn client(&self, key: &BlobKey, action: &'static str) -> Result<&Client, BlobError> {
        let make = || async { self.aws.s3(&self.at).await };
        self.client.get_or_try_init(make).await.map_err(|error| self.unavailable(key, action, error))
    }

    /// The object's name.
    fn name(&self, key: &BlobKey) -> String {
        if self.prefix.is_empty() { key.to_string() } else { format!("{}/{key}", self.prefix) }
    }

    /// For people.
    fn place(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, percent_encoded(self.prefix.as_bytes()))
    }

    fn missing(&self, key: &BlobKey) -> BlobError {
        BlobError::Missing { key: key.to_string(), place: self.place() }
    }

    fn unavailable(
        &self,
        key: &BlobKey,
        action: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> BlobError {
        BlobError::Unavailable { key: key.to_string(), place: self.place(), action, source: source.into() }
    }

    /// What a failed call means. `call` is what IAM calls it, `action` what this store attempted: `read`, `written`, …
    fn fault<E>(
        &self,
        key: &BlobKey,
        action: &'static str,
        call: &'static str,
        error: SdkError<E, HttpResponse>,
    ) -> BlobError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.refused(key, action, AwsError::of(call, &format!("bucket {}", self.bucket), error))
    }

    fn refused(&self, key: &BlobKey, action: &'static str, error: AwsError) -> BlobError {
        if error.code() == Some("NoSuchBucket") {
            return BlobError::NoStore { place: self.place() };
        }
        self.unavailable(key, action, error)
    }

    /// What S3 says of an object without sending it; `None` if there is none.
    async fn head(&self, key: &BlobKey) -> Result<Option<HeadObjectOutput>, BlobError> {
        let head = self.client(key, "read").await?.head_object().bucket(&self.bucket);
        match head.key(self.name(key)).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => self.unread(key, error).await.map(|()| None),
        }
    }

    /// What a failed read means if S3 did not say that the object is missing. `Ok` if it is missing all the same.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, "Permissions"
    async fn unread<E>(&self, key: &BlobKey, error: SdkError<E, HttpResponse>) -> Result<(), BlobError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // What IAM calls it.
        let error = AwsError::of("s3:GetObject", &format!("bucket {}", self.bucket), error);
        if matches!(error, AwsError::Denied { .. }) && self.is_absent(key).await {
            return Ok(());
        }
        Err(self.refused(key, "read", error))
    }

    /// Whether there is certainly no such object.
    async fn is_absent(&self, key: &BlobKey) -> bool {
        let Ok(client) = self.client(key, "listed").await else { return false };
        let name = self.name(key);
        let list = client.list_objects_v2().bucket(&self.bucket).prefix(&name).max_keys(1);
        // Of all names that begin so, this one comes first.
        match list.encoding_type(EncodingType::Url).send().await {
            Ok(page) => page.contents().first().and_then(name_of).is_none_or(|first| first != name),
            Err(_) => false,
        }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.upload(key, bytes.to_vec().into()).await
    }

    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.upload_new(key, bytes).await
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.upload_file(key, file).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        self.get_within(key, MOST).await
    }

    async fn get_within(&self, key: &BlobKey, most: u64) -> Result<Option<Vec<u8>>, BlobError> {
        let mut bytes = Vec::new();
        let found = self.download(key, |part| {
            if bytes.len() as u64 + part.len() as u64 > most {
                return Err(BlobError::TooLarge { key: key.to_string(), place: self.place(), most });
            }
            bytes.extend_from_slice(part);
            Ok(())
        });
        Ok(found.await?.then_some(bytes))
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let found = self.head(key).await?;
        Ok(found.map(|head| head.content_length().and_then(|size| size.try_into().ok()).unwrap_or(0)))
    }

    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.download_file(key, file).await
    }

    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        let below = format!("{}/", self.name(prefix));
        let own = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let list = self.client(prefix, "listed").await?.list_objects_v2().bucket(&self.bucket).prefix(&below);
        // Some characters of a key have no place in XML.
        let list = list.encoding_type(EncodingType::Url).set_start_after(after.map(|after| self.name(after)));
        let what = format!("bucket {}", self.bucket);
        let mut pages = Pages::new("s3:ListBucket", &what);
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = list.clone().set_continuation_token(next).send().await;
            let page = page.map_err(|error| self.fault(prefix, "listed", "s3:ListBucket", error))?;
            for object in page.contents() {
                let key = name_of(object).and_then(|name| BlobKey::new(name.get(own..)?).ok());
                // What is no key of ours is none of ours.
                let Some(key) = key else { continue };
                found.push(Listed {
                    key,
                    size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                    modified: modified(object),
                });
            }
            let bytes = page.contents().iter().filter_map(Object::key).map(str::len).sum();
            let Some(token) = page.next_continuation_token.filter(|token| !token.is_empty()) else {
                return Ok(found);
            };
            pages.turn(bytes, &token).map_err(|error| self.refused(prefix, "listed", error))?;
            next = Some(token);
        }
    }

    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let remove = self.client(key, "removed").await?.delete_object().bucket(&self.bucket);
        let removed = remove.key(self.name(key)).send().await;
        removed.map(drop).map_err(|error| self.fault(key, "removed", "s3:DeleteObject", error))
    }

    fn url(&self) -> String {
        address::url(&self.place(), &self.at)
    }

    async fn link(&self, key: &BlobKey, valid: Duration) -> Result<Option<String>, BlobError> {
        let limits =
            PresigningConfig::expires_in(valid).map_err(|error| self.unavailable(key, "linked", error))?;
        let get = self.client(key, "linked").await?.get_object().bucket(&self.bucket).key(self.name(key));
        let signed = get.presigned(limits).await;
        let signed = signed.map_err(|error| self.fault(key, "linked", "s3:GetObject", error))?;
        Ok(Some(signed.uri().to_owned()))
    }
}

/// The name of a listed object, which was asked for as a URL's.
fn name_of(object: &Object) -> Option<String> {
    // As a form is encoded: a blank is a plus.
    let name = object.key()?.replace('+', "%20");
    String::from_utf8(percent_decoded(&name)?).ok()
}

/// When a listed object was stored, to the second.
fn modified(object: &Object) -> Option<Timestamp> {
    let at = object.last_modified()?;
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// Whether there is no such object.
fn is_missing(error: &SdkError<GetObjectError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(GetObjectError::is_no_such_key)
}

impl fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Blobs").field(&self.url()).finish()
    }
}
