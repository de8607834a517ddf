//! What the deployments that need approvals add to what is live.

use jiff::Timestamp;

use super::Sources;
use super::problem::problem;
use crate::domain::{Actor, Changes, CommitSha, Consent, ConsentKind, LinkId, RequestKind};
use crate::manifest::Manifest;
use crate::pipeline;
use crate::plan::{LinkInput, Problem};

/// Fills in `changes` of every link whose policy requires approvals and that is to run something new.
pub(super) async fn find(sources: Sources<'_>, links: &mut [LinkInput]) {
    for input in links {
        let policy = sources.manifest.policy_of(&input.id);
        if policy.is_none_or(|(_, policy)| policy.approvals.is_empty()) {
            continue;
        }
        let Some(Ok(want)) = input.want.clone() else { continue };
        let from = pipeline::base(&input.head).cloned();
        if from.as_ref() != Some(&want) {
            let changes = changes(sources, input, from, want).await;
            input.changes = Some(Box::new(changes));
        }
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

async fn changes(
    sources: Sources<'_>,
    input: &LinkInput,
    from: Option<CommitSha>,
    to: CommitSha,
) -> Result<Changes, Problem> {
    let repo = sources.manifest.link(&input.id).and_then(|(_, link)| sources.manifest.repos.get(&link.repo));
    let url = repo.map(|repo| repo.url.as_str()).unwrap_or_default();
    let found = async {
        for sha in from.iter().chain([&to]) {
            sources.git.ensure(url, sha).await?;
        }
        sources.git.contributors(url, from.as_ref(), &to).await
    };
    let (tree, contributors) = found.await.map_err(|error| problem(&error))?;
    let initiator = initiator(input, &to);
    Ok(Changes { from, to, tree, contributors, initiator })
}

/// Who promoted the commit, whether or not the request is granted yet.
fn initiator(input: &LinkInput, sha: &CommitSha) -> Option<Actor> {
    let mut pending = input.requests.iter().rev();
    let pending = pending.find(|it| matches!(&it.ask, RequestKind::Promote { sha: of } if of == sha));
    let granted = input.head.promoted.as_deref().filter(|promoted| promoted.sha == *sha);
    pending.map(|request| request.by.clone()).or_else(|| granted.map(|promoted| promoted.by.clone()))
}
