//! Reads objects, and resumes interrupted responses.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::aws::AwsError;
use crate::blobs::{BlobError, BlobKey};

use super::{RESUMES, S3Blobs, is_missing};

/// Time allowed for any object, however small, plus the minimum transfer rate in bytes per second.
const LEAST: Duration = Duration::from_mins(5);
const SLOWEST: u64 = 16 << 10;

impl S3Blobs {
    /// Passes the object's bytes to `take` in order. Returns false, without calling `take`, if there is no object.
    pub(super) async fn download(
        &self,
        key: &BlobKey,
        mut take: impl FnMut(&[u8]) -> Result<(), BlobError>,
    ) -> Result<bool, BlobError> {
        let client = self.client(key, "read").await?;
        let (mut taken, mut version, mut resumes) = (0_u64, None, 0);
        loop {
            let mut get = client.get_object().bucket(&self.bucket).key(self.name(key));
            if taken > 0 {
                // The same version, so that the two parts belong together.
                get = get.range(format!("bytes={taken}-")).set_if_match(version.clone());
            }
            let mut answer = match get.send().await {
                Ok(answer) => answer,
                Err(error) if taken == 0 && is_missing(&error) => return Ok(false),
                Err(error) if taken == 0 => return self.unread(key, error).await.map(|()| false),
                Err(error) => return Err(self.fault(key, "read", "s3:GetObject", error)),
            };
            version = version.or_else(|| answer.e_tag().map(str::to_owned));
            let size = answer.content_length().and_then(|size| u64::try_from(size).ok());
            let Some(size) = size else { return Err(self.implausible(key, "states no size")) };
            let deadline = Instant::now() + LEAST + Duration::from_secs(size / SLOWEST);
            let end = taken.saturating_add(size);
            let broke = loop {
                match timeout_at(deadline, answer.body.next()).await {
                    Err(_) => return Err(self.implausible(key, "is slower than 16 KiB per second")),
                    Ok(None) => return Ok(true),
                    Ok(Some(Ok(part))) => {
                        taken += part.len() as u64;
                        if taken > end {
                            return Err(self.implausible(key, "is larger than its stated size"));
                        }
                        take(&part)?;
                    }
                    Ok(Some(Err(error))) => break error,
                }
            };
            resumes += 1;
            if resumes > RESUMES {
                return Err(self.unavailable(key, "read", broke));
            }
        }
    }

    fn implausible(&self, key: &BlobKey, what: &str) -> BlobError {
        let (action, resource) = ("s3:GetObject", format!("bucket {}", self.bucket));
        self.unavailable(key, "read", AwsError::Implausible { action, resource, what: what.to_owned() })
    }

    pub(super) async fn download_file(&self, key: &BlobKey, to: &Path) -> Result<(), BlobError> {
        let fault = |source| BlobError::File { path: to.to_owned(), source };
        // Created with the first byte, so that a missing object leaves no file.
        let mut file: Option<File> = None;
        let found = self.download(key, |part| {
            let file = match &mut file {
                Some(file) => file,
                None => file.insert(File::create_new(to).map_err(fault)?),
            };
            file.write_all(part).map_err(fault)
        });
        match found.await {
            Ok(false) => Err(self.missing(key)),
            Ok(true) if file.is_none() => File::create_new(to).map(drop).map_err(fault),
            Ok(true) => Ok(()),
            Err(error) => {
                if file.is_some() {
                    // A partial file is useless to the caller. The download error matters more than a failed removal.
                    let _ = std::fs::remove_file(to);
                }
                Err(error)
            }
        }
    }
}
