//! Withdraws pending requests.

use super::error::RequestError;
use super::pending::pending;
use super::{CheckedRequest, Withdrawal, permitted};
use crate::access::Right;
use crate::domain::{Actor, LinkId, Request, RequestId, RequestKind};
use crate::estate::Estate;

pub(super) async fn check(
    (estate, by): (&Estate, &Actor),
    link: &LinkId,
    withdrawal: &Withdrawal,
) -> Result<Vec<CheckedRequest>, RequestError> {
    let pending = pending(estate.state.requests(Some(std::slice::from_ref(link))).await?);
    if pending.is_empty() {
        return Err(RequestError::refused(
            format!("no request for `{link}` is pending"),
            format!("`katkit history {link}` shows the outcome of earlier requests"),
        ));
    }
    let chosen = chosen(&pending, link, withdrawal).map_err(|what| {
        let list = |request: &Request| format!("{} ({} by {})", request.id, request.ask.word(), request.by);
        let list: Vec<_> = pending.iter().map(list).collect();
        let hint = format!("choose with `--request ID`, or use `--all`: {}", list.join(", "));
        RequestError::refused(what, hint)
    })?;
    for request in &chosen {
        if !estate.manifest().access.is_same(&request.by, by) {
            let right = Right::of(&request.ask);
            permitted(estate, by, right, (right.command(), link))?;
        }
    }
    Ok(chosen.into_iter().map(withdrawn).collect())
}

/// The chosen requests, or why the choice is not clear.
fn chosen<'p>(
    pending: &'p [Request],
    link: &LinkId,
    withdrawal: &Withdrawal,
) -> Result<Vec<&'p Request>, String> {
    match withdrawal {
        Withdrawal::Only if pending.len() > 1 => {
            Err(format!("{} requests for `{link}` are pending", pending.len()))
        }
        Withdrawal::Only | Withdrawal::All => Ok(pending.iter().collect()),
        Withdrawal::Ids(ids) => {
            let is_pending = |id: &RequestId| pending.iter().any(|request| request.id == *id);
            match ids.iter().find(|id| !is_pending(id)) {
                Some(id) => Err(format!("no pending request for `{link}` has the id `{id}`")),
                None => Ok(pending.iter().filter(|request| ids.contains(&request.id)).collect()),
            }
        }
    }
}

fn withdrawn(request: &Request) -> CheckedRequest {
    let confirmation = format!("the {} that {} requested is withdrawn.", request.ask.word(), request.by);
    CheckedRequest { kind: RequestKind::Withdraw { id: request.id.clone() }, confirmation }
}
