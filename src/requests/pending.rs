//! Which requests are pending.

use crate::domain::{Request, RequestKind};

/// The pending requests: not withdrawn, and not withdrawals themselves.
pub(super) fn pending(requests: Vec<Request>) -> Vec<Request> {
    let (withdrawals, others): (Vec<_>, Vec<_>) =
        requests.into_iter().partition(|request| matches!(request.ask, RequestKind::Withdraw { .. }));
    let is_pending = |request: &Request| !withdrawals.iter().any(|other| other.withdraws(&request.id));
    others.into_iter().filter(is_pending).collect()
}
