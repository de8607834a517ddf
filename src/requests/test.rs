//! Tests the head of a pull request, merged into the branch.

use std::collections::BTreeSet;

use super::CheckedRequest;
use super::error::RequestError;
use crate::domain::{Head, LinkId, RequestKind};
use crate::estate::Estate;
use crate::inventory;
use crate::manifest::{Repo, Wanted};

/// `commit` is a sha, a prefix of one, a branch or a tag.
pub(super) async fn check(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    commit: &str,
) -> Result<CheckedRequest, RequestError> {
    let repo = repository(estate, link)?;
    let sha = estate.git.resolve(&repo.url, commit).await?;
    if let Some(run) = head.open_run()
        && run.merges().is_some_and(|merge| merge.head == sha)
    {
        let hint = format!("`katkit why {link} {}` shows how far it is", sha.short());
        return Err(RequestError::refused(format!("the test of {} is in progress", sha.short()), hint));
    }
    match inventory::untestable(estate.sources(), link, &sha).await? {
        Ok(None) => {}
        Ok(Some(why)) => return Err(RequestError::refused(why.describe(), why.hint())),
        Err(hold) => return Err(RequestError::refused(hold.reason.describe(), hold.hint)),
    }
    let others = estate.state.requests(Some(std::slice::from_ref(link))).await?;
    let pending = others.iter().filter(|it| !others.iter().any(|other| other.withdraws(&it.id)));
    let tests = pending.filter_map(|request| match &request.ask {
        RequestKind::Test { sha } => Some(sha),
        _ => None,
    });
    // The same commit is tested once, by any number of requests.
    let before: BTreeSet<_> = tests.take_while(|other| **other != sha).collect();
    let running = head.open_run().filter(|run| run.test.is_some());
    let before = before.len() + usize::from(running.is_some());
    let place = match before {
        0 => String::new(),
        1 => ", after 1 other test".to_owned(),
        more => format!(", after {more} other tests"),
    };
    let confirmation = format!("recorded: test {}, merged into `{}`{place}.", sha.short(), repo.branch);
    Ok(CheckedRequest { kind: RequestKind::Test { sha }, confirmation })
}

fn repository<'e>(estate: &'e Estate, link: &LinkId) -> Result<&'e Repo, RequestError> {
    let manifest = estate.manifest();
    let Some((_, it)) = manifest.link(link) else {
        return Err(RequestError::refused(format!("`{link}` is not in the manifest"), None));
    };
    let tests = manifest.pipeline_of(link).is_some_and(|(_, pipeline, _)| pipeline.tests_pull_requests(link));
    match (manifest.repos.get(&it.repo), tests) {
        (Some(repo), true) => Ok(repo),
        _ => {
            let hint = match &it.want {
                Wanted::Pipeline { .. } => {
                    "`source = \"pull-requests\"` in the first stage of a pipeline makes it test them"
                        .to_owned()
                }
                Wanted::Sha(_) | Wanted::Branch(_) => {
                    format!("`katkit set {link} SHA` selects another commit")
                }
            };
            Err(RequestError::refused(format!("`{link}` does not test pull requests"), hint))
        }
    }
}

/// Refuses a promotion where only tests choose the commits.
pub(super) fn refuse_promotion(estate: &Estate, link: &LinkId) -> Result<(), RequestError> {
    match repository(estate, link) {
        Ok(_) => {
            let hint = format!("`katkit test {link} SHA` tests the head of a pull request");
            Err(RequestError::refused(
                format!("`{link}` tests pull requests, so nothing is promoted there"),
                hint,
            ))
        }
        Err(_) => Ok(()),
    }
}
