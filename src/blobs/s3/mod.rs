//! A store in an S3 bucket: a blob is an object named by its key, below the store's prefix.
//!
//! Objects appear whole or not at all, and every later read and listing sees a completed write: S3 guarantees both
//! since 2020. `create` is a write with `If-None-Match: *`. Each object carries the nonce of the write that created it,
//! so that a writer whose response was lost can tell that its own write took the key.
//!
//! The bucket's settings determine the encryption, so a bucket with its own key is respected; `katkit bootstrap` sets
//! up an encrypted one. Large files are uploaded in parts. Parts of a failed upload are removed at once, those of a
//! dead process by the bucket's lifecycle rule.
//!
//! Unlike a directory, S3 allows a blob under another blob's key.
//!
//! S3 reports a missing object only to callers who may list the whole bucket; others get "access denied". A caller who
//! may list only below the store's own prefix can still tell the two apart with one more call, so nobody needs broader
//! permissions.

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
use crate::aws::{Aws, AwsError, AwsLocation};
use crate::domain::{percent_decoded, percent_encoded};

use super::{BlobError, BlobKey, Blobs, Listed, MOST};

pub(super) use address::open;

/// How often an interrupted response is resumed.
const RESUMES: u32 = 10;

/// A store in an S3 bucket.
pub struct S3Blobs {
    aws: Aws,
    at: AwsLocation,
    bucket: String,
    prefix: String,
    client: OnceCell<Client>,
}

impl S3Blobs {
    /// The store in a bucket, below `prefix`, which may be empty and has no slash at either end. Sends no request
    /// before the first call.
    pub fn new(aws: Aws, at: AwsLocation, bucket: String, prefix: String) -> Self {
        Self { aws, at, bucket, prefix, client: OnceCell::new() }
    }

    async fn client(&self, key: &BlobKey, action: &'static str) -> Result<&Client, BlobError> {
        let make = || async { self.aws.s3(&self.at).await };
        self.client.get_or_try_init(make).await.map_err(|error| self.unavailable(key, action, error))
    }

    /// The name of the object with that key.
    fn name(&self, key: &BlobKey) -> String {
        if self.prefix.is_empty() { key.to_string() } else { format!("{}/{key}", self.prefix) }
    }

    /// The location as shown to users.
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

    /// The error for a failed call. `call` is its name in IAM, `action` what this store attempted: `read`, `written`, …
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

    /// The metadata of an object; `None` if there is none.
    async fn head(&self, key: &BlobKey) -> Result<Option<HeadObjectOutput>, BlobError> {
        let head = self.client(key, "read").await?.head_object().bucket(&self.bucket);
        match head.key(self.name(key)).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => self.unread(key, error).await.map(|()| None),
        }
    }

    /// Handles a failed read that S3 did not report as missing. `Ok` if the object turns out to be missing.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, "Permissions"
    async fn unread<E>(&self, key: &BlobKey, error: SdkError<E, HttpResponse>) -> Result<(), BlobError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // The name of the action in IAM.
        let error = AwsError::of("s3:GetObject", &format!("bucket {}", self.bucket), error);
        if matches!(error, AwsError::Denied { .. }) && self.is_absent(key).await {
            return Ok(());
        }
        Err(self.refused(key, "read", error))
    }

    /// Whether the object certainly does not exist.
    async fn is_absent(&self, key: &BlobKey) -> bool {
        let Ok(client) = self.client(key, "listed").await else { return false };
        let name = self.name(key);
        let list = client.list_objects_v2().bucket(&self.bucket).prefix(&name).max_keys(1);
        // Of all names with this prefix, the exact one comes first.
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
        // XML cannot represent all characters of a key.
        let list = list.encoding_type(EncodingType::Url).set_start_after(after.map(|after| self.name(after)));
        let what = format!("bucket {}", self.bucket);
        let mut pages = Pages::new("s3:ListBucket", &what);
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = list.clone().set_continuation_token(next).send().await;
            let page = page.map_err(|error| self.fault(prefix, "listed", "s3:ListBucket", error))?;
            for object in page.contents() {
                let key = name_of(object).and_then(|name| BlobKey::new(name.get(own..)?).ok());
                // Objects whose names are not valid keys belong to someone else.
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

/// The name of a listed object, which S3 returns URL-encoded.
fn name_of(object: &Object) -> Option<String> {
    // S3 encodes like a form: a blank is a plus.
    let name = object.key()?.replace('+', "%20");
    String::from_utf8(percent_decoded(&name)?).ok()
}

/// Storage time of a listed object, in whole seconds.
fn modified(object: &Object) -> Option<Timestamp> {
    let at = object.last_modified()?;
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// Whether the object does not exist.
fn is_missing(error: &SdkError<GetObjectError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(GetObjectError::is_no_such_key)
}

impl fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Blobs").field(&self.url()).finish()
    }
}
