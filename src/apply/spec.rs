//! Builds the phase spec for the agent: the source of the commit, the command, and the code's variables.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{AttemptNumber, CommitSha, Execution, LinkId, Phase, PhaseSpec, Source};
use crate::git;
use crate::manifest::{Link, Repo, Tenant};

/// Time between SIGTERM and SIGKILL for a phase's code.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The manifest's definitions that a phase belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhaseContext<'a> {
    pub(super) id: &'a LinkId,
    pub(super) tenant: &'a Tenant,
    pub(super) link: &'a Link,
    pub(super) repo: &'a Repo,
}

/// The content of `phase.json`.
pub(super) fn phase_spec(
    context: PhaseContext<'_>,
    phase: &Phase,
    execution: &Execution,
    sha: &CommitSha,
    attempt: AttemptNumber,
    source: Source,
    peers: String,
) -> PhaseSpec {
    let secrets = &context.tenant.secrets;
    let inputs = execution.inputs.clone();
    PhaseSpec {
        version: if inputs.is_empty() { PhaseSpec::VERSION } else { PhaseSpec::WITH_INPUTS },
        link: context.id.clone(),
        phase: phase.name.clone(),
        sha: sha.clone(),
        source,
        folder: context.link.folder.clone(),
        run: execution.run.clone(),
        variables: variables(context, phase, execution, sha, attempt),
        secrets: secrets.iter().map(|(name, from)| (name.clone(), from.to_string())).collect(),
        timeout: execution.timeout,
        grace: GRACE,
        artifacts: execution.artifacts.clone(),
        inputs,
        peers: Some(peers),
    }
}

/// The variables of the original Katkit, katkit's own, and those of the tenant, the link and the phase. Later ones win.
fn variables(
    context: PhaseContext<'_>,
    phase: &Phase,
    execution: &Execution,
    sha: &CommitSha,
    attempt: AttemptNumber,
) -> BTreeMap<String, String> {
    let PhaseContext { id, tenant, link, repo } = context;
    let code_path = if link.folder.is_empty() { String::new() } else { format!("/{}", link.folder) };
    let ours = [
        ("GIT_REPO", git::owner_and_name(&repo.url)),
        ("GIT_SHA", sha.to_string()),
        ("CODE_PATH", code_path),
        ("ENV", tenant.environment.clone()),
        ("KATKIT_TENANT", id.tenant.to_string()),
        ("KATKIT_LINK", id.link.to_string()),
        ("KATKIT_PHASE", phase.name.to_string()),
        ("KATKIT_ATTEMPT", attempt.to_string()),
        ("KATKIT_REPLICAS", execution.parallelism.to_string()),
    ];
    let theirs = [&tenant.variables, &link.variables, &execution.variables].into_iter().flatten();
    let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
    ours.chain(theirs.map(|(name, value)| (name.clone(), value.clone()))).collect()
}
