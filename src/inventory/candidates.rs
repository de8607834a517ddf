//! Looks for rolled-back and rejected commits in the commits that a pipeline may choose.

use super::problem::problem;
use super::{Sources, taint};
use crate::domain::{CommitSha, Consent, Request, RequestKind};
use crate::git::Rollback;
use crate::pipeline::{self, Choice, Question};
use crate::plan::{self, Hold, HoldReason, HoldScope, InPipeline, LinkInput, Problem, Rejection};

/// How many candidates are examined.
const EXAMINED: usize = 20;

/// Why a commit must not run at a link: it, or a commit that it contains, was rejected or was rolled back there or, in a
/// pipeline, in the link's stage or in a stage before.
pub async fn obstacle(
    sources: Sources<'_>,
    input: &LinkInput,
    consents: &[Consent],
    sha: &CommitSha,
) -> Result<Option<HoldReason>, Problem> {
    let repo = sources.manifest.link(&input.id).and_then(|(_, link)| sources.manifest.repos.get(&link.repo));
    let Some(repo) = repo else { return Ok(None) };
    let nothing = InPipeline::default();
    let found = input.pipeline.as_deref().unwrap_or(&nothing);
    let rejections = plan::rejections(sources.manifest, consents, &input.id);
    Search { sources, url: &repo.url, input, found, rejections: &rejections }.obstacle(sha).await
}

/// A search among the commits that one link may run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) sources: Sources<'a>,
    pub(super) url: &'a str,
    pub(super) input: &'a LinkInput,
    pub(super) found: &'a InPipeline,
    pub(super) rejections: &'a [Rejection<'a>],
}

impl Search<'_> {
    /// The first candidate that contains no rolled-back commit; if all do, the first, which the plan then holds.
    pub(super) async fn first(self, candidates: Vec<CommitSha>) -> Result<CommitSha, Box<Hold>> {
        for sha in candidates.iter().take(EXAMINED) {
            if self.obstacle(sha).await.map_err(failed)?.is_none() {
                return Ok(sha.clone());
            }
        }
        let none = || failed(Problem { what: "no commit is a candidate".to_owned(), hint: None });
        candidates.into_iter().next().ok_or_else(none)
    }

    /// The promoted commit, unless it contains a rolled-back one. Then a request for it is held, so that it is refused;
    /// and if it was granted before that, the pipeline chooses another, if there is one.
    pub(super) async fn promoted(
        self,
        question: &Question<'_>,
        sha: CommitSha,
    ) -> Result<CommitSha, Box<Hold>> {
        let Some(reason) = self.obstacle(&sha).await.map_err(failed)? else { return Ok(sha) };
        let is_it =
            |request: &Request| matches!(&request.ask, RequestKind::Promote { sha: of } if *of == sha);
        if self.input.requests.iter().any(is_it) {
            let hint = reason.release(&self.input.id).map(|release| format!("`{release}` releases it"));
            return Err(Box::new(Hold { scope: HoldScope::Link, reason, hint, until: None }));
        }
        let Choice::Candidates(others) = pipeline::choose(&Question { promoted: None, ..*question }) else {
            return Ok(sha);
        };
        let other = self.first(others).await?;
        Ok(if self.obstacle(&other).await.map_err(failed)?.is_none() { other } else { sha })
    }

    /// Why a commit must not run here: it was rejected or rolled back, or contains such a commit.
    pub(super) async fn obstacle(self, sha: &CommitSha) -> Result<Option<HoldReason>, Problem> {
        let head = &self.input.head;
        if let Some(quarantine) = head.quarantine(sha) {
            let (sha, since, why) = (sha.clone(), quarantine.since, quarantine.why.clone());
            return Ok(Some(HoldReason::Quarantined { sha, since, why }));
        }
        let bad = self.rolled_back(sha);
        if bad.is_empty() {
            return Ok(None);
        }
        self.sources.git.ensure(self.url, sha).await.map_err(|error| problem(&error))?;
        let (taints, _) = taint::find(self.sources.git, self.url, sha, &bad).await?;
        Ok(plan::tainted_by(head, (Some(self.found), self.rejections), sha, &taints)
            .map(|(reason, _)| reason))
    }

    fn rolled_back(self, sha: &CommitSha) -> Vec<Rollback> {
        let mut bad = taint::rolled_back(&self.input.head, sha);
        bad.extend(self.found.rolled_back.iter().map(|it| taint::rollback(&it.quarantine)));
        bad.extend(self.rejections.iter().map(taint::rejection));
        bad
    }
}

fn failed(problem: Problem) -> Box<Hold> {
    Box::new(problem.into())
}
