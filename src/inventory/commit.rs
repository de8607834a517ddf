//! What a commit holds for a link: its workflow, its service description, and the commits since the deployed one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::sync::OnceCell;

use super::commit_query::CommitQuery;
use super::problem::problem;
use super::{Sources, observe, taint};
use crate::causes;
use crate::description::{self, ServiceDescription};
use crate::domain::{Checkout, CommitSha, Consent, PhaseKind, Workflow};
use crate::git::{Commits, GitError, Repositories, Unsupported};
use crate::lenient_json::FormatError;
use crate::manifest::{Repo, Tenant};
use crate::plan::{self, CommitFacts, CommitLine, LinkInput, Problem};
use crate::workflow::{ChosenWorkflow, KatkitConfig};

/// The workflow file of a repository: in the linked folder, or else at its root.
const CONFIG: &str = "katkitconfig.js";

/// The script in the linked folder that phases without a command run.
const SCRIPT: &str = "ci.sh";

/// How many commits a plan lists.
const COMMITS: usize = 5;

/// How many unpackable paths of a commit an error names.
const NAMED: usize = 10;

/// How many commits are read concurrently.
const CONCURRENTLY: usize = 8;

/// Whether a pack can carry a commit. Checking walks all files of the commit, so all links share the result.
type Packable = OnceCell<Result<(), Problem>>;

/// Fills in `facts` of the links for which the planner needs them, and observes in full what runs there.
pub(super) async fn gather(sources: Sources<'_>, links: &mut [LinkInput], consents: &[Consent]) {
    let needed: Vec<_> =
        (0..links.len()).filter(|&at| plan::needs_commit(sources.manifest, &links[at])).collect();
    let to_observe: Vec<_> = (0..links.len())
        .filter(|at| needed.binary_search(at).is_ok() || plan::needs_what_runs(&links[*at]))
        .collect();
    if to_observe.is_empty() {
        return;
    }
    let mut questions: BTreeMap<CommitQuery, Vec<usize>> = BTreeMap::new();
    for &at in &needed {
        if let Some(question) = CommitQuery::of(sources, &links[at], consents) {
            questions.entry(question).or_default().push(at);
        }
    }
    let of = |question: &CommitQuery| (question.repo.clone(), question.sha.clone());
    let packable: BTreeMap<_, Packable> = questions.keys().map(|it| (of(it), Packable::new())).collect();
    let packable = &packable;
    let mut answers = stream::iter(questions)
        .map(|(question, members)| async move {
            (answer(sources, &question, &packable[&of(&question)]).await.map(Arc::new), members)
        })
        .buffer_unordered(CONCURRENTLY);
    while let Some((answer, members)) = answers.next().await {
        for at in members {
            links[at].facts = Some(answer.clone());
        }
    }
    // After reading the commits: they name the services of a link that was never deployed.
    observe::observe(sources, links, Some(&to_observe)).await;
}

async fn answer(
    sources: Sources<'_>,
    question: &CommitQuery,
    packable: &Packable,
) -> Result<CommitFacts, Problem> {
    let CommitQuery { repo, sha, deployed, since, landed, bad, folder, watch, workflow, tenant } = question;
    let unknown = || Problem { what: format!("`{repo}` is not in the manifest"), hint: None };
    let (Some(repo), Some(tenant)) = (sources.manifest.repos.get(repo), sources.manifest.tenants.get(tenant))
    else {
        return Err(unknown());
    };
    let commit = Commit { git: sources.git, repo, sha, folder };
    commit.check(folder).await?;
    let mut notes = Vec::new();
    let (workflow, description) = match workflow {
        Ok(name) => {
            let workflow = sources.manifest.workflows.get(name.as_str()).cloned().ok_or_else(unknown)?;
            (workflow, commit.file(description::FILE).await?)
        }
        Err(environment) => commit.katkitconfig(environment, &mut notes).await?,
    };
    check_fleets(sources, tenant, &workflow)?;
    if workflow.phases().iter().any(|phase| is_packed(&phase.kind)) {
        let check = || async {
            let unsupported = sources.git.unsupported(&repo.url, sha).await;
            unsupported.map_err(|error| problem(&error)).and_then(|unsupported| refuse(&unsupported))
        };
        packable.get_or_init(check).await.clone()?;
    }
    commit.check_script(&workflow).await?;
    let before = match deployed {
        Some(deployed) if deployed != sha => {
            Commit { sha: deployed, ..commit }.file(description::FILE).await.ok().flatten()
        }
        Some(_) => description.clone(),
        None => None,
    };
    let commits = match since {
        Some(from) if from != sha => commit.since(from, watch, &mut notes).await,
        _ => Commits::default(),
    };
    let barrier = match landed {
        Some((from, to)) if workflow.deployment().is_some() => commit.barrier(from, to, &mut notes).await?,
        _ => None,
    };
    let (taints, unknown) = taint::find(sources.git, &repo.url, sha, bad).await?;
    notes.extend(unknown);
    let line = |line: crate::git::CommitLine| CommitLine {
        sha: line.sha,
        author: line.author,
        subject: line.subject,
    };
    let description = text(description)?;
    // A description that cannot be read is reported when it is to be deployed.
    let read = description.as_deref().and_then(|text| ServiceDescription::parse(text).ok());
    if workflow.deployment().is_some()
        && let Some(kept) = read.as_ref().and_then(ServiceDescription::kept_tags)
    {
        notes.push(format!("`{}`: {kept}", description::FILE));
    }
    Ok(CommitFacts {
        workflow,
        roles: read.as_ref().map(roles).unwrap_or_default(),
        description,
        deployed_description: text(before)?,
        commits: commits.listed.into_iter().map(line).collect(),
        more_commits: commits.more,
        barrier,
        taints,
        notes,
    })
}

