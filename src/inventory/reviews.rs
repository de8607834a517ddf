//! The commits that deployments would add to what is live, for links whose policy requires reviews.

use super::Sources;
use super::evidence::{EvidenceReader, live, rule};
use super::pipelines::branch_history;
use super::problem::problem;
use crate::domain::{CommitSha, Consent};
use crate::pipeline;
use crate::plan::{self, LinkInput, Problem};
use crate::policy::{MissingReview, Reviews};
use crate::state::StateError;

/// Fills in `owed_reviews`: what overrides let run without a review, and still lacks it.
pub(super) async fn find_owed(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    consents: &[Consent],
    evidence: &mut EvidenceReader<'_>,
) -> Result<(), StateError> {
    for input in links {
        let (Some(rule), Some(live)) = (rule(sources.manifest, &input.id), pipeline::base(&input.head))
        else {
            continue;
        };
        let owed: Vec<_> = plan::unreviewed_in(consents, &input.id, live).into_iter().cloned().collect();
        evidence.read(&owed).await?;
        let missing = rule.missing(&sources.manifest.access, &input.id, &owed, &evidence.reviews);
        input.owed_reviews = missing.collect();
    }
    Ok(())
}

/// Fills in `added` of every link whose policy requires reviews and that is to run something new.
pub(super) async fn find(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    evidence: &mut EvidenceReader<'_>,
) -> Result<(), StateError> {
    for input in links {
        let Some(rule) = rule(sources.manifest, &input.id) else { continue };
        let Some(Ok(want)) = &input.want else { continue };
        if pipeline::base(&input.head) == Some(want) {
            continue;
        }
        let mut added = added(sources, input, want).await;
        if let Ok(commits) = &mut added {
            let decide = evidence.read_until_lacking((sources.manifest, rule, &input.id), commits).await?;
            commits.truncate(decide);
        }
        input.added = Some(Box::new(added));
    }
    Ok(())
}

/// What each commit lacks that `sha` would add to what is live in a link.
pub async fn unreviewed(
    sources: Sources<'_>,
    input: &LinkInput,
    sha: &CommitSha,
) -> Result<Result<Vec<MissingReview>, Problem>, StateError> {
    let Some(rule) = rule(sources.manifest, &input.id) else { return Ok(Ok(Vec::new())) };
    let added = match added(sources, input, sha).await {
        Ok(added) => added,
        Err(problem) => return Ok(Err(problem)),
    };
    let reviews = Reviews::among(sources.state.evidence(&added).await?);
    Ok(Ok(rule.missing(&sources.manifest.access, &input.id, &added, &reviews).collect()))
}

/// The first-parent commits that `want` adds to what is live, the oldest first.
async fn added(sources: Sources<'_>, input: &LinkInput, want: &CommitSha) -> Result<Vec<CommitSha>, Problem> {
    let live = live(input);
    if let Some(found) = input.pipeline.as_deref().filter(|found| found.branch.number(want).is_some()) {
        return Ok(found.branch.added(live, want));
    }
    let repo = sources.manifest.link(&input.id).and_then(|(_, link)| sources.manifest.repos.get(&link.repo));
    let (Some(repo), Some(live)) = (repo, live) else { return Ok(vec![want.clone()]) };
    let read = async {
        sources.git.ensure(&repo.url, want).await?;
        branch_history(sources.git, repo, want, std::slice::from_ref(live)).await
    };
    read.await.map(|history| history.added(Some(live), want)).map_err(|error| problem(&error))
}
