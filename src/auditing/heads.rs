//! The heads of all links, and what cannot be read of them.

use futures::{StreamExt as _, stream};

use super::TOGETHER;
use crate::audit::{CONSENTS, Finding, Flaw};
use crate::domain::{Head, LinkId};
use crate::state::{State, StateError};

/// The heads of all links that were ever leased, blank for those without a head.
pub(super) async fn heads(state: &dyn State) -> Result<(Vec<(LinkId, Box<Head>)>, Vec<Finding>), StateError> {
    let survey = match state.survey().await {
        Err(error) if error.is_unreadable() => return one_by_one(state, &error).await,
        survey => survey?,
    };
    let findings = survey.damaged.iter().map(|(link, error)| unreadable(link.to_string(), error)).collect();
    let mut heads = survey.heads;
    // A link that was ever written to was leased. Without a head, its events must be gone, too.
    let is_headless = |link: &LinkId| {
        heads.binary_search_by(|(known, _)| known.cmp(link)).is_err() && !survey.damaged.contains_key(link)
    };
    let headless: Vec<_> = survey.leases.into_iter().map(|(link, _)| link).filter(is_headless).collect();
    heads.extend(headless.into_iter().map(|link| (link, Box::default())));
    Ok((heads, findings))
}

/// The same where something that belongs to no link cannot be read, such as a consent.
async fn one_by_one(
    state: &dyn State,
    error: &StateError,
) -> Result<(Vec<(LinkId, Box<Head>)>, Vec<Finding>), StateError> {
    let links = state.leases(None).await?.into_iter().map(|(link, _)| link);
    let reads = links.map(|link| async move {
        let head = state.heads(Some(std::slice::from_ref(&link))).await;
        (link, head)
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffered(TOGETHER);
    let (mut heads, mut findings) = (Vec::new(), vec![unreadable(CONSENTS.to_owned(), error)]);
    while let Some((link, read)) = reads.next().await {
        match read {
            Ok(found) => {
                let head = found.into_iter().next().map(|(_, head)| head).unwrap_or_default();
                heads.push((link, Box::new(head)));
            }
            Err(error) if error.is_unreadable() => findings.push(unreadable(link.to_string(), &error)),
            Err(error) => return Err(error),
        }
    }
    Ok((heads, findings))
}

/// A journal that cannot be read.
pub(super) fn unreadable(journal: String, error: &StateError) -> Finding {
    Finding { journal: Some(journal), flaw: Flaw::Unreadable { why: error.to_string() } }
}
