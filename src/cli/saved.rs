//! Plans in files: written whole or not at all, and never believed.
//!
//! A file says what was reviewed. Whoever could write to it since could add a step that runs anything with the secrets of a
//! tenant, so no step of it is carried out: planning is done again, and what it gives now is carried out of those links
//! for which it is what the file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use crate::app::App;
use crate::domain::{LinkId, PlanDigest};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, LinkPlan, Plan};
use crate::report::{LinkReport, LinkResult};

/// What may be carried out of a saved plan.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// What planning gives now, of the links for which it is what was reviewed.
    pub(super) plan: Plan,
    /// The identity of what was reviewed.
    pub(super) digest: PlanDigest,
    /// The links of which nothing may be carried out.
    pub(super) refused: Vec<LinkReport>,
}

/// Saves a plan, readable for its owner only: it names variables, though never the value of a secret.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<PlanDigest, CommandError> {
    let failed = |source| CommandError::File { path: path.to_owned(), action: "written", source };
    let text = text(plan).map_err(|error| failed(io::Error::from(error)))?;
    let digest = PlanDigest::of(&text);
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A device or a pipe takes what is written to it, and anything else says why not.
        let file = fs::OpenOptions::new().write(true).open(path);
        return file.and_then(|mut file| file.write_all(&text)).map(|()| digest).map_err(failed);
    }
    let path = resolved(path);
    if fs::metadata(&path).is_ok_and(|there| there.len() > 0) && !is_plan(&path) {
        return Err(CommandError::refused(
            format!("{} exists, and is not a saved plan", path.display()),
            "choose another name, or remove the file first".to_owned(),
        ));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.as_file_mut().write_all(&text).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(digest)
}

/// Whether a file holds a plan, of whatever version: another may take its place.
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

/// The one form in which a plan is written.
fn text(plan: &Plan) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(plan)
}

/// Where symbolic links lead, also to what is not there yet.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as the system follows (path_resolution(7)); who meets more is told so when the file is made.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

/// Reads a saved plan. Refuses one of another version.
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
        return Err(CommandError::refused(what, "plan again with this one".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| not_a_plan(error.to_string()))
}

/// Plans again, and holds the saved plan against that.
///
/// Fails where there is nothing left of it to carry out, because every link is planned otherwise now; with `all_or_nothing`, as
/// soon as one is.
pub(super) async fn confirm(app: &App, path: &Path, all_or_nothing: bool) -> Result<Confirmed, CommandError> {
    let saved = read(path)?;
    let digest = text(&saved).map(|text| PlanDigest::of(&text)).map_err(|error| CommandError::File {
        path: path.to_owned(),
        action: "read",
        source: error.into(),
    })?;
    let Plan { version: _, manifest: _, refresh_only, links, sweeps, up_to_date: _ } = saved;
    let reviewed: BTreeSet<_> = links.iter().map(|link| link.link.clone()).collect();
    let (to_do, held): (Vec<_>, Vec<_>) = links.iter().partition(|link| !link.steps.is_empty());
    // Whether anybody owns a service is known only where every link is looked at.
    let targets = if sweeps.is_empty() { Targets::default().and_only(reviewed) } else { Targets::default() };
    let input = app.inventory(&Scope { targets, refresh_only, ..Scope::default() }).await?;
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
    plan.sweeps.retain(|stray| sweeps.contains(stray));
    let left = sweeps.len().saturating_sub(plan.sweeps.len());
    if left > 0 {
        tracing::warn!(
            services = left,
            "what the saved plan would remove and planning would not now is left alone"
        );
    }
    if !changed.is_empty() && (all_or_nothing || !plan.has_steps()) {
        return Err(out_of_date(&in_words(&changed)));
    }
    let refused = changed.into_iter().map(|(link, what)| {
        let (error, hint) = (format!("the saved plan is out of date: {what}"), Some(AGAIN.to_owned()));
        LinkReport { link, result: LinkResult::Refused { error, hint } }
    });
    Ok(Confirmed { plan, digest, refused: refused.collect() })
}

/// What to do about a saved plan that is no longer what planning gives.
const AGAIN: &str = "plan again";

fn out_of_date(what: &str) -> CommandError {
    CommandError::refused(format!("the saved plan is out of date{what}"), AGAIN.to_owned())
}

/// The first few links, each with what differs.
fn in_words(changed: &BTreeMap<LinkId, String>) -> String {
    const NAMED: usize = 3;
    let named = changed.iter().take(NAMED).map(|(link, what)| format!(" for `{link}`: {what}"));
    let named = named.collect::<Vec<_>>().join(";");
    match changed.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and for {more} more"),
    }
}
