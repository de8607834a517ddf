//! The current record of all links, page by page.

use crate::state::{StateError, Survey};

use super::item;
use super::layout::{HEADS, LEASES, REQUESTS};
use super::table::{Table, link_of};
use super::{consents, leases, links, requests};

/// See [`crate::state::State::survey`].
pub async fn survey(table: &Table) -> Result<Survey, StateError> {
    // Both at once: a write that is based on them fails if a consent is given after its number was read.
    let (items, consents) = futures::future::try_join(table.present(""), consents::consents(table)).await?;
    let mut survey = Survey { consents, ..Survey::default() };
    for item in items {
        let place = item::text(&item, "sk").unwrap_or_default();
        let link = |prefix| link_of(&item, prefix).map_err(|what| table.corrupt(None, what));
        let (link, read) = if place.starts_with(HEADS) {
            let link = link(HEADS)?;
            let head = links::head(table, &link, item).await;
            (Some(link.clone()), head.map(|head| survey.heads.push((link, Box::new(head)))))
        } else if place.starts_with(LEASES) {
            let link = link(LEASES)?;
            let lease = leases::read(table, &link, &item);
            (Some(link.clone()), lease.map(|lease| survey.leases.push((link, lease))))
        } else if place.starts_with(REQUESTS) {
            (
                requests::link_of(&item),
                requests::read(table, &item).map(|request| survey.requests.push(request)),
            )
        } else {
            continue;
        };
        match (link, read) {
            (_, Ok(())) => {}
            (Some(link), Err(fault)) if fault.is_unreadable() => {
                survey.damaged.entry(link).or_insert(fault);
            }
            // An unreachable table is not damage, and damage without a link cannot be reported per link.
            (_, Err(error)) => return Err(error),
        }
    }
    survey.heads.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.leases.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.requests.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(survey)
}
