//! A deployment that was in flight when its process died, while deployments are held.

use std::sync::Arc;

use super::held_deployment::{
    Office, SATURDAY, TUESDAY, apply, head, link, office, planned, planned_for, sha, statuses,
};
use crate::apply::{HeldLease, Record, Session};
use crate::domain::{CommitSha, DeployOutcome, DeployPurpose, Event, Images, PhaseStatus, RunOutcome, Token};
use crate::plan::{Observed, Step};
use crate::report::LinkResult;

/// Another process issued the deployment before the freeze began, and died.
async fn in_flight(resumed: DeployOutcome) -> Office {
    let office = office(resumed);
    apply(&office.session, planned(&office.session).await).await;
    intend(&office.session, sha()).await;
    office
}

/// Another process intends the deployment of the open run, and dies.
async fn intend(session: &Session, sha: CommitSha) {
    let estate = session.estate();
    let held = HeldLease::acquire(&estate.state, &link(), &session.executor.owner, None).await.unwrap();
    let (state, clock) = (Arc::clone(&estate.state), Arc::clone(&estate.clock));
    let mut record =
        Record::open(state, clock, link(), held.epoch, "ana".into(), head(session).await).await.unwrap();
    let intended = Event::DeployIntended {
        token: Token("t".to_owned()),
        purpose: DeployPurpose::Upgrade,
        images: images(&sha),
        sha,
        barrier: None,
        authorization: None,
        saved_plan: None,
    };
    record.record(intended).await.unwrap();
    held.release().await;
}

fn images(sha: &CommitSha) -> Images {
    [("web".to_owned(), format!("acme/web:{sha}"))].into_iter().collect()
}

#[tokio::test]
async fn a_deployment_in_flight_that_failed_ends_the_run_although_it_is_held() {
    use PhaseStatus::{Failed, Pending, Succeeded};
    let office = in_flight(DeployOutcome::Failed { reason: "no such image".to_owned() }).await;
    let session = &office.session;
    let result = apply(session, planned(session).await).await;
    let LinkResult::Failed(failure) = result else { panic!("{result:?}") };
    assert_eq!((failure.step.as_str(), failure.reason.as_str()), ("deploy", "no such image"));
    let failed = head(session).await;
    assert_eq!(statuses(&failed), (vec![Succeeded, Failed, Pending], Some(RunOutcome::Failed)));
    assert!(!planned(session).await.has_steps());
}

#[tokio::test]
async fn after_a_deployment_in_flight_that_succeeded_the_next_apply_runs_the_phases_behind_it() {
    use PhaseStatus::{Pending, Succeeded};
    let office = in_flight(DeployOutcome::Deployed).await;
    let session = &office.session;
    let result = apply(session, planned(session).await).await;
    let LinkResult::Held { deployed: Some(live), reason, hint: Some(hint) } = &result else {
        panic!("{result:?}")
    };
    assert_eq!(*live, sha());
    assert_eq!(reason, "the phases after the deployment have not run");
    assert_eq!(hint, "`katkit apply dev/web` runs them");
    assert_eq!(statuses(&head(session).await), (vec![Succeeded, Succeeded, Pending], None));
    let result = apply(session, planned(session).await).await;
    assert!(matches!(result, LinkResult::Done { .. }), "{result:?}");
    assert_eq!(statuses(&head(session).await), (vec![Succeeded; 3], Some(RunOutcome::Succeeded)));
}

/// What runs differs from what is recorded as deployed, since the deployment in flight took effect.
#[tokio::test]
async fn what_a_deployment_in_flight_has_replaced_is_not_repaired() {
    let office = office(DeployOutcome::Deployed);
    let session = &office.session;
    office.on(TUESDAY);
    apply(session, planned(session).await).await;
    office.on(SATURDAY);
    let next = CommitSha::new("b".repeat(40)).unwrap();
    apply(session, planned_for(session, next.clone(), |_| Observed::AsDeployed).await).await;
    intend(session, next.clone()).await;
    let (revision, left) = ("r".to_owned(), Vec::new());
    let runs = Observed::Running { revision, images: images(&next), description: None, left };
    let plan = planned_for(session, next.clone(), |_| runs.clone()).await;
    assert!(matches!(plan.links[0].steps[..], [Step::Finalize { .. }]), "{plan:?}");
    let result = apply(session, plan).await;
    assert!(!result.is_failure(), "{result:?}");
    let now = head(session).await;
    assert!(now.runs(&next) && now.deploying.is_none(), "{now:?}");
}
