//! Saved plans: written whole or not at all, and never trusted.
//!
//! A file records what was reviewed. Anyone able to write to it could add a step that runs anything with a tenant's
//! secrets, so katkit executes no step from the file. It plans again, and carries out the new plan for the links whose
//! saved plan is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::app::Opened;
use crate::cli::error::CommandError;
use crate::domain::{LinkId, PlanDigest};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, LinkPlan, Plan};
use crate::report::{LinkReport, LinkResult};

/// The part of a saved plan that may be carried out.
#[derive(Debug)]
pub(in crate::cli) struct Confirmed {
    /// The new plan, limited to links for which it equals the reviewed one.
    pub(in crate::cli) plan: Plan,
    /// Identifies the reviewed plan.
    pub(in crate::cli) digest: PlanDigest,
    /// The links whose saved plan is out of date.
    pub(in crate::cli) refused: Vec<LinkReport>,
}

/// Saves a plan, readable only by its owner: it contains variables, though never the value of a secret.
pub(in crate::cli) fn write(path: &Path, plan: &Plan) -> Result<PlanDigest, CommandError> {
    let failed = |source| CommandError::File { path: path.to_owned(), action: "written", source };
    let text = text(plan).map_err(|error| failed(io::Error::from(error)))?;
    let digest = PlanDigest::of(&text);
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A device or a pipe accepts the write; anything else fails with its own error.
        let file = fs::OpenOptions::new().write(true).open(path);
        return file.and_then(|mut file| file.write_all(&text)).map(|()| digest).map_err(failed);
    }
    let path = resolved(path);
    if fs::metadata(&path).is_ok_and(|there| there.len() > 0) && !is_plan(&path) {
        return Err(CommandError::refused(
            format!("{} exists and is not a saved plan", path.display()),
            "choose another name, or remove the file first".to_owned(),
        ));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.as_file_mut().write_all(&text).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(digest)
}

/// Whether a file holds a plan of any version, and so may be overwritten.
fn is_plan(path: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Saved {
        #[serde(rename = "version")]
        _version: u32,
        #[serde(rename = "links")]
        _links: Vec<serde::de::IgnoredAny>,
    }
    fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<Saved>(&bytes).is_ok())
}

/// The canonical form of a plan in a file.
fn text(plan: &Plan) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(plan)
}

/// Follows symbolic links, even to a file that does not exist yet.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as the system follows (path_resolution(7)); beyond that, creating the file fails with the system's error.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

/// Reads a saved plan. Refuses a plan of another version.
fn read(path: &Path) -> Result<Plan, CommandError> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let bytes = fs::read(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let not_a_plan = |what: String| {
        let hint = "`katkit plan --out FILE` saves one".to_owned();
        CommandError::refused(format!("{} is not a saved plan: {what}", path.display()), hint)
    };
    let Version { version } =
        serde_json::from_slice(&bytes).map_err(|error| not_a_plan(error.to_string()))?;
    if version != Plan::VERSION {
        let what = format!("{} was saved by another version of katkit", path.display());
        return Err(CommandError::refused(what, "plan again with this version".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| not_a_plan(error.to_string()))
}

/// Plans again, and compares the saved plan with the result.
///
/// Fails if the saved plan is out of date for every link with steps; with `all_or_nothing`, if it is for any link.
pub(in crate::cli) async fn confirm(
    opened: &Opened,
    path: &Path,
    all_or_nothing: bool,
) -> Result<Confirmed, CommandError> {
    let saved = read(path)?;
    let digest = text(&saved).map(|text| PlanDigest::of(&text)).map_err(|error| CommandError::File {
        path: path.to_owned(),
        action: "read",
        source: error.into(),
    })?;
    let Plan { version: _, manifest: _, refresh_only, links, sweeps, up_to_date: _ } = saved;
    let reviewed: BTreeSet<_> = links.iter().map(|link| link.link.clone()).collect();
    let (to_do, held): (Vec<_>, Vec<_>) = links.iter().partition(|link| !link.steps.is_empty());
    // Orphaned services can only be recognized by gathering every link.
    let targets = if sweeps.is_empty() { Targets::default().and_only(reviewed) } else { Targets::default() };
    let unattended = !opened.actor.is_person();
    let scope = Scope { targets, refresh_only, unattended, ..Scope::default() };
    let input = opened.estate.inventory(&scope).await?;
    let mut plan = plan::plan(&input);
    let mut changed = BTreeMap::new();
    for link in &to_do {
        // Both are in the order of the ids.
        let planned = plan.links.binary_search_by(|planned| planned.link.cmp(&link.link));
        let known = input.links.binary_search_by(|known| known.id.cmp(&link.link));
        let generation = known.map(|at| input.links[at].recorded()).unwrap_or_default();
        let planned = planned.ok().map(|at| &plan.links[at]);
        if let Some(what) = plan::difference(link, planned, generation) {
            changed.insert(link.link.clone(), what);
        }
    }
    let named = |links: &[&LinkPlan]| links.iter().map(|link| link.link.clone()).collect::<BTreeSet<_>>();
    let (to_do, held) = (named(&to_do), named(&held));
    for planned in
        plan.links.iter().filter(|planned| !planned.steps.is_empty() && held.contains(&planned.link))
    {
        changed.insert(planned.link.clone(), "it was held when the plan was saved".to_owned());
    }
    plan.links.retain(|planned| {
        let is_reviewed = if planned.steps.is_empty() { &held } else { &to_do };
        is_reviewed.contains(&planned.link) && !changed.contains_key(&planned.link)
    });
    plan.sweeps.retain(|orphan| sweeps.contains(orphan));
    let left = sweeps.len().saturating_sub(plan.sweeps.len());
    if left > 0 {
        tracing::warn!(
            services = left,
            "not removing services that the saved plan would remove but a new plan would not"
        );
    }
    if !changed.is_empty() && (all_or_nothing || !plan.has_steps()) {
        return Err(out_of_date(&describe(&changed)));
    }
    let refused = changed.into_iter().map(|(link, what)| {
        let (error, hint) = (format!("the saved plan is out of date: {what}"), Some(AGAIN.to_owned()));
        LinkReport { link, result: LinkResult::Refused { error, hint } }
    });
    Ok(Confirmed { plan, digest, refused: refused.collect() })
}

/// The hint for a saved plan that is out of date.
const AGAIN: &str = "plan again";

fn out_of_date(what: &str) -> CommandError {
    CommandError::refused(format!("the saved plan is out of date{what}"), AGAIN.to_owned())
}

/// The first few links, each with its difference.
fn describe(changed: &BTreeMap<LinkId, String>) -> String {
    const NAMED: usize = 3;
    let named = changed.iter().take(NAMED).map(|(link, what)| format!(" for `{link}`: {what}"));
    let named = named.collect::<Vec<_>>().join(";");
    match changed.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and for {more} more"),
    }
}
