//! What the deployments that need approvals add to what is live.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Sources;
use super::problem::problem;
use crate::domain::{Actor, Changes, CommitSha, Consent, ConsentKind, Contributors, LinkId, RequestKind};
use crate::manifest::Manifest;
use crate::pipeline;
use crate::plan::{LinkInput, Problem};

/// The tree of the second commit, and whose work lies between the first and that.
type Between = Result<(String, Contributors), Problem>;

/// Fills in `changes` of every link whose policy requires approvals and that is to run something new. Links with the
/// same commits share one look at the repository.
pub(super) async fn find(sources: Sources<'_>, links: &mut [LinkInput]) {
    let mut known: BTreeMap<(&str, Option<CommitSha>, CommitSha), Between> = BTreeMap::new();
    for input in links {
        let policy = sources.manifest.policy_of(&input.id);
        if policy.is_none_or(|(_, policy)| policy.approvals.is_empty()) {
            continue;
        }
        let Some(Ok(want)) = input.want.clone() else { continue };
        let from = pipeline::base(&input.head).cloned();
        if from.as_ref() == Some(&want) {
            continue;
        }
        let repo =
            sources.manifest.link(&input.id).and_then(|(_, link)| sources.manifest.repos.get(&link.repo));
        let url = repo.map(|repo| repo.url.as_str()).unwrap_or_default();
        let key = (url, from, want);
        if !known.contains_key(&key) {
            let (url, from, to) = &key;
            let found = between(sources, url, from.as_ref(), to).await;
            known.insert(key.clone(), found);
        }
        let initiator = initiator(input, &key.2);
        let changes = known[&key].clone().map(|(tree, contributors)| {
            let (_, from, to) = key;
            Changes { from, to, tree, contributors, initiator }
        });
        input.changes = Some(Box::new(changes));
    }
}

/// The commit with the first approval for the link that still counts for one of its rules.
pub(super) fn latched<'c>(
    manifest: &Manifest,
    consents: &'c [Consent],
    link: &LinkId,
    now: Timestamp,
) -> Option<&'c CommitSha> {
    let (_, policy) = manifest.policy_of(link)?;
    consents.iter().find_map(|consent| match &consent.what {
        ConsentKind::Approval { link: of, changes, rules, until } if of == link && *until > now => {
            let counts = policy.approvals.iter().any(|rule| {
                rules.contains(&rule.digest()) && rule.approver(&manifest.access, &consent.by).is_some()
            });
            counts.then_some(&changes.to)
        }
        _ => None,
    })
}

async fn between(sources: Sources<'_>, url: &str, from: Option<&CommitSha>, to: &CommitSha) -> Between {
    let found = async {
        for sha in from.into_iter().chain([to]) {
            sources.git.ensure(url, sha).await?;
        }
        sources.git.contributors(url, from, to).await
    };
    found.await.map_err(|error| problem(&error))
}

/// Who promoted the commit, whether or not the request is granted yet.
fn initiator(input: &LinkInput, sha: &CommitSha) -> Option<Actor> {
    let mut pending = input.requests.iter().rev();
    let pending = pending.find(|it| matches!(&it.ask, RequestKind::Promote { sha: of } if of == sha));
    let granted = input.head.promoted.as_deref().filter(|promoted| promoted.sha == *sha);
    pending.map(|request| request.by.clone()).or_else(|| granted.map(|promoted| promoted.by.clone()))
}
