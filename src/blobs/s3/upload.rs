//! Writes objects: in one request, conditionally, or in parts.

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::blobs::{BlobError, BlobKey, Blobs};

use super::S3Blobs;

/// Larger files are uploaded in parts of this size: 16 MiB.
const PART: u64 = 16 * 1024 * 1024;
/// Maximum number of parts of an object.
const PARTS: u64 = 10_000;
/// Parts uploaded at once; each is streamed from the file and never held in memory.
const TOGETHER: usize = 4;
/// Metadata key with the nonce of the write that created an object.
const WRITE: &str = "katkit-write";
/// Delay between retries, and their number, while another write to the same key is in progress.
const PAUSE: Duration = Duration::from_millis(50);
const TRIES: u32 = 20;

impl S3Blobs {
    pub(super) async fn upload(&self, key: &BlobKey, body: ByteStream) -> Result<(), BlobError> {
        let put = self.client(key, "written").await?.put_object().bucket(&self.bucket).key(self.name(key));
        let put = put.body(body).send().await;
        put.map(drop).map_err(|error| self.fault(key, "written", "s3:PutObject", error))
    }

    pub(super) async fn upload_new(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let client = self.client(key, "written").await?;
        let nonce = Uuid::new_v4().simple().to_string();
        let mut tries = 1;
        loop {
            let put = client.put_object().bucket(&self.bucket).key(self.name(key)).if_none_match("*");
            let put = put.metadata(WRITE, &nonce).body(bytes.to_vec().into());
            let Err(error) = put.send().await else { return Ok(()) };
            match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("PreconditionFailed") => {
                    return if self.nonce(key).await? == Some(nonce) {
                        Ok(())
                    } else {
                        Err(BlobError::Exists { key: key.to_string(), place: self.place() })
                    };
                }
                // Another write to the key was in progress, and may have failed.
                Some("ConditionalRequestConflict" | "OperationAborted") if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                _ => return Err(self.fault(key, "written", "s3:PutObject", error)),
            }
        }
    }

    /// The nonce of the write that created the object.
    async fn nonce(&self, key: &BlobKey) -> Result<Option<String>, BlobError> {
        let found = self.head(key).await?;
        Ok(found.and_then(|head| head.metadata()?.get(WRITE).cloned()))
    }

    pub(super) async fn upload_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let of_file = |error: io::Error| {
            let error = io::Error::new(error.kind(), format!("{}: {error}", file.display()));
            self.unavailable(key, "written", error)
        };
        let metadata = tokio::fs::metadata(file).await.map_err(of_file)?;
        if !metadata.is_file() {
            return Err(of_file(io::Error::other("it is not a regular file")));
        }
        if metadata.len() > PART {
            return self.upload_parts(key, file, metadata.len()).await;
        }
        let body = body(file, 0, metadata.len()).await.map_err(of_file)?;
        self.upload(key, body).await
    }

    async fn upload_parts(&self, key: &BlobKey, file: &Path, size: u64) -> Result<(), BlobError> {
        let client = self.client(key, "written").await?;
        let begin = client.create_multipart_upload().bucket(&self.bucket).key(self.name(key)).send().await;
        let begin = begin.map_err(|error| self.fault(key, "written", "s3:PutObject", error))?;
        let upload = begin.upload_id().unwrap_or_default();
        let done = async {
            let parts = self.parts(key, file, size, upload).await?;
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let complete = client.complete_multipart_upload().bucket(&self.bucket).key(self.name(key));
            match complete.upload_id(upload).multipart_upload(parts).send().await {
                Ok(_) => Ok(()),
                // A finished upload is gone, so this one may have succeeded without its response arriving.
                Err(error)
                    if error.as_service_error().and_then(|error| error.code()) == Some("NoSuchUpload")
                        && self.size(key).await? == Some(size) =>
                {
                    Ok(())
                }
                Err(error) => Err(self.fault(key, "written", "s3:PutObject", error)),
            }
        };
        let done = done.await;
        if done.is_err() {
            let abort = client.abort_multipart_upload().bucket(&self.bucket).key(self.name(key));
            if let Err(error) = abort.upload_id(upload).send().await {
                let error = self.fault(key, "removed", "s3:AbortMultipartUpload", error);
                tracing::warn!(%error, "parts of a failed upload remain until the bucket's lifecycle removes them");
            }
        }
        done
    }

    async fn parts(
        &self,
        key: &BlobKey,
        file: &Path,
        size: u64,
        upload: &str,
    ) -> Result<Vec<CompletedPart>, BlobError> {
        let client = self.client(key, "written").await?;
        let each = PART.max(size.div_ceil(PARTS));
        let part = |number: u64| async move {
            let begin = number * each;
            let body = body(file, begin, each.min(size - begin)).await;
            let body = body.map_err(|error| self.unavailable(key, "written", error))?;
            let number =
                i32::try_from(number + 1).map_err(|error| self.unavailable(key, "written", error))?;
            let send = client.upload_part().bucket(&self.bucket).key(self.name(key)).upload_id(upload);
            let sent = send.part_number(number).body(body).send().await;
            let sent = sent.map_err(|error| self.fault(key, "written", "s3:PutObject", error))?;
            let part =
                CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned));
            Ok(part.set_checksum_crc32(sent.checksum_crc32().map(str::to_owned)).build())
        };
        stream::iter((0..size.div_ceil(each)).map(part)).buffered(TOGETHER).try_collect().await
    }
}

/// A part of a file, read while it is sent, and again if it is sent again.
async fn body(file: &Path, offset: u64, length: u64) -> io::Result<ByteStream> {
    let body = ByteStream::read_from().path(file).offset(offset).length(Length::Exact(length));
    body.build().await.map_err(io::Error::other)
}
