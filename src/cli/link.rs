//! A link named on the command line, and what is recorded of it.

use std::collections::BTreeSet;

use super::error::CommandError;
use crate::app::App;
use crate::domain::{CommitSha, Head, LinkId, NameError};
use crate::git::Repositories;
use crate::manifest::Want;

/// The link `text`, which must be in the manifest or on record; otherwise the error names similar ones.
pub(super) async fn find(app: &App, text: &str) -> Result<(LinkId, Head), CommandError> {
    let id: LinkId = match text.parse() {
        Ok(id) => id,
        Err(error @ NameError::NotALink(_)) => return Err(missing(app, text, error.to_string()).await),
        Err(error) => return Err(error.into()),
    };
    let heads = app.state.heads(Some(std::slice::from_ref(&id))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head);
    if head.is_none() && app.manifest().link(&id).is_none() {
        return Err(missing(app, text, format!("there is no link `{text}`")).await);
    }
    Ok((id, head.unwrap_or_default()))
}

/// How many similar links are named.
const NEAR: usize = 3;

/// The error for a pattern that no link matches.
pub(super) async fn unmatched(app: &App, pattern: &str) -> CommandError {
    missing(app, pattern, format!("`{pattern}` matches no link")).await
}

/// The error for a link that is not there, with similar ones where there are some.
async fn missing(app: &App, text: &str, what: String) -> CommandError {
    let near = near(app, text).await;
    let hint = match near.as_slice() {
        [] => "`katkit status` lists the links".to_owned(),
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    };
    CommandError::refused(what, hint)
}

/// The links that `text` was probably meant to be, most similar first: of that name in some tenant, or spelled alike.
async fn near(app: &App, text: &str) -> Vec<String> {
    // Without the record, the manifest's links are the best that can be suggested.
    let recorded = app.state.heads(None).await.unwrap_or_default();
    let mut ids: BTreeSet<_> = recorded.into_iter().map(|(id, _)| id).collect();
    ids.extend(app.manifest().links().map(|(id, _, _)| id));
    let likeness = |id: &LinkId| {
        let whole = strsim::jaro_winkler(text, &id.to_string());
        if text.contains('/') { whole } else { whole.max(strsim::jaro_winkler(text, id.link.as_str())) }
    };
    let mut near: Vec<_> =
        ids.iter().map(|id| (likeness(id), id)).filter(|(likeness, _)| *likeness > 0.8).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(NEAR);
    near.into_iter().map(|(_, id)| format!("`{id}`")).collect()
}

/// The sha that the manifest asks for, a branch resolved.
pub(super) async fn wanted(app: &App, id: &LinkId) -> Result<CommitSha, CommandError> {
    let Some((_, link)) = app.manifest().link(id) else {
        let hint = "it is on record, and left the manifest; `katkit why` shows what is known of it";
        return Err(CommandError::refused(format!("`{id}` is not in the manifest"), hint.to_owned()));
    };
    match &link.want {
        Want::Sha(sha) => Ok(sha.clone()),
        Want::Branch(branch) => {
            let url = app.manifest().repos.get(&link.repo).map(|repo| repo.url.clone()).unwrap_or_default();
            let mut tips = app.git.tips(&url, std::slice::from_ref(branch)).await?;
            tips.remove(branch).ok_or_else(|| {
                CommandError::refused(
                    format!("repository `{}` has no branch `{branch}`", link.repo),
                    None::<String>,
                )
            })
        }
    }
}
