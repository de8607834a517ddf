//! Applies with ports in memory. Links proceed while a fleet cannot remove its services.

mod held_deployment;
mod in_flight;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::{Check, CommitSha, Handle, Token};
use crate::estate::Estate;
use crate::fleet::{Fleet, FleetError, Launch, ListedService, Secrets, ServiceState};
use crate::plan::{LinkPlan, OrphanedService, Plan, Step};
use crate::report::Progress;

/// Every removal hangs.
#[derive(Debug)]
struct Hanging;

#[async_trait]
impl Fleet for Hanging {
    async fn launch(&self, _: &Launch) -> Result<Handle, FleetError> {
        unreachable!("nothing is launched")
    }

    async fn observe(&self, _: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        unreachable!("nothing is observed")
    }

    async fn gone(&self, _: &Handle) -> Result<ServiceState, FleetError> {
        std::future::pending().await
    }

    async fn stop(&self, _: &Handle) -> Result<(), FleetError> {
        Ok(())
    }

    async fn remove(&self, _: &Handle) -> Result<(), FleetError> {
        std::future::pending().await
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        Ok(Vec::new())
    }

    async fn verify(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn verify_launch(&self, _: &Launch) -> Option<Check> {
        None
    }
}

/// Records the events it receives, one line each.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Listener for Notes {
    fn hear(&self, progress: &Progress) {
        let line = match progress {
            Progress::LinkEnded { link, failed } => format!("{link} ended, failed: {failed}"),
            Progress::Swept { service, removed } => format!("{service} swept: {removed}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }

    fn wants_log(&self) -> bool {
        false
    }
}

/// An estate without links, whose only fleet hangs.
fn estate() -> Estate {
    let fleets = [("f".parse().unwrap(), Arc::new(Hanging) as Arc<dyn Fleet>)].into();
    Estate { fleets, ..Estate::in_memory("version = 1") }
}

fn session(estate: Estate, listener: Arc<Notes>) -> Arc<Session> {
    let owner = crate::liveness::this_process("ana".to_owned(), estate.clock.now());
    let secrets: SecretReader = |_| Box::pin(std::future::ready(Ok(Secrets::default())));
    Arc::new(Session {
        executor: Arc::new(Executor::new(Arc::new(estate), owner, secrets)),
        actor: "ana".into(),
        listener,
        interrupt: CancellationToken::new(),
        saved_plan: None,
        failure_limit: FailureLimit::default(),
    })
}

fn adopted(link: &str) -> LinkPlan {
    let sha = CommitSha::new("a".repeat(40)).unwrap();
    let images = [("web".to_owned(), format!("acme/web:{sha}"))].into_iter().collect();
    LinkPlan {
        want: Some(sha.clone()),
        ..LinkPlan::with_steps(link, vec![Step::Adopt { sha, images, revision: "r".to_owned() }])
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_removed_delays_no_link_and_ctrl_c_ends_the_wait() {
    let notes = Arc::new(Notes::default());
    let orphan = OrphanedService {
        fleet: "f".parse().unwrap(),
        handle: Handle("one".to_owned()),
        token: Token("one".to_owned()),
        link: None,
    };
    let plan = Plan {
        version: Plan::VERSION,
        manifest: String::new(),
        refresh_only: false,
        links: vec![adopted("dev/shop"), adopted("prod/shop")],
        sweeps: vec![orphan],
        up_to_date: 0,
    };
    let session = session(estate(), Arc::clone(&notes));
    let heard = || notes.0.lock().unwrap().clone();
    let interrupting = async {
        while heard().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        session.interrupt.cancel();
    };
    let applying = async { tokio::join!(apply(&session, plan, 1), interrupting).0 };
    // Well before katkit gives up on the removal.
    let summary = tokio::time::timeout(Duration::from_mins(1), applying).await.unwrap();
    assert_eq!((summary.swept, summary.links.len(), summary.interrupted), (0, 2, true));
    assert!(summary.links.iter().all(|link| !link.result.is_failure()), "{summary:?}");
    assert_eq!(heard(), ["dev/shop ended, failed: false", "prod/shop ended, failed: false"]);
}
