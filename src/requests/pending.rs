//! Which requests are pending.

use crate::domain::{Request, RequestKind};

/// The pending requests: not withdrawn, and not withdrawals themselves.
pub(super) fn pending(requests: Vec<Request>) -> Vec<Request> {
    let withdrawn: Vec<_> = requests
        .iter()
        .filter_map(|request| match &request.ask {
            RequestKind::Withdraw { id } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let open = |request: &Request| {
        !matches!(request.ask, RequestKind::Withdraw { .. }) && !withdrawn.contains(&request.id)
    };
    requests.into_iter().filter(open).collect()
}
