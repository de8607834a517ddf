//! A valid manifest, summarized.

use std::fmt;

use crate::manifest::Loaded;

/// States that a manifest is valid, and how much it contains.
#[derive(Clone, Copy, Debug)]
pub struct ManifestText<'a> {
    /// The loaded manifest.
    pub loaded: &'a Loaded,
}

impl fmt::Display for ManifestText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = &self.loaded.manifest;
        let count =
            |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        writeln!(
            f,
            "The manifest is valid: {}, {}, {}, {}.",
            count(manifest.tenants.len(), "tenant"),
            count(manifest.links().count(), "link"),
            if manifest.repos.len() == 1 {
                "1 repository".to_owned()
            } else {
                format!("{} repositories", manifest.repos.len())
            },
            count(self.loaded.files.len(), "file"),
        )?;
        let ungoverned = manifest.tenants.iter().filter(|(_, tenant)| tenant.policy.is_none());
        let ungoverned: Vec<_> = ungoverned.map(|(name, _)| name.as_str()).collect();
        if ungoverned.len() < manifest.tenants.len() && !ungoverned.is_empty() {
            writeln!(f, "No policy holds deployments in {}.", ungoverned.join(", "))?;
        }
        Ok(())
    }
}
