//! What runs, as reported by each tenant's platform.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};

use super::Sources;
use super::problem::problem_of;
use crate::domain::TenantName;
use crate::manifest::PlatformConfig;
use crate::plan::{LinkInput, Observed, Problem};
use crate::platform::{Observation, PlatformError, Running, Target};

/// How many platforms are queried concurrently: each query stays in memory until it is answered.
const CONCURRENTLY: usize = 32;

/// Fills in `observed` of all links, or of those in `only`, then without relying on known revisions. One query per
/// platform, many concurrently.
pub(super) async fn observe(sources: Sources<'_>, links: &mut [LinkInput], only: Option<&[usize]>) {
    let mut tenants: BTreeMap<TenantName, Vec<usize>> = BTreeMap::new();
    let all: Vec<usize>;
    let chosen = if let Some(only) = only {
        only
    } else {
        all = (0..links.len()).collect();
        &all
    };
    for &at in chosen {
        match tenants.get_mut(&links[at].id.tenant) {
            Some(members) => members.push(at),
            None => drop(tenants.insert(links[at].id.tenant.clone(), vec![at])),
        }
    }
    let shared = &*links;
    let questions = tenants.into_iter().map(|(tenant, members)| async move {
        let answers = ask(sources, shared, &tenant, &members, only.is_some()).await;
        members.into_iter().zip(answers)
    });
    // Collected first: the compiler does not see that a stream which makes them from references is `Send`.
    let questions: Vec<_> = questions.collect();
    let answers: Vec<_> = stream::iter(questions).buffer_unordered(CONCURRENTLY).collect().await;
    for (at, observed) in answers.into_iter().flatten() {
        links[at].observed = observed;
    }
}

async fn ask(
    sources: Sources<'_>,
    links: &[LinkInput],
    tenant: &TenantName,
    members: &[usize],
    afresh: bool,
) -> Vec<Observed> {
    let Some(platform) = sources.platforms.get(tenant) else {
        let problem = sources.manifest.tenants.get(tenant).map(|tenant| missing(&tenant.platform));
        let observed = problem.map_or(Observed::Absent, Observed::Unknown);
        return vec![observed; members.len()];
    };
    let targets = members.iter().map(|&at| {
        let known = links[at].head.deployed.as_ref().map(|deployed| deployed.revision.as_str());
        let known = known.filter(|_| !afresh);
        let (link, formerly) = (&links[at].id, &*links[at].head.formerly);
        Target { link, formerly, roles: links[at].roles(), images: links[at].images(), known }
    });
    let targets: Vec<_> = targets.collect();
    platform.observe(&targets).await.into_iter().map(observed).collect()
}

fn observed(answer: Result<Observation, PlatformError>) -> Observed {
    match answer {
        Ok(Observation::AsKnown) => Observed::AsDeployed,
        Ok(Observation::Absent) => Observed::Absent,
        Ok(Observation::Running(Running { revision, images, description, left })) => {
            Observed::Running { revision, images, description, left }
        }
        Err(error) => Observed::Unknown(problem_of(&error, error.hint())),
    }
}

fn missing(platform: &PlatformConfig) -> Problem {
    let kind = match platform {
        PlatformConfig::File { .. } => "file",
        PlatformConfig::Docker { .. } => "docker",
        PlatformConfig::Ecs { .. } => "ecs",
    };
    Problem {
        what: format!("this build has no `{kind}` platform"),
        hint: Some("use `platform = { kind = \"file\" }`, or a build that has it".to_owned()),
    }
}
