//! URLs of stores: `file:///absolute/path`, percent-encoded (RFC 8089, RFC 3986), and `s3://bucket/prefix`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BlobError, Blobs, DirectoryBlobs};
use crate::domain::{percent_decoded, percent_encoded};

/// Opens a store by its URL.
pub type OpenStore = fn(&str) -> Result<Arc<dyn Blobs>, BlobError>;

/// Opens the store that [`Blobs::url`] names, in which something is.
pub fn open(url: &str) -> Result<Arc<dyn Blobs>, BlobError> {
    let refused = |what| BlobError::Url { url: url.to_owned(), what };
    let Some((scheme, _)) = url.split_once("://") else {
        return Err(refused("a URL begins with `file://` or `s3://`"));
    };
    match scheme {
        "file" => open_directory(url),
        #[cfg(feature = "aws")]
        "s3" => super::s3::open(url).map_err(refused),
        #[cfg(not(feature = "aws"))]
        "s3" => Err(refused("this katkit was built without AWS")),
        _ => Err(refused("only `file://` and `s3://` are known to this katkit")),
    }
}

/// Opens the store in the directory that a `file://` URL names. A program that opens no other holds nothing of AWS.
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
    let rest = url.strip_prefix("file://").ok_or("only `file://` is known here")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("the path behind `file://` is not absolute");
    }
    if path.contains(['?', '#']) {
        return Err("a `?` or `#` in a path is written as `%3F` or `%23`");
    }
    let bytes = percent_decoded(path).ok_or("a `%` is followed by two hex digits")?;
    if bytes.contains(&0) {
        return Err("a path holds no NUL");
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
    fn what_is_not_a_store_gets_a_sentence() {
        let refused = |url| open(url).unwrap_err().to_string();
        assert_eq!(
            refused("/var/blobs"),
            "`/var/blobs` does not name a blob store: a URL begins with `file://` or `s3://`"
        );
        assert_eq!(
            refused("gs://bucket"),
            "`gs://bucket` does not name a blob store: only `file://` and `s3://` are known to this katkit"
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
