//! The input of a plan: the manifest, the record, and what was observed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommitLine, Hold, RegistryAnswers, Renamed, WatchComparison};
use crate::description;
use crate::domain::{
    Changes, CommitSha, Consent, FleetName, Handle, Head, Images, Lease, LinkId, Owner, Quarantine, Request,
    RequestKind, StartedTest, Token, Workflow, WorkflowName,
};
use crate::manifest::Manifest;
use crate::pipeline::{BranchHistory, CommitState, Records, Standing};
use crate::policy::{MissingReview, Reviews};

/// The complete input of a plan.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// The wanted state.
    pub manifest: &'a Manifest,
    /// When gathering began. Anything recorded or observed may be slightly newer.
    pub now: Timestamp,
    /// The actual state of every link to plan, ordered by id.
    pub links: Vec<LinkInput>,
    /// The services found in the fleets.
    pub orphans: Vec<OrphanedService>,
    /// The digest of every workflow in the manifest, computed once and not once per link.
    pub workflow_digests: BTreeMap<WorkflowName, String>,
    /// The consents that stand, in the order they were given.
    pub consents: Vec<Consent>,
    /// The evidence for the commits that deployments add.
    pub reviews: Reviews,
    /// Whether a job or a schedule runs katkit, which no user attends. Then a repair waits at a closed gate.
    pub unattended: bool,
    /// Only bring the record in line with what runs; run and deploy nothing.
    pub refresh_only: bool,
}

/// The state of one link. There may be ten thousand of them, so fields that converged links lack cost only a pointer.
#[derive(Debug)]
pub struct LinkInput {
    /// The link's id.
    pub id: LinkId,
    /// The recorded state.
    pub head: Box<Head>,
    /// The effect of a rename in the manifest on this link.
    pub renamed: Option<Box<Renamed>>,
    /// Why the record cannot be read; if so, nothing else about the link matters.
    pub damage: Option<Problem>,
    /// The holder of its lease.
    pub holder: Holder,
    /// The observed lease, if it is held.
    pub lease: Option<Box<Lease>>,
    /// The open requests, oldest first.
    pub requests: Vec<Request>,
    /// Open requests that are refused: their actors do not have the right, or what they name cannot be tested. Each with
    /// the reason.
    pub refused: Vec<(Request, String)>,
    /// The wanted sha, or what holds the link without one; `None` if the link is not in the manifest. The live commit,
    /// if that contains the tip of the branch, or if its pipeline has no candidate.
    pub want: Option<Result<CommitSha, Box<Hold>>>,
    /// Where it stands in its pipeline, if it follows one and the branch is readable.
    pub pipeline: Option<Box<InPipeline>>,
    /// The test of a pull request that the wanted commit is the merge of.
    pub test: Option<Box<PlannedTest>>,
    /// Why the test in progress cannot go on, as a lowercase fragment.
    pub stops: Option<String>,
    /// How the wanted commit differs from what was tested before it landed.
    pub landing: Option<String>,
    /// What holds the tip of its branch, if requested tests of pull requests go ahead of it for that reason.
    pub held_tip: Option<Box<Hold>>,
    /// What the next commit waits for while what is live is wanted.
    pub waits: Option<Box<Hold>>,
    /// What the wanted commit adds to what is live; gathered only if the link's policy requires approvals.
    pub changes: Option<Box<Result<Changes, Problem>>>,
    /// The first-parent commits that it adds, the oldest first; gathered only if the link's policy requires reviews.
    pub added: Option<Box<Result<Vec<CommitSha>, Problem>>>,
    /// The commits that overrides let run without a review, and that still lack it.
    pub owed_reviews: Vec<MissingReview>,
    /// The result of comparing the tip of its branch with the live commit, for links with `watch`.
    pub watched: Option<Box<WatchComparison>>,
    /// What runs.
    pub observed: Observed,
    /// The content of the wanted commit; gathered only if [`super::needs_commit`].
    pub facts: Option<Result<Arc<CommitFacts>, Problem>>,
    /// What registries have of the images that are to be deployed next; gathered only if the link's policy demands
    /// deployment by digest.
    pub registry: Option<Box<RegistryAnswers>>,
}

impl LinkInput {
    /// The requested tests of pull requests that are not withdrawn, the first to run first.
    pub fn requested_tests(&self) -> impl Iterator<Item = (&Request, &CommitSha)> {
        let is_pending = |request: &&Request| !self.requests.iter().any(|other| other.withdraws(&request.id));
        self.requests.iter().filter(is_pending).filter_map(|request| match &request.ask {
            RequestKind::Test { sha } => Some((request, sha)),
            _ => None,
        })
    }

    /// The known roles, sorted: deployed ones, and those that the wanted commit deploys.
    pub fn roles(&self) -> Vec<&str> {
        let deployed = self.head.deployed.iter().flat_map(|deployed| deployed.images.keys());
        // A workflow without a deployment runs no services.
        let deploying = self.facts.iter().flatten().filter(|facts| facts.workflow.deployment().is_some());
        let wanted = deploying.flat_map(|facts| &facts.roles);
        let mut roles: Vec<_> = deployed.chain(wanted).map(String::as_str).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The known image of each role. A deployed image takes precedence over a wanted one.
    pub fn images(&self) -> Cow<'_, Images> {
        let facts = self.facts.iter().flatten().next();
        let wanted = facts.and_then(|facts| description::images(facts.description.as_deref()?).ok());
        match (wanted, &self.head.deployed) {
            (Some(mut images), Some(deployed)) => {
                images.extend(deployed.images.clone());
                Cow::Owned(images)
            }
            (Some(images), None) => Cow::Owned(images),
            (None, Some(deployed)) => Cow::Borrowed(&deployed.images),
            (None, None) => Cow::default(),
        }
    }
}

