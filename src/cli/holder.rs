//! Who holds a link, as far as a glance tells.

use std::collections::BTreeMap;

use super::error::CommandError;
use crate::app::App;
use crate::domain::{Lease, LinkId};
use crate::liveness;
use crate::plan::Holder;

/// The holders of `links`, or of all; links that nobody holds are left out. Whether a process on another machine is still
/// there is not found out, so it counts as alive.
pub(super) async fn holders(
    app: &App,
    links: Option<&[LinkId]>,
) -> Result<BTreeMap<LinkId, Holder>, CommandError> {
    Ok(of(app.state.leases(links).await?))
}

/// The same of leases that were read before.
pub(super) fn of(leases: Vec<(LinkId, Lease)>) -> BTreeMap<LinkId, Holder> {
    let holders = leases.into_iter().filter_map(|(id, lease)| {
        let owner = Box::new(lease.owner?);
        Some((id, if liveness::is_dead(&owner) { Holder::Dead(owner) } else { Holder::Other(owner) }))
    });
    holders.collect()
}

/// Whether somebody works on the link.
pub(super) async fn is_held(app: &App, link: &LinkId) -> Result<bool, CommandError> {
    let holders = holders(app, Some(std::slice::from_ref(link))).await?;
    Ok(holders.values().any(|holder| matches!(holder, Holder::Other(_))))
}