/// Notes the live commits that the wanted one does not contain.
fn removed(gone: &Commits) -> Option<String> {
    let newest = gone.listed.first()?;
    let (sha, subject) = (newest.sha.short(), &newest.subject);
    Some(match gone.more {
        0 => format!("this removes {sha} ({subject}), which is live"),
        more => format!("this removes {} live commits, up to {sha} ({subject})", more + 1),
    })
}

/// The roles that a deployment rolls.
fn roles(description: &ServiceDescription) -> Vec<String> {
    description.roles().iter().filter(|role| role.is_tagged()).map(|role| role.name.clone()).collect()
}

#[derive(Clone, Copy)]
struct Commit<'a> {
    git: &'a dyn Repositories,
    repo: &'a Repo,
    sha: &'a CommitSha,
    folder: &'a str,
}

impl Commit<'_> {
    async fn check(&self, folder: &str) -> Result<(), Problem> {
        let url = &self.repo.url;
        self.git.ensure(url, self.sha).await.map_err(|error| problem(&error))?;
        if self.git.folder_exists(url, self.sha, folder).await.map_err(|error| problem(&error))? {
            return Ok(());
        }
        Err(Problem {
            what: format!("there is no folder `{folder}` at {}", self.sha.short()),
            hint: Some("correct `folder` in the manifest, or deploy a commit that has it".to_owned()),
        })
    }

    /// Checks that the script exists if a phase runs it.
    async fn check_script(&self, workflow: &Workflow) -> Result<(), Problem> {
        let runs_script = |kind: &PhaseKind| matches!(kind, PhaseKind::Execution(it) if it.run.is_none());
        let Some(phase) = workflow.phases().iter().find(|phase| runs_script(&phase.kind)) else {
            return Ok(());
        };
        let path = self.path(SCRIPT);
        let found = self.git.files(&self.repo.url, self.sha, std::slice::from_ref(&path)).await;
        // A symbolic link may lead to it, which only a checkout resolves.
        if found.is_ok_and(|found| found == [None]) {
            return Err(Problem {
                what: format!("there is no `{path}` at {}, which `{}` runs", self.sha.short(), phase.name),
                hint: Some("add the script, or set `run` in the phase".to_owned()),
            });
        }
        Ok(())
    }

    /// The newest of some commits that must not be undone. Only a note, if the repository lost the first.
    async fn barrier(
        &self,
        from: &CommitSha,
        to: &CommitSha,
        notes: &mut Vec<String>,
    ) -> Result<Option<CommitSha>, Problem> {
        let url = &self.repo.url;
        let found = async {
            self.git.ensure(url, from).await?;
            self.git.barrier(url, from, to).await
        };
        match found.await {
            Err(error @ GitError::Missing { .. }) => {
                let error = causes::in_one_line(&error);
                notes.push(format!(
                    "cannot tell whether this brings a commit that must not be undone: {error}"
                ));
                Ok(None)
            }
            found => found.map_err(|error| problem(&error)),
        }
    }

    /// The commits since `live`, and a note about live commits that this one lacks: the branch was moved back or
    /// rewritten, or an older commit is wanted. A failure becomes a note, since the list is only informative.
    async fn since(&self, live: &CommitSha, watch: &[String], notes: &mut Vec<String>) -> Commits {
        let url = &self.repo.url;
        let paths: Vec<_> = std::iter::once(self.folder.to_owned()).chain(watch.iter().cloned()).collect();
        let listed = async {
            self.git.ensure(url, live).await?;
            let new = self.git.commits(url, Some(live), self.sha, &paths, COMMITS).await?;
            Ok::<_, GitError>((new, self.git.commits(url, Some(self.sha), live, &paths, 1).await?))
        };
        match listed.await {
            Ok((new, gone)) => {
                notes.extend(removed(&gone));
                new
            }
            Err(error) => {
                let (live, error) = (live.short(), causes::in_one_line(&error));
                notes.push(format!("cannot list the changes since {live}, which is live: {error}"));
                Commits::default()
            }
        }
    }

    async fn file(&self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        Ok(self.files(&[self.path(name)]).await?.pop().flatten())
    }

    async fn files(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>, Problem> {
        self.git.files(&self.repo.url, self.sha, paths).await.map_err(|error| problem(&error))
    }

    /// The workflow of the environment and the service description, from one read of the commit.
    async fn katkitconfig(
        &self,
        environment: &str,
        notes: &mut Vec<String>,
    ) -> Result<(Arc<Workflow>, Option<Vec<u8>>), Problem> {
        let paths = [self.path(CONFIG), CONFIG.to_owned(), self.path(description::FILE)];
        let mut files = self.files(&paths).await?;
        let description = files.pop().flatten();
        let found = paths.iter().zip(files).find_map(|(path, bytes)| Some((path, bytes?)));
        let (path, bytes) = found.ok_or_else(|| Problem {
            what: format!(
                "the link names no workflow, and there is no `{}` at {}",
                paths[0],
                self.sha.short()
            ),
            hint: Some("set `workflow` to one of the manifest, or add the file to the repository".to_owned()),
        })?;
        let config = KatkitConfig::parse(&bytes).map_err(|error| in_file(path, &error))?;
        notes.extend(config.notes().iter().map(|note| format!("`{path}`: {note}")));
        let ChosenWorkflow { name, is_default, workflow } =
            config.for_environment(environment).map_err(|error| in_file(path, &error))?;
        let why = if is_default { format!(", which has none for `{environment}`") } else { String::new() };
        notes.insert(0, format!("the workflow is `{name}` of `{path}`{why}"));
        Ok((Arc::new(workflow), description))
    }

    fn path(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }
}

