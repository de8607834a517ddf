//! The rules of requests, without a terminal or a repository.

use jiff::Timestamp;

use super::*;
use crate::domain::{
    Actor, Deployment, Images, PhaseState, PhaseStatus, Quarantine, Request, RunId, RunState,
};

/// The link `dev/shop`, which wants the commit `2222…`.
fn estate() -> Estate {
    let text = format!(
        "version = 1\n[repos.shop]\nurl = \"/shop\"\n[workflows.standard]\nphases = [\n\
         {{ name = \"build\", order = 0 }},\n{{ name = \"deploy\", order = 1, kind = \"deployment\" }},\n\
         {{ name = \"verify\", order = 2 }},\n{{ name = \"load\", order = 3 }},\n]\n\
         [tenants.dev.links.shop]\nrepo = \"shop\"\nworkflow = \"standard\"\nsha = \"{}\"",
        sha('2')
    );
    Estate::in_memory(&text)
}

fn link() -> LinkId {
    "dev/shop".parse().unwrap()
}

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn name(phase: &str) -> PhaseName {
    PhaseName::new(phase).unwrap()
}

/// A run in progress whose `verify` failed. The phase `load` was added to the workflow since.
fn failed(digit: char) -> Head {
    let phase = |phase: &str, order, status| PhaseState {
        name: name(phase),
        order,
        deployment: phase == "deploy",
        status,
        waived: false,
        waived_by: None,
        reused: None,
        digests: None,
        attempt: None,
        rollout: None,
        failures: 0,
        losses: 0,
    };
    let phases = vec![
        phase("build", 0, PhaseStatus::Succeeded),
        phase("deploy", 1, PhaseStatus::Succeeded),
        phase("verify", 2, PhaseStatus::Failed),
    ];
    let run = RunState {
        id: RunId("1".to_owned()),
        sha: sha(digit),
        started: Timestamp::UNIX_EPOCH,
        ended: None,
        workflow: String::new(),
        phases,
        goes_on_with: None,
        cancelled: None,
        test: None,
    };
    let deployed = Deployment {
        sha: sha(digit),
        at: Timestamp::UNIX_EPOCH,
        images: Images::new(),
        revision: "r".to_owned(),
        token: None,
        barrier: None,
    };
    Head { run: Some(run), deployed: Some(deployed), ..Head::default() }
}

/// The same run, after its commit was rolled back.
fn rolled_back(digit: char) -> Head {
    let quarantine = Quarantine {
        sha: sha(digit),
        since: Timestamp::UNIX_EPOCH,
        why: "`verify` failed after the deployment".to_owned(),
        good: None,
        alone: false,
        cleared: Vec::new(),
    };
    Head { quarantined: vec![quarantine], ..failed(digit) }
}

/// The only request that the action leads to, and its confirmation; or the error and its hint.
async fn checked(head: &Head, action: Action) -> Result<(RequestKind, String), (String, Option<String>)> {
    let requests = check((&estate(), &"ana".into()), &link(), head, &action).await;
    let mut requests = requests.map_err(|error| (error.to_string(), error.hint()))?;
    let CheckedRequest { kind, confirmation } = requests.pop().unwrap();
    assert!(requests.is_empty());
    Ok((kind, confirmation))
}

fn refused<T>(what: &str, hint: &str) -> Result<T, (String, Option<String>)> {
    Err((what.to_owned(), Some(hint.to_owned())))
}

/// Requests to cancel the run, and returns the confirmation.
async fn cancel(estate: &Estate, by: &str, why: Option<&str>) -> String {
    let requests = check((estate, &"ana".into()), &link(), &failed('2'), &Action::Cancel).await.unwrap();
    let requests = requests.into_iter().map(|request| (link(), request)).collect();
    let mut prepared = prepare(estate, requests, &Actor::from(by), why).await.unwrap();
    prepared.pop().unwrap().record(estate).await.unwrap().confirmation
}

/// Checks a withdrawal.
async fn withdraw(estate: &Estate, withdrawal: Withdrawal) -> Result<Vec<CheckedRequest>, RequestError> {
    check((estate, &"ana".into()), &link(), &Head::default(), &Action::Withdraw(withdrawal)).await
}

async fn recorded(estate: &Estate) -> Vec<Request> {
    estate.state.requests(None).await.unwrap()
}

#[tokio::test]
async fn cancelling_without_a_run_is_refused_with_a_hint() {
    assert_eq!(
        checked(&Head::default(), Action::Cancel).await,
        refused("no run of `dev/shop` is in progress", "`katkit status dev/shop` shows where it stands")
    );
}

#[tokio::test]
async fn a_retry_resumes_from_the_phase_that_failed() {
    let retry = RequestKind::Retry { sha: sha('2'), phase: name("verify") };
    let confirmation = "recorded: retry 2222222222 from `verify`.".to_owned();
    assert_eq!(checked(&failed('2'), Action::Retry { phase: None }).await, Ok((retry, confirmation)));
}