/// A test of a pull request: the next, or the one in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTest {
    /// What is tested, for whom.
    pub test: StartedTest,
    /// The request that its start grants; `None` if it has started.
    pub request: Option<Request>,
}

/// What the plan needs to know of a link in a pipeline, besides the commit that was chosen.
#[derive(Clone, Debug, Default)]
pub struct InPipeline {
    /// Where it stands.
    pub standing: Standing,
    /// The home branch.
    pub branch: Arc<BranchHistory>,
    /// What the record says of the links of pipelines.
    pub records: Arc<Records>,
    /// Commits that were rolled back at other links of its stage and of the stages before.
    pub rolled_back: Vec<ForeignRollback>,
    /// Whether it tests pull requests.
    pub is_testing: bool,
}

impl InPipeline {
    /// What became of a commit at the link of this input, which runs `want` next or has it live.
    pub fn state(&self, input: &LinkInput, want: Option<&CommitSha>, sha: &CommitSha) -> CommitState {
        let record = self.records.get(&input.id).filter(|_| self.is_testing);
        CommitState::of(&input.head, record, &self.branch, want, sha)
    }
}

/// A commit that was rolled back at another link.
#[derive(Clone, Debug)]
pub struct ForeignRollback {
    /// The other link.
    pub at: LinkId,
    /// Its quarantine there.
    pub quarantine: Quarantine,
    /// Whether the rollback is only requested.
    pub is_requested: bool,
}

/// The holder of a link's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The lease is free.
    Nobody,
    /// A process that is certainly dead.
    Dead(Box<Owner>),
    /// A process that is alive or may be.
    Other(Box<Owner>),
}

/// What runs for a link.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Exactly what was deployed last.
    AsDeployed,
    /// Nothing runs.
    Absent,
    /// Something that may differ from the last deployment.
    Running {
        /// The platform's name for it.
        revision: String,
        /// The image of every role.
        images: Images,
        /// The deployed service description, if the platform keeps it.
        description: Option<String>,
        /// What a deployment surprisingly leaves unchanged, one sentence each.
        left: Vec<String>,
    },
    /// It could not be observed.
    Unknown(Problem),
}

/// A problem, as text for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The problem, as a lowercase fragment.
    pub what: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// The content of a commit that matters to a link.
#[derive(Clone, Debug)]
pub struct CommitFacts {
    /// The link's workflow at this commit.
    pub workflow: Arc<Workflow>,
    /// The text of the service description in the link's folder, if there is one.
    pub description: Option<String>,
    /// The roles in it that a deployment rolls.
    pub roles: Vec<String>,
    /// The same at the deployed sha, gathered if the platform has no description.
    pub deployed_description: Option<String>,
    /// The commits since the deployed one, newest first.
    pub commits: Vec<CommitLine>,
    /// How many commits `commits` leaves out.
    pub more_commits: usize,
    /// A commit that it adds to what is deployed and that must not be undone.
    pub barrier: Option<CommitSha>,
    /// The rolled-back commits that it contains.
    pub taints: Vec<Taint>,
    /// Notes for the reader of the plan.
    pub notes: Vec<String>,
}

/// A rolled-back commit that another commit contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// The commit that was rolled back.
    pub sha: CommitSha,
    /// That commit, or one that was rolled back together with it.
    pub suspect: CommitSha,
    /// The suspect, or an ancestor with the same change.
    pub through: CommitSha,
    /// How many other commits were rolled back with it.
    pub others: usize,
}

impl Taint {
    /// The commit itself.
    pub fn of(sha: &CommitSha) -> Self {
        Self { sha: sha.clone(), suspect: sha.clone(), through: sha.clone(), others: 0 }
    }
}

/// A service found in a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanedService {
    /// The fleet's name in the manifest.
    pub fleet: FleetName,
    /// The handle to remove it by.
    pub handle: Handle,
    /// The replica's token.
    pub token: Token,
    /// The link it ran for, if known.
    pub link: Option<LinkId>,
}

impl OrphanedService {
    /// Whether a recorded attempt accounts for the service. An unreadable record may, so it counts.
    pub(super) fn is_owned(&self, links: &[LinkInput]) -> bool {
        let owns = |input: &LinkInput| {
            input.damage.is_some()
                || input.head.unremoved().any(|(_, attempt)| {
                    (0..attempt.replicas).any(|replica| attempt.token.replica(replica) == self.token)
                })
        };
        match &self.link {
            Some(id) => {
                // It may have been launched under a former name of its link.
                links.binary_search_by(|input| input.id.cmp(id)).is_ok_and(|at| owns(&links[at]))
                    || links.iter().filter(|input| input.head.was_called(id)).any(owns)
            }
            None => links.iter().any(owns),
        }
    }
}
