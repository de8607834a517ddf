//! Resolves links named on the command line, and their recorded heads.

use std::collections::{BTreeMap, BTreeSet};

use crate::causes;
use crate::cli::ExitStatus;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Head, LinkId, NameError};
use crate::estate::Estate;
use crate::inventory::Targets;
use crate::plan;
use crate::state::StateError;

/// The link `text`, which must be in the manifest or on record; otherwise the error names similar ones.
pub(in crate::cli) async fn find(estate: &Estate, text: &str) -> Result<(LinkId, Head), CommandError> {
    let id: LinkId = match text.parse() {
        Ok(id) => id,
        Err(error @ NameError::NotALink(_)) => {
            return Err(missing(text, error.to_string(), &everything(estate).await));
        }
        Err(error) => return Err(error.into()),
    };
    let heads = estate.state.heads(Some(std::slice::from_ref(&id))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head);
    if head.is_none() && estate.manifest().link(&id).is_none() {
        return Err(missing(text, format!("there is no link `{text}`"), &everything(estate).await));
    }
    let head = head.unwrap_or_default();
    if let (Some(to), true) = (&head.moved_to, estate.manifest().link(&id).is_none()) {
        let hint = format!("use `{to}`, which has its whole history");
        return Err(CommandError::refused(format!("`{id}` is now called `{to}`"), hint));
    }
    Ok((id, head))
}

/// The new name of a link that the manifest no longer has under this name.
pub(in crate::cli) fn renamed(estate: &Estate, id: &LinkId) -> Option<LinkId> {
    let is_gone = estate.manifest().link(id).is_none();
    estate.manifest().moved.target(id).filter(|to| is_gone && estate.manifest().link(to).is_some())
}

/// Like [`find`], but reads the record from the link's old name until the next apply moves it.
pub(in crate::cli) async fn recorded(estate: &Estate, text: &str) -> Result<(LinkId, Head), CommandError> {
    let (id, head) = find(estate, text).await?;
    match unmoved(estate, &id, &head).await? {
        Some(refused) => Err(refused),
        None => Ok((id, head)),
    }
}

/// The error for a link whose record is still under its old name.
async fn unmoved(estate: &Estate, id: &LinkId, head: &Head) -> Result<Option<CommandError>, CommandError> {
    if estate.manifest().moved.is_empty() || !head.is_blank() {
        return Ok(None);
    }
    let heads = estate.state.heads(None).await?;
    let renames = plan::renames(estate.manifest(), heads.iter().map(|(id, head)| (id, !head.is_blank())));
    Ok(renames.into_iter().find(|(_, to)| to == id).map(|(from, _)| {
        let hint = format!("`katkit apply` moves the record; until then use `{from}`");
        CommandError::refused(format!("`{id}` is still recorded as `{from}`"), hint)
    }))
}

/// Like [`recorded`], for requests: refuses a name under which the link is recorded but no longer in the manifest.
pub(in crate::cli) async fn requested(estate: &Estate, text: &str) -> Result<(LinkId, Head), CommandError> {
    let (id, head) = recorded(estate, text).await?;
    match renamed(estate, &id) {
        Some(to) => {
            let hint = format!("`katkit apply {to}` moves its record; then use `{to}`");
            Err(called_now(&id, &to, hint))
        }
        None => Ok((id, head)),
    }
}

/// A link that a request is for.
#[derive(Debug)]
pub(in crate::cli) struct Requested {
    pub(in crate::cli) id: LinkId,
    /// The recorded head, or why the link takes no request under this name.
    pub(in crate::cli) head: Result<Head, CommandError>,
    /// Whether the link was named in full; otherwise a pattern matched it.
    pub(in crate::cli) is_named: bool,
}

/// The links that `texts` name, and the manifest's links that they match, without duplicates, sorted.
pub(in crate::cli) async fn all_requested(
    estate: &Estate,
    texts: &[String],
) -> Result<Vec<Requested>, CommandError> {
    let (names, patterns): (Vec<_>, Vec<_>) = texts.iter().cloned().partition(|text| is_name(text));
    let mut found = BTreeMap::new();
    if !patterns.is_empty() {
        let targets = in_manifest(estate, &patterns)?;
        let ids: Vec<_> = of_manifest(estate).into_iter().filter(|id| targets.contain(id)).collect();
        let mut heads: BTreeMap<_, _> = estate.state.heads(Some(&ids)).await?.into_iter().collect();
        for id in ids {
            let head = heads.remove(&id).unwrap_or_default();
            let head = match unmoved(estate, &id, &head).await? {
                Some(refused) => Err(refused),
                None => Ok(head),
            };
            found.insert(id.clone(), Requested { id, head, is_named: false });
        }
    }
    for name in names {
        let (id, head) = requested(estate, &name).await?;
        found.insert(id.clone(), Requested { id, head: Ok(head), is_named: true });
    }
    Ok(found.into_values().collect())
}

