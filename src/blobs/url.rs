//! URLs of stores: `file:///absolute/path`, percent-encoded (RFC 8089, RFC 3986), and `s3://bucket/prefix`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BlobError, Blobs, DirectoryBlobs};
use crate::domain::{percent_decoded, percent_encoded};

/// Opens a store by its URL.
pub type OpenStore = fn(&str) -> Result<Arc<dyn Blobs>, BlobError>;

/// Opens an existing store by the URL from [`Blobs::url`].
pub fn open(url: &str) -> Result<Arc<dyn Blobs>, BlobError> {
    let refused = |what| BlobError::Url { url: url.to_owned(), what };
    let Some((scheme, _)) = url.split_once("://") else {
        return Err(refused("its URL must begin with `file://` or `s3://`"));
    };
    match scheme {
        "file" => open_directory(url),
        #[cfg(feature = "aws")]
        "s3" => super::s3::open(url).map_err(refused),
        #[cfg(not(feature = "aws"))]
        "s3" => Err(refused("this build has no support for AWS")),
        _ => Err(refused("this build supports only `file://` and `s3://`")),
    }
}

/// Opens the store in the directory of a `file://` URL. A program that opens only such stores contains no AWS code.
pub fn open_directory(url: &str) -> Result<Arc<dyn Blobs>, BlobError> {
    match to_path(url) {
        Ok(path) => Ok(Arc::new(DirectoryBlobs::begun(path))),
        Err(what) => Err(BlobError::Url { url: url.to_owned(), what }),
    }
}

/// The URL of an absolute path.
pub(super) fn of_path(path: &Path) -> String {
    format!("file://{}", percent_encoded(path.as_os_str().as_bytes()))
}

fn to_path(url: &str) -> Result<PathBuf, &'static str> {
    let rest = url.strip_prefix("file://").ok_or("only `file://` is supported here")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("the path after `file://` is not absolute");
    }
    if path.contains(['?', '#']) {
        return Err("a `?` or `#` in a path must be written as `%3F` or `%23`");
    }
    let bytes = percent_decoded(path).ok_or("a `%` must be followed by two hex digits")?;
    if bytes.contains(&0) {
        return Err("a path must not contain NUL");
    }
    Ok(OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_being_a_url() {
        let odd = OsString::from_vec(b"/a b/%41/ue-\xc3\xbc/latin-\xfc/#?&".to_vec());
        for path in [Path::new("/"), Path::new("/var/lib/katkit"), Path::new(&odd)] {
            let url = of_path(path);
            assert!(url.is_ascii(), "{url}");
            assert_eq!(to_path(&url).unwrap(), path);
        }
    }

    #[test]
    fn an_invalid_url_is_refused_with_a_reason() {
        let refused = |url| open(url).unwrap_err().to_string();
        assert_eq!(
            refused("/var/blobs"),
            "`/var/blobs` does not name a blob store: its URL must begin with `file://` or `s3://`"
        );
        assert_eq!(
            refused("gs://bucket"),
            "`gs://bucket` does not name a blob store: this build supports only `file://` and `s3://`"
        );
        for bad in [
            "file://",
            "file://host/x",
            "file://x",
            "file:///a%2",
            "file:///a%zz",
            "file:///a%00",
            "file:///a#b",
        ] {
            assert!(matches!(open(bad), Err(BlobError::Url { .. })), "{bad}");
        }
    }
}
