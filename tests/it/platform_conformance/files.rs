//! The file platform: one directory for both links.

use std::sync::Arc;

use katkit::domain::LinkId;
use katkit::platform::{FilePlatform, Platform};

use super::fixture::{Ground, description};

/// A directory.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Ground for Files {
    fn own(&self) -> LinkId {
        "dev/shop".parse().unwrap()
    }

    fn neighbour(&self) -> LinkId {
        "prod/shop".parse().unwrap()
    }

    fn nowhere(&self) -> LinkId {
        "dev/nowhere".parse().unwrap()
    }

    fn platform(&self, _: &LinkId) -> Arc<dyn Platform> {
        let read = |text: &str| katkit::description::images(text).map_err(|error| error.to_string());
        Arc::new(FilePlatform::new(self.0.path().to_owned(), read))
    }

    fn image(&self, number: u32) -> String {
        format!("acme/web:{number}")
    }

    async fn by_hand(&self, image: &str) {
        std::fs::write(self.0.path().join("shop.json"), description(image)).unwrap();
    }
}