/// The digest of the repository's own workflow, if it has a valid one.
pub(super) async fn workflow(
    git: &dyn Repositories,
    repo: &Repo,
    sha: &CommitSha,
    folder: &str,
    environment: &str,
) -> Option<String> {
    let commit = Commit { git, repo, sha, folder };
    let (workflow, _) = commit.katkitconfig(environment, &mut Vec::new()).await.ok()?;
    Some(workflow.digest())
}

/// Checks that this build supports every fleet that the workflow uses.
fn check_fleets(sources: Sources<'_>, tenant: &Tenant, workflow: &Workflow) -> Result<(), Problem> {
    for phase in workflow.phases() {
        let PhaseKind::Execution(execution) = &phase.kind else { continue };
        let fleet = tenant.fleet_for(execution.placement);
        if !sources.fleets.contains_key(fleet) {
            return Err(Problem {
                what: format!(
                    "`{}` would run in the fleet `{fleet}`, whose kind this build does not have",
                    phase.name
                ),
                hint: Some("use `kind = \"process\"`, or a build that has it".to_owned()),
            });
        }
    }
    Ok(())
}

fn is_packed(kind: &PhaseKind) -> bool {
    matches!(kind, PhaseKind::Execution(execution) if matches!(execution.checkout, Checkout::Pack { .. }))
}

fn refuse(unsupported: &Unsupported) -> Result<(), Problem> {
    let Unsupported { submodules, lfs, large } = unsupported;
    let (what, paths, does) = match (submodules.as_slice(), lfs.as_slice(), large.as_slice()) {
        ([], [], []) => return Ok(()),
        ([], [], large) => ("has files of more than 1 GiB", large, "cannot carry"),
        ([], lfs, _) => ("keeps files in Git LFS", lfs, "would leave out"),
        (submodules, ..) => ("has submodules", submodules, "would leave out"),
    };
    let mut named = paths[..paths.len().min(NAMED)].join(", ");
    if paths.len() > NAMED {
        named = format!("{named} and {} more", paths.len() - NAMED);
    }
    Err(Problem {
        what: format!("the commit {what} ({named}), which a packed checkout {does}"),
        hint: Some("set `checkout = \"clone\"` on the phases, which clones inside them".to_owned()),
    })
}

fn text(bytes: Option<Vec<u8>>) -> Result<Option<String>, Problem> {
    let decoded = bytes.map(|bytes| crate::lenient_json::decode(&bytes).map(str::to_owned)).transpose();
    decoded.map_err(|error| in_file(description::FILE, &error))
}

fn in_file(path: &str, error: &FormatError) -> Problem {
    Problem { what: format!("`{path}`: {error}"), hint: error.advice().map(str::to_owned) }
}
