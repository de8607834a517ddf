//! The images that a phase built: it lists them in a file among its artifacts.

use std::io::{self, Read};
use std::path::Path;

use super::artifacts::open;
use super::log::Log;
use crate::domain::{ImageDigest, ImageDigests, without_digest};

/// The file, in `$KATKIT_ARTIFACTS`.
pub const FILE: &str = "katkit-images.txt";
/// The largest file in bytes. Its digests go into the status of the replica, which is limited, too.
const LARGEST: usize = 16 * 1024;

/// The images listed in `artifacts`; none if there is no list. An error describes the mistake in it.
pub fn read(artifacts: &Path, log: &Log) -> Result<ImageDigests, String> {
    let text = match text(&artifacts.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ImageDigests::new()),
        Err(error) => return Err(format!("`{FILE}` could not be read: {error}")),
    };
    if log.masked(&text) != text {
        return Err(format!("`{FILE}` contains the value of a secret"));
    }
    parse(&text)
}

fn text(path: &Path) -> io::Result<String> {
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(LARGEST as u64 + 1).read_to_string(&mut text)?;
    if text.len() > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} KiB", LARGEST >> 10)));
    }
    Ok(text)
}

/// One image per line: `NAME:TAG@DIGEST`.
fn parse(text: &str) -> Result<ImageDigests, String> {
    let mut images = ImageDigests::new();
    for (line, image) in text.lines().map(str::trim).enumerate() {
        if image.is_empty() || image.starts_with('#') {
            continue;
        }
        let mistake = |what: &str| Err(format!("line {} of `{FILE}` {what}", line + 1));
        let name = without_digest(image);
        let Some(digest) = ImageDigest::of(image).filter(|_| is_tagged(name)) else {
            return mistake("is not of the form `NAME:TAG@sha256:…`");
        };
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return mistake("contains a blank or a control character in the name of the image");
        }
        if images.insert(name.to_owned(), digest.clone()).is_some_and(|before| before != digest) {
            return mistake("gives an image another digest than a line before");
        }
    }
    Ok(images)
}

/// Whether the last part of a name has a tag that registries accept.
fn is_tagged(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_some_and(|(name, tag)| {
        let is_tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        !name.is_empty() && !tag.is_empty() && tag.chars().all(is_tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_image_per_line() {
        let digest = |c: &str| format!("sha256:{}", c.repeat(64));
        let (a, b) = (digest("a"), digest("b"));
        let images =
            parse(&format!("# by the build\n\nacme/web:1@{a}\r\nhost:5000/acme/web:1@{b}\nacme/web:1@{a}"));
        let images: Vec<_> = images.unwrap().into_iter().map(|(name, it)| format!("{name}@{it}")).collect();
        assert_eq!(images, [format!("acme/web:1@{a}"), format!("host:5000/acme/web:1@{b}")]);
        for (text, why) in [
            ("acme/web:1".to_owned(), "line 1 of `katkit-images.txt` is not of the form"),
            (format!("\nhost:5000/web@{a}"), "line 2 of `katkit-images.txt` is not of the form"),
            ("acme/web:1@sha256:00".to_owned(), "is not of the form"),
            (format!(":@{a}"), "is not of the form"),
            (format!("a:b:c@{a}"), "is not of the form"),
            (format!("acme web:1@{a}"), "contains a blank"),
            (format!("web:1@{a}\nweb:1@{b}"), "line 2 of `katkit-images.txt` gives an image another digest"),
        ] {
            let found = parse(&text).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        assert_eq!(text(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(text(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(text(&path).is_err());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "#".repeat(LARGEST + 1)).unwrap();
        assert_eq!(text(&path).unwrap_err().to_string(), "it is larger than 16 KiB");
    }
}
