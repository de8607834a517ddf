//! Laws for any bytes as a `servicedescription.js`.

use katkit::description::{HUBTAG, Rebased, ServiceDescription, images, sha_in, unified_diff, with_images};
use katkit::domain::CommitSha;

/// Panics if a law is broken.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(ServiceDescription::from_bytes(bytes).is_err());
        return;
    };
    if let Ok(live) = images(text) {
        assert_eq!(
            with_images(text, &live).unwrap(),
            Rebased::Edited(text.to_owned()),
            "own images change nothing"
        );
    }
    let description = match ServiceDescription::parse(text) {
        Ok(description) => description,
        Err(error) => {
            let span = error.place().map_or(0..0, |place| place.span.clone());
            assert!(text.get(span).is_some(), "a mistake's position is inside the file");
            assert!(!error.to_string().chars().any(char::is_control), "a message is harmless to a terminal");
            return;
        }
    };
    let sha = CommitSha::new("0123456789abcdef0123456789abcdef01234567").unwrap();
    let retagged = description.retag(&sha);
    let after = ServiceDescription::parse(&retagged.text).expect("an edited description is still valid");
    assert_eq!(description.roles().len(), after.roles().len());
    for (before, after) in description.roles().iter().zip(after.roles()) {
        assert_eq!(before.name, after.name);
        assert_eq!(before.image.replace(HUBTAG, sha.as_str()), after.image);
        let rolled = retagged.images.iter().find(|(name, _)| *name == before.name);
        assert_eq!(rolled.is_some(), before.is_tagged());
        if let Some((_, image)) = rolled {
            assert_eq!(*image, after.image);
            assert_eq!(sha_in(&before.image, image), Some(sha.clone()));
        }
    }
    assert_eq!(after.retag(&sha).text, retagged.text, "retagging again changes nothing");
    let diff = unified_diff(text, &retagged.text, "servicedescription.js", 3);
    assert_eq!(diff.is_empty(), retagged.images.is_empty());
}
