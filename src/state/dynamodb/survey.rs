//! Everything recorded of the present, page by page.

use crate::state::{StateError, Survey};

use super::item;
use super::layout::{HEADS, LEASES, REQUESTS};
use super::table::{Table, link_of};
use super::{leases, links, requests};

/// See [`crate::state::State::survey`].
pub async fn survey(table: &Table) -> Result<Survey, StateError> {
    let mut survey = Survey { heads: Vec::new(), leases: Vec::new(), requests: Vec::new() };
    for item in table.present("").await? {
        let place = item::text(&item, "sk").unwrap_or_default();
        let link = |prefix| link_of(&item, prefix).map_err(|what| table.corrupt(None, what));
        if place.starts_with(HEADS) {
            let link = link(HEADS)?;
            let head = links::head(table, &link, item).await;
            survey.heads.push((link, head));
        } else if place.starts_with(LEASES) {
            let link = link(LEASES)?;
            let lease = leases::read(table, &link, &item)?;
            survey.leases.push((link, lease));
        } else if place.starts_with(REQUESTS) {
            survey.requests.push(requests::read(table, &item)?);
        }
    }
    survey.heads.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.leases.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.requests.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(survey)
}
