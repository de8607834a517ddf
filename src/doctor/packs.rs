//! Whether the commits that are said to be packed are.

use std::collections::BTreeSet;

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::causes;
use crate::domain::Check;
use crate::report::Section;

/// Where the packs of all repositories lie.
const COMMITS: &str = "commits";

/// What there is to say of all packs, which are listed once, and whether the store could be read.
pub(super) async fn examine(blobs: &dyn Blobs) -> (Section, bool) {
    let found = found(blobs).await;
    let readable = found.is_ok();
    let checks = found.unwrap_or_else(|error| {
        let what = format!("blob store `{}`", blobs.url());
        let why = causes::in_one_line(&error);
        vec![Check::unknown(what, format!("{why}; what phases left in it is not looked at"))]
    });
    (Section { title: "blobs".to_owned(), checks }, readable)
}

async fn found(blobs: &dyn Blobs) -> Result<Vec<Check>, BlobError> {
    let listed = blobs.list(&BlobKey::new(COMMITS)?, None).await?;
    let listed: BTreeSet<BlobKey> = listed.into_iter().map(|listed| listed.key).collect();
    let mut checks = Vec::new();
    // Of a tenant of that name, no blob lies as high as this.
    for marker in listed.iter().filter(|key| key.as_str().split('/').count() == 3) {
        let Some(name) = marker.as_str().strip_suffix(".pack.json") else { continue };
        let pack = BlobKey::new(format!("{name}.pack"))?;
        let index = pack.pack_index();
        // Looked at twice: it may be packed right now.
        if !listed.contains(&pack) && !blobs.exists(&pack).await? {
            let how = "is gone, and is made again when a phase needs it";
            checks.push(Check::good(format!("pack `{pack}`"), how));
        } else if !listed.contains(&index) && !blobs.exists(&index).await? {
            let problem = format!("its index `{index}` is gone, so no phase can check the commit out");
            let fix =
                format!("remove `{marker}` from {}, and it is made again when a phase needs it", blobs.url());
            checks.push(Check::bad(format!("pack `{pack}`"), problem, fix));
        }
    }
    Ok(checks)
}
