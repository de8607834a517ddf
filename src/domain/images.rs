//! The images of a link's roles, and the digests of their contents.

use std::fmt;

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize};

/// The image of every role, by role name. Nearly every link has one or two roles, and a flat map with one takes a tenth
/// of a B-tree node.
pub type Images = LiteMap<String, String>;

/// The digest of each image, by its name with the tag.
pub type ImageDigests = LiteMap<String, ImageDigest>;

/// Where the digest of an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestSource {
    /// The phase that built the image listed it.
    Phase,
    /// The image's registry reported it.
    Registry,
}

/// The digests that were recorded with a phase of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseDigests {
    /// Those of the images that the phase built.
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub built: ImageDigests,
    /// Those that a registry had for other images when the phase had ended or, for a deployment, before it began.
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub found: ImageDigests,
}

/// Images without spare capacity; see `exact` in `head.rs`.
pub(super) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Images, D::Error> {
    let mut images = Images::deserialize(deserializer)?.into_tuple_vec();
    images.shrink_to_fit();
    Ok(Images::from_sorted_store_unchecked(images))
}

/// What an image contains, whatever its tag says: the digest of its manifest, or of the index of the manifests of
/// several platforms.
///
/// Source: <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

impl ImageDigest {
    /// `sha256:…` or `sha512:…`, as registries write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm, and the digits.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or_default()
    }

    /// The algorithm and the first ten digits, for display.
    pub fn short(&self) -> &str {
        let digits = self.0.find(':').map_or(0, |colon| colon + 1);
        &self.0[..digits + 10]
    }

    /// The digest that the name of an image ends with, if it does.
    pub fn of(image: &str) -> Option<Self> {
        image.split_once('@')?.1.to_owned().try_into().ok()
    }

    /// The image with this digest: `NAME:TAG@DIGEST`. What pulls it ignores the tag, which is for readers.
    pub fn pin(&self, image: &str) -> String {
        format!("{}@{self}", without_digest(image))
    }
}

/// An image without its digest.
pub fn without_digest(image: &str) -> &str {
    image.split_once('@').map_or(image, |(name, _)| name)
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = match text.split_once(':') {
            Some(("sha256", digits)) if digits.len() == 64 => digits,
            Some(("sha512", digits)) if digits.len() == 128 => digits,
            _ => "",
        };
        let is_digest = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_digest { Ok(Self(text)) } else { Err("a digest is `sha256:` and 64 lowercase hex digits") }
    }
}

impl From<ImageDigest> for String {
    fn from(digest: ImageDigest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_an_algorithm_and_its_digits() {
        let text = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let digest = ImageDigest::try_from(text.clone()).unwrap();
        assert_eq!((digest.as_str(), digest.short()), (text.as_str(), "sha256:0123456789"));
        assert_eq!(digest.parts(), ("sha256", &text[7..]));
        assert!(ImageDigest::try_from(format!("sha512:{}", "a".repeat(128))).is_ok());
        for bad in ["", "sha256:", "sha256:abc", &text[7..], &text.to_uppercase(), "md5:00"] {
            assert!(ImageDigest::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(ImageDigest::try_from(format!("sha512:{}", "a".repeat(64))).is_err());
    }

    #[test]
    fn an_image_keeps_its_tag_when_it_is_pinned() {
        let digest = ImageDigest::try_from(format!("sha256:{}", "a".repeat(64))).unwrap();
        let pinned = digest.pin("host:5000/acme/web:1");
        assert_eq!(pinned, format!("host:5000/acme/web:1@{digest}"));
        assert_eq!(digest.pin(&pinned), pinned);
        assert_eq!(ImageDigest::of(&pinned), Some(digest));
        assert_eq!(without_digest(&pinned), "host:5000/acme/web:1");
        assert_eq!((ImageDigest::of("web:1"), ImageDigest::of("web@sha256:12")), (None, None));
    }
}
