//! Who holds a link's lease, without waiting to find out whether a remote process is alive.

use std::collections::BTreeMap;

use crate::app::App;
use crate::cli::error::CommandError;
use crate::domain::{Lease, LinkId};
use crate::liveness;
use crate::plan::Holder;

/// The lease holders of `links`, or of all links; links without a holder are omitted. A process on another machine
/// counts as alive.
pub(in crate::cli) async fn holders(
    app: &App,
    links: Option<&[LinkId]>,
) -> Result<BTreeMap<LinkId, Holder>, CommandError> {
    Ok(of(app.state.leases(links).await?))
}

/// The holders of leases that were already read.
pub(in crate::cli) fn of(leases: Vec<(LinkId, Lease)>) -> BTreeMap<LinkId, Holder> {
    let holders = leases.into_iter().filter_map(|(id, lease)| {
        let owner = Box::new(lease.owner?);
        Some((id, if liveness::is_dead(&owner) { Holder::Dead(owner) } else { Holder::Other(owner) }))
    });
    holders.collect()
}

/// Whether a live process works on the link.
pub(in crate::cli) async fn is_held(app: &App, link: &LinkId) -> Result<bool, CommandError> {
    let holders = holders(app, Some(std::slice::from_ref(link))).await?;
    Ok(holders.values().any(|holder| matches!(holder, Holder::Other(_))))
}