/// Every link with a pending request.
pub(in crate::cli) async fn with_requests(estate: &Estate) -> Result<Vec<Requested>, CommandError> {
    let requests = estate.state.requests(None).await?;
    let ids: BTreeSet<_> = requests.into_iter().map(|request| request.link).collect();
    let requested = |id| Requested { id, head: Ok(Head::default()), is_named: false };
    Ok(ids.into_iter().map(requested).collect())
}

fn called_now(id: &LinkId, to: &LinkId, hint: String) -> CommandError {
    CommandError::refused(format!("`{id}` is called `{to}` in the manifest"), hint)
}

/// Resolves `patterns`. Each must match a link in the manifest.
pub(in crate::cli) fn in_manifest(estate: &Estate, patterns: &[String]) -> Result<Targets, CommandError> {
    targets(patterns, &of_manifest(estate), "link in the manifest")
}

/// Resolves `patterns`. Each must match a link in the manifest, or a link that left it and is not yet recorded as
/// forgotten.
pub(in crate::cli) async fn in_manifest_or_left(
    estate: &Estate,
    patterns: &[String],
) -> Result<Targets, CommandError> {
    let missing = match in_manifest(estate, patterns) {
        Err(missing @ CommandError::Usage { .. }) => missing,
        found => return found,
    };
    for pattern in patterns {
        let old = pattern.parse().ok();
        if let Some((to, id)) = old.and_then(|id: LinkId| Some((renamed(estate, &id)?, id))) {
            return Err(called_now(&id, &to, format!("use `{to}`")));
        }
    }
    // Without the record, only the manifest's links are known.
    let recorded = estate.state.heads(None).await.unwrap_or_default();
    let left = recorded.into_iter().filter(|(_, head)| !head.forgotten).map(|(id, _)| id);
    let known: BTreeSet<_> = of_manifest(estate).into_iter().chain(left).collect();
    targets(patterns, &known, "link").map_err(|_| missing)
}

/// Resolves `patterns`. Each must match one of `known`, which the error calls `what`: a pattern that matches nothing is
/// probably a typo.
pub(in crate::cli) fn targets(
    patterns: &[String],
    known: &BTreeSet<LinkId>,
    what: &str,
) -> Result<Targets, CommandError> {
    for pattern in patterns {
        let targets = Targets::matching(std::slice::from_ref(pattern))?;
        if !known.iter().any(|id| targets.contain(id)) {
            return Err(missing(pattern, format!("`{pattern}` matches no {what}"), known));
        }
    }
    Ok(Targets::matching(patterns)?)
}

/// Whether `text` names a link, as opposed to a tenant or a pattern.
pub(in crate::cli) fn is_name(text: &str) -> bool {
    text.contains('/') && !text.contains(['*', '?', '[', '{'])
}

/// Notes which links are not shown because their record is damaged. Returns the resulting exit status.
pub(in crate::cli) fn left_out(damaged: &BTreeMap<LinkId, StateError>, output: &mut Output) -> ExitStatus {
    for (link, error) in damaged {
        let error = causes::in_one_line(error);
        output.note(format_args!("{link} is left out: {error}; `katkit doctor {link}` says how to fix it"));
    }
    if damaged.is_empty() { ExitStatus::Success } else { ExitStatus::Failure }
}

/// The links in the manifest.
pub(in crate::cli) fn of_manifest(estate: &Estate) -> BTreeSet<LinkId> {
    estate.manifest().links().map(|(id, _, _)| id).collect()
}

/// The links in the manifest, and those on record.
async fn everything(estate: &Estate) -> BTreeSet<LinkId> {
    // Without the record, suggest only the manifest's links.
    let recorded = estate.state.heads(None).await.unwrap_or_default();
    recorded.into_iter().map(|(id, _)| id).chain(of_manifest(estate)).collect()
}

/// The error for a link that is not among `known`. Suggests similar ones.
fn missing(text: &str, what: String, known: &BTreeSet<LinkId>) -> CommandError {
    let hint = match near(text, known).as_slice() {
        [] => "`katkit status` lists the links".to_owned(),
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    };
    CommandError::usage(what, hint)
}

/// How many similar links to suggest.
const NEAR: usize = 3;

/// The links that `text` probably means, most similar first: the same name in another tenant, or a similar spelling.
fn near(text: &str, known: &BTreeSet<LinkId>) -> Vec<String> {
    let likeness = |id: &LinkId| {
        let whole = strsim::jaro_winkler(text, &id.to_string());
        if text.contains('/') { whole } else { whole.max(strsim::jaro_winkler(text, id.link.as_str())) }
    };
    let mut near: Vec<_> =
        known.iter().map(|id| (likeness(id), id)).filter(|(likeness, _)| *likeness > 0.8).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(NEAR);
    near.into_iter().map(|(_, id)| format!("`{id}`")).collect()
}
