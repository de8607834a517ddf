//! SLSA verification summaries: a link verified a commit with these images.
//!
//! Source: <https://slsa.dev/spec/v1.1/verification_summary>

use serde_json::json;

use super::statement::{Statement, seconds, version};
use super::uri;
use crate::domain::{Evidence, ImageDigest, LinkId};

const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";

/// The version of the specification.
const SLSA: &str = "1.1";

/// What was verified: that a commit passed a link. It is no SLSA level, whose names begin with `SLSA_`.
const LEVEL: &str = "KATKIT_VERIFIED";

/// That the images which were deployed for a commit passed the link. `workflow` is the digest of the workflow that the
/// commit ran through, if it is still on record. `None` if none of the images was deployed by its digest, or no run
/// verified them.
pub fn verification(
    origin: &str,
    link: &LinkId,
    evidence: &Evidence,
    workflow: Option<&str>,
) -> Option<Statement> {
    let Evidence { sha, at, run, deployment, clock: _, built_by: _ } = evidence;
    let run = run.as_ref()?;
    let images = deployment.iter().flat_map(|deployment| deployment.images.values());
    let images: Vec<_> = images.filter_map(|image| Some((image.as_str(), ImageDigest::of(image)?))).collect();
    let resource = uri::link(origin, link);
    let mut policy = json!({ "uri": format!("{resource}/workflow") });
    if let Some(workflow) = workflow {
        policy["annotations"] = json!({ "workflow": workflow });
    }
    let predicate = json!({
        "verifier": { "id": uri::installation(origin), "version": version() },
        "timeVerified": seconds(*at),
        "resourceUri": resource,
        "policy": policy,
        "verificationResult": "PASSED",
        "verifiedLevels": [LEVEL],
        "slsaVersion": SLSA,
        // Fields of our own have URIs as names.
        "urn:katkit:verification:v1:commit": sha,
        "urn:katkit:verification:v1:run": run,
    });
    Statement::about(images.iter().map(|(image, digest)| (*image, digest)), PREDICATE, &predicate)
}
