//! All that a plan is made from: the manifest, the record, and what was observed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CommitLine, Renamed, Watched};
use crate::description;
use crate::domain::{
    CommitSha, Handle, Head, Images, Lease, LinkId, Owner, Request, Token, Workflow, WorkflowName,
};
use crate::manifest::Manifest;

/// All that a plan is made from.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// What should be.
    pub manifest: &'a Manifest,
    /// What is, for every link that is planned, in the order of the ids.
    pub links: Vec<LinkInput>,
    /// The services found in the fleets.
    pub strays: Vec<Stray>,
    /// The digest of every workflow in the manifest, so that it is worked out once and not once per link.
    pub workflow_digests: BTreeMap<WorkflowName, String>,
    /// Only bring the record in line with what runs; run and deploy nothing.
    pub refresh_only: bool,
}

/// What is known of one link. There may be ten thousand of them, so what a converged one has not costs it a pointer.
#[derive(Debug)]
pub struct LinkInput {
    /// Which.
    pub id: LinkId,
    /// What is recorded.
    pub head: Box<Head>,
    /// What a rename in the manifest means for it.
    pub renamed: Option<Box<Renamed>>,
    /// Why what is recorded cannot be understood; then nothing else of the link matters.
    pub damage: Option<Problem>,
    /// Who holds its lease.
    pub holder: Holder,
    /// The lease as it was seen, where somebody holds it.
    pub lease: Option<Box<Lease>>,
    /// What people asked for, oldest first.
    pub requests: Vec<Request>,
    /// The sha that the manifest asks for; `None` if the link is not in it. Where the tip of its branch is contained in what is
    /// live, what is live.
    pub want: Option<Result<CommitSha, Problem>>,
    /// The result of comparing the tip of its branch with the live commit, for links with `watch`.
    pub watched: Option<Box<Watched>>,
    /// What runs.
    pub observed: Observed,
    /// What the wanted commit holds; gathered only where [`super::needs_commit`] says so.
    pub facts: Option<Result<Arc<CommitFacts>, Problem>>,
}

impl LinkInput {
    /// The image of each role, where that is known: what was deployed takes precedence over what is to be deployed.
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

/// Who holds the lease of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process of which it is certain that it is dead.
    Dead(Box<Owner>),
    /// A process that is alive, or of which nothing is known.
    Other(Box<Owner>),
}

/// What runs for a link.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Exactly what was deployed last.
    AsDeployed,
    /// Nothing.
    Absent,
    /// Something.
    Running {
        /// The platform's name of it.
        revision: String,
        /// The image of every role.
        images: Images,
        /// The service description that was deployed, where the platform keeps it.
        description: Option<String>,
        /// What a deployment leaves as it is though one could expect otherwise, a sentence each.
        left: Vec<String>,
    },
    /// It could not be seen.
    Unknown(Problem),
}

/// Something that could not be found out, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong: a lowercase fragment.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a commit holds for a link.
#[derive(Clone, Debug)]
pub struct CommitFacts {
    /// The workflow that the link goes through at this commit.
    pub workflow: Arc<Workflow>,
    /// The text of the service description in the link's folder, if there is one.
    pub description: Option<String>,
    /// The roles in it that a deployment rolls.
    pub roles: Vec<String>,
    /// The same at the sha that is deployed, gathered where the platform shows no description.
    pub deployed_description: Option<String>,
    /// The commits since what is deployed, newest first.
    pub commits: Vec<CommitLine>,
    /// How many more there are.
    pub more_commits: usize,
    /// The rolled-back commits that it contains.
    pub taints: Vec<Taint>,
    /// What a reader of the plan should know.
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

/// A service found in a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// The fleet's name in the manifest.
    pub fleet: String,
    /// How to remove it.
    pub handle: Handle,
    /// The replica's token.
    pub token: Token,
    /// For which link it ran, where that is known.
    pub link: Option<LinkId>,
}

impl Stray {
    /// Whether an attempt that is on record accounts for the service. Where a record cannot be read, one may.
    pub(super) fn is_owned(&self, links: &[LinkInput]) -> bool {
        let owns = |input: &LinkInput| {
            input.damage.is_some()
                || input.head.unremoved().any(|(_, attempt)| {
                    (0..attempt.replicas).any(|replica| attempt.token.replica(replica) == self.token)
                })
        };
        match &self.link {
            Some(id) => {
                // It may have been launched under a name that its link had before.
                links.binary_search_by(|input| input.id.cmp(id)).is_ok_and(|at| owns(&links[at]))
                    || links.iter().filter(|input| input.head.was_called(id)).any(owns)
            }
            None => links.iter().any(owns),
        }
    }
}
