//! Everything recorded of the present, page by page.

use crate::domain::LinkId;
use crate::state::{StateError, Survey};

use super::item::{self, Item};
use super::layout::{HEADS, LEASES, REQUESTS};
use super::table::{Table, link_of};
use super::{leases, links, requests};

/// See [`crate::state::State::survey`].
pub async fn survey(table: &Table) -> Result<Survey, StateError> {
    let mut survey = Survey::default();
    for item in table.present("").await? {
        let (link, fault) = match take(table, item, &mut survey).await {
            Ok(()) => continue,
            // What cannot be read now is no damage, and what is nobody's cannot be told of anybody.
            Err((Some(link), fault @ StateError::Corrupt { .. })) => (link, fault),
            Err((_, error)) => return Err(error),
        };
        survey.damaged.entry(link).or_insert(fault);
    }
    survey.heads.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.leases.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    survey.requests.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(survey)
}

/// Takes what an item says into `survey`. An error says of which link it is, where that can be seen.
async fn take(table: &Table, item: Item, survey: &mut Survey) -> Result<(), (Option<LinkId>, StateError)> {
    let place = item::text(&item, "sk").unwrap_or_default();
    let link = |prefix| link_of(&item, prefix).map_err(|what| (None, table.corrupt(None, what)));
    if place.starts_with(HEADS) {
        let link = link(HEADS)?;
        match links::head(table, &link, item).await {
            Ok(head) => survey.heads.push((link, head)),
            Err(error) => return Err((Some(link), error)),
        }
    } else if place.starts_with(LEASES) {
        let link = link(LEASES)?;
        match leases::read(table, &link, &item) {
            Ok(lease) => survey.leases.push((link, lease)),
            Err(error) => return Err((Some(link), error)),
        }
    } else if place.starts_with(REQUESTS) {
        let link = item::text(&item, "link").and_then(|link| link.parse().ok());
        survey.requests.push(requests::read(table, &item).map_err(|error| (link, error))?);
    }
    Ok(())
}
