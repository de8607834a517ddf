//! Evidence of reviews and checks.

use crate::access::Right;
use crate::domain::{Actor, CommitReview, CommitSha, Consent, ConsentKind};
use crate::estate::Estate;
use crate::requests::RequestError;
use crate::state::NewConsent;

/// How often evidence for one commit may be handed in before it is withdrawn.
const MOST: usize = 20;

/// Records evidence for a commit. Returns the consent, and whether it was recorded before.
pub async fn hand_in(
    estate: &Estate,
    (by, why): (&Actor, Option<&str>),
    sha: &CommitSha,
    review: &CommitReview,
) -> Result<(Consent, bool), RequestError> {
    may_hand_in(estate, by)?;
    let what = ConsentKind::Evidence { sha: sha.clone(), review: Box::new(review.clone()) };
    let before = estate.state.evidence(std::slice::from_ref(sha)).await?;
    // Only the last: a check may have failed in between.
    if let Some(last) = before.last().filter(|last| last.what == what && last.by == *by) {
        return Ok((last.clone(), true));
    }
    if before.len() >= MOST {
        let what = format!("evidence for {} was handed in {MOST} times", sha.short());
        let hint = format!("hand in what holds in one call, after `katkit evidence {sha} --withdraw`");
        return Err(RequestError::refused(what, hint));
    }
    Ok((record(estate, (by, why), what).await?, false))
}

/// Withdraws all evidence for a commit. Returns what it withdrew; records nothing if there is none.
pub async fn withdraw(
    estate: &Estate,
    (by, why): (&Actor, Option<&str>),
    sha: &CommitSha,
) -> Result<Vec<Consent>, RequestError> {
    may_hand_in(estate, by)?;
    let before = estate.state.evidence(std::slice::from_ref(sha)).await?;
    if !before.is_empty() {
        record(estate, (by, why), ConsentKind::EvidenceWithdrawal { sha: sha.clone() }).await?;
    }
    Ok(before)
}

async fn record(
    estate: &Estate,
    (by, why): (&Actor, Option<&str>),
    what: ConsentKind,
) -> Result<Consent, RequestError> {
    let (at, why) = (estate.clock.now(), why.map(str::to_owned));
    Ok(estate.state.consent(NewConsent { at, by: by.clone(), why, what, ends: Vec::new() }).await?)
}

/// Refuses an actor who has the right nowhere. Where they have it, their evidence counts.
fn may_hand_in(estate: &Estate, by: &Actor) -> Result<(), RequestError> {
    let manifest = estate.manifest();
    let mut links = manifest.links().map(|(link, _, _)| link).peekable();
    let first = links.peek().cloned();
    if links.any(|link| manifest.access.may(by, Right::Evidence, &link)) {
        return Ok(());
    }
    let what = format!("{} does not have the right `{}` on any link", by.name, Right::Evidence);
    let hint = first.map(|link| format!("`katkit who-can evidence {link}` shows who has it"));
    Err(RequestError::refused(what, hint))
}
