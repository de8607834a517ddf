//! Laws for any bytes as a manifest.

use std::path::Path;

use katkit::domain::CommitSha;
use katkit::manifest::edit::set_want;
use katkit::manifest::{Severity, Wanted, load};
use katkit::views::DiagnosticsText;

use super::memory_files::{MemoryFiles, ROOT};

/// Panics if a law is broken.
pub fn hold(bytes: &[u8]) {
    let root = Path::new(ROOT);
    let mut files = split(bytes);
    let loaded = match load(root, &files) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            assert!(diagnostics.count(Severity::Error) > 0, "a manifest is refused for a reason");
            let shown =
                DiagnosticsText { diagnostics: &diagnostics, colour: false, directory: None }.to_string();
            assert!(
                !shown.chars().any(|c| c.is_control() && c != '\n'),
                "what is shown is harmless to a terminal"
            );
            return;
        }
    };
    assert_eq!(loaded.warnings.count(Severity::Error), 0);
    let _ = DiagnosticsText { diagnostics: &loaded.warnings, colour: true, directory: None }.to_string();
    let sha = CommitSha::new("0123456789abcdef0123456789abcdef01234567").expect("a sha");
    let links: Vec<_> = loaded.manifest.links().map(|(id, _, _)| id).take(3).collect();
    for link in links {
        let file = loaded.file_of(&link).expect("a link is defined in a file").to_owned();
        let text = String::from_utf8(files.0[&file].clone()).expect("a manifest is text");
        // A link whose position cannot be edited may be refused instead.
        if let Ok(Some(edited)) = set_want(&text, &link, &Wanted::Sha(sha.clone())) {
            files.0.insert(file, edited.into_bytes());
            let again = load(root, &files).expect("a manifest stays valid when a sha is set");
            let (_, it) = again.manifest.link(&link).expect("and keeps its links");
            assert_eq!(it.want, Wanted::Sha(sha.clone()));
        }
    }
}

/// The root, and after each line `%%%` a file in `tenants/`.
fn split(bytes: &[u8]) -> MemoryFiles {
    let separator = b"\n%%%\n";
    let (mut rest, mut parts) = (bytes, Vec::new());
    while let Some(at) = rest.windows(separator.len()).position(|window| window == separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    let path = |at: usize| if at == 0 { ROOT.to_owned() } else { format!("/manifest/tenants/{at}.toml") };
    MemoryFiles(parts.iter().enumerate().map(|(at, part)| (path(at).into(), part.to_vec())).collect())
}
