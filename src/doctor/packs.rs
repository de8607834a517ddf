//! Whether commit packs are complete.

use std::collections::BTreeMap;

use crate::blobs::{BlobError, BlobKey, Blobs, PackMarker};
use crate::causes;
use crate::domain::Check;
use crate::report::Section;

/// Checks all packs with one listing. Also returns whether the store could be read.
pub(super) async fn examine(blobs: &dyn Blobs) -> (Section, bool) {
    let found = found(blobs).await;
    let readable = found.is_ok();
    let checks = found.unwrap_or_else(|error| {
        let what = format!("blob store `{}`", blobs.url());
        let why = causes::in_one_line(&error);
        vec![Check::unknown(what, format!("{why}; the output of phases is not checked"))]
    });
    (Section { title: "blobs".to_owned(), checks }, readable)
}

async fn found(blobs: &dyn Blobs) -> Result<Vec<Check>, BlobError> {
    let listed = blobs.list(&BlobKey::commits(), None).await?;
    let listed: BTreeMap<BlobKey, u64> = listed.into_iter().map(|listed| (listed.key, listed.size)).collect();
    let mut checks = Vec::new();
    // Blobs of a tenant with this name, from before it was reserved, have more segments.
    for marker in listed.keys().filter(|key| key.as_str().split('/').count() == 3) {
        let Some(name) = marker.as_str().strip_suffix(".pack.json") else { continue };
        let pack = BlobKey::new(format!("{name}.pack"))?;
        // Checks again: the commit may be being packed right now.
        let size = match listed.get(&pack) {
            Some(size) => Some(*size),
            None => blobs.size(&pack).await?,
        };
        let Some(size) = size else {
            let how = "is gone; it is rebuilt when a phase needs it";
            checks.push(Check::good(format!("pack `{pack}`"), how));
            continue;
        };
        if let Some(problem) = cut(blobs, &pack, size).await? {
            let url = blobs.url();
            let fix = format!(
                "`katkit apply` rebuilds it when a phase needs it; otherwise remove `{pack}` from {url}"
            );
            checks.push(Check::bad(format!("pack `{pack}`"), problem, fix));
        }
    }
    Ok(checks)
}

/// The problem with a pack of this size, if it is truncated.
async fn cut(blobs: &dyn Blobs, pack: &BlobKey, size: u64) -> Result<Option<String>, BlobError> {
    // Avoids reading all markers if the store never has truncated blobs.
    if size > 0 && !blobs.may_be_cut() {
        return Ok(None);
    }
    // A pack with an unreadable marker is rebuilt anyway.
    let Some(marker) = PackMarker::read(blobs, pack).await? else { return Ok(None) };
    if marker.is_whole(size) {
        return Ok(None);
    }
    let of = marker.pack.map(|whole| format!(" of {whole}")).unwrap_or_default();
    Ok(Some(format!("has {size}{of} bytes, so no phase can check the commit out")))
}
