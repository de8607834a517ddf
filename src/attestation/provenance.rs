//! SLSA provenance: which phases built images, from which commit.
//!
//! Source: <https://slsa.dev/spec/v1.1/provenance>

use serde_json::json;

use super::statement::{Statement, seconds, version};
use super::uri;
use crate::domain::LinkId;
use crate::journal::Build;

const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What `externalParameters` mean and how to build again: `docs/attestations.md`.
const BUILD_TYPE: &str = "urn:katkit:build:v1";

/// How a run of the link built images, from the repository with this URL, which must not contain credentials. `None` if
/// it built none.
pub fn provenance(origin: &str, link: &LinkId, repository: &str, build: &Build) -> Option<Statement> {
    let Build { run, sha, workflow, phases, images, time, found: _, reused: _ } = build;
    let mut metadata = json!({ "invocationId": format!("{link}/{run}") });
    if let Some((began, ended)) = time {
        metadata["startedOn"] = seconds(*began).into();
        metadata["finishedOn"] = seconds(*ended).into();
    }
    let predicate = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "repository": repository,
                "commit": sha,
                "link": link.to_string(),
                "phases": phases,
            },
            "internalParameters": { "workflow": workflow },
            "resolvedDependencies": [
                { "uri": uri::repository(repository), "digest": { "gitCommit": sha } },
            ],
        },
        "runDetails": {
            "builder": { "id": uri::installation(origin), "version": version() },
            "metadata": metadata,
        },
    });
    Statement::about(images.iter().map(|(image, digest)| (image.as_str(), digest)), PREDICATE, &predicate)
}