#[tokio::test]
async fn a_retry_from_a_phase_that_the_run_in_progress_lacks_is_refused() {
    assert_eq!(
        checked(&failed('2'), Action::Retry { phase: Some(name("load")) }).await,
        refused(
            "the run in progress of `dev/shop` has no phase `load`",
            "`katkit apply dev/shop` restarts it with the edited workflow"
        )
    );
    assert_eq!(
        checked(&failed('2'), Action::Retry { phase: Some(name("smoke")) }).await,
        refused("`dev/shop` has no phase `smoke`", "its phases are: build, deploy, verify")
    );
}

#[tokio::test]
async fn a_retry_of_a_quarantined_commit_releases_it() {
    let release =
        (RequestKind::Release { sha: sha('2') }, "recorded: 2222222222 may be deployed again.".to_owned());
    for phase in [None, Some(name("deploy"))] {
        assert_eq!(checked(&rolled_back('2'), Action::Retry { phase }).await, Ok(release.clone()));
    }
    assert_eq!(
        checked(&rolled_back('2'), Action::Retry { phase: Some(name("verify")) }).await,
        refused(
            "2222222222 is quarantined, and resumes from `deploy` once released",
            "leave out `--phase`: katkit retry dev/shop"
        )
    );
}

#[tokio::test]
async fn a_skip_applies_only_to_the_wanted_commit() {
    let skip = |sha| Action::Skip { phase: name("verify"), sha };
    let kind = RequestKind::Skip { sha: sha('2'), phase: name("verify") };
    let confirmation = "recorded: skip `verify` for 2222222222.".to_owned();
    assert_eq!(checked(&failed('2'), skip(None)).await, Ok((kind, confirmation)));
    let moved_on = refused(
        "the last run of `dev/shop` is for 1111111111, and 2222222222 is wanted now",
        &format!("`katkit apply` runs 2222222222; `katkit set dev/shop {}` wants 1111111111 again", sha('1')),
    );
    assert_eq!(checked(&failed('1'), skip(None)).await, moved_on);
    assert_eq!(checked(&failed('2'), skip(Some(sha('1')))).await, moved_on);
}

#[tokio::test]
async fn a_rollback_to_a_text_that_is_not_a_sha_is_invalid_rather_than_refused() {
    let rollback = Action::Rollback { to: Some("main".to_owned()) };
    let error = check((&estate(), &"ana".into()), &link(), &failed('2'), &rollback).await.unwrap_err();
    assert!(matches!(error, RequestError::Commit(CommitPrefixError::Invalid(_))), "{error:?}");
}

#[tokio::test]
async fn the_same_request_is_recorded_once_but_again_for_another_reason() {
    let estate = estate();
    assert_eq!(cancel(&estate, "ana", None).await, "recorded: cancel the run for 2222222222.");
    let pending = "ana already requested this; that request is still pending.";
    assert_eq!(cancel(&estate, "ben", None).await, pending);
    assert_eq!(recorded(&estate).await.len(), 1);
    assert_eq!(cancel(&estate, "ben", Some("flaky")).await, "recorded: cancel the run for 2222222222.");
    let requests = recorded(&estate).await;
    let reason = |request: &Request| (request.by.to_string(), request.why.clone());
    let reasons: Vec<_> = requests.iter().map(reason).collect();
    assert_eq!(reasons, [("ana".to_owned(), None), ("ben".to_owned(), Some("flaky".to_owned()))]);
}

#[tokio::test]
async fn one_of_several_pending_requests_has_to_be_chosen() {
    let estate = estate();
    cancel(&estate, "ana", None).await;
    cancel(&estate, "ben", Some("flaky")).await;
    let [first, second] = <[Request; 2]>::try_from(recorded(&estate).await).unwrap();
    let error = withdraw(&estate, Withdrawal::Only).await.unwrap_err();
    assert_eq!(error.to_string(), "2 requests for `dev/shop` are pending");
    let list = format!("{} (cancel by ana), {} (cancel by ben)", first.id, second.id);
    assert_eq!(error.hint().unwrap(), format!("choose with `--request ID`, or use `--all`: {list}"));
    let error = withdraw(&estate, Withdrawal::Ids(vec![RequestId("7".to_owned())])).await.unwrap_err();
    assert_eq!(error.to_string(), "no pending request for `dev/shop` has the id `7`");
    assert_eq!(withdraw(&estate, Withdrawal::All).await.unwrap().len(), 2);
    let chosen = withdraw(&estate, Withdrawal::Ids(vec![second.id.clone()])).await.unwrap();
    let confirmation = "the cancel that ben requested is withdrawn.".to_owned();
    assert_eq!(chosen, [CheckedRequest { kind: RequestKind::Withdraw { id: second.id }, confirmation }]);
}

/// A server handles each call in its own task, which may move between threads.
#[test]
fn checking_preparing_and_recording_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (estate, link, head, actor) = (estate(), link(), Head::default(), Actor::from("ana"));
    let steps = async {
        let checked = check((&estate, &"ana".into()), &link, &head, &Action::Retry { phase: None }).await?;
        let checked = checked.into_iter().map(|request| (link.clone(), request)).collect();
        for prepared in prepare(&estate, checked, &actor, None).await? {
            prepared.record(&estate).await?;
        }
        Ok::<_, RequestError>(())
    };
    is_send(&steps);
}
