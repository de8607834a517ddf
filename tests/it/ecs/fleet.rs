//! The fleet of ECS tasks as its controller uses it, and as the next controller finds it.

use std::collections::BTreeMap;
use std::time::Duration;

use katkit::aws::Aws;
use katkit::domain::{AttemptNumber, Handle, LostCause, PhaseName, RunId, Token};
use katkit::fleet::ecs::{Capacity, EcsFleet, Settings};
use katkit::fleet::{Fleet, FleetError, Launch, Secrets, ServiceState};

use super::{Account, tasks};
use crate::engines::proxy::{Fault, Proxy};

pub fn settings() -> Settings {
    Settings {
        capacity: Capacity::Ec2,
        image: Some("katkit-ecs-test/phase:1".into()),
        execution_role: Some("arn:aws:iam::123456789012:role/execution".into()),
        memory: Some(64),
        ..Settings::default()
    }
}

fn fleet(aws: &Aws) -> EcsFleet {
    EcsFleet::new(tasks(aws), settings(), "this katkit")
}

/// A launch of a replica that does `what`.
pub fn launch(replica: u32, what: &str) -> Launch {
    let (link, run) = ("dev/shop".parse().unwrap(), RunId("1".into()));
    let (phase, attempt) = (PhaseName::new("build").unwrap(), AttemptNumber(1));
    Launch {
        token: Token::of_attempt(&link, &run, &phase, attempt).replica(replica),
        link,
        run,
        phase,
        attempt,
        replica,
        log_path: format!("s3://bucket/{what}"),
        image: None,
        cpu: None,
        memory: None,
        secrets: Secrets::default(),
        secret_arns: BTreeMap::new(),
    }
}

async fn state(fleet: &EcsFleet, handle: &Handle) -> ServiceState {
    fleet.observe(std::slice::from_ref(handle)).await.unwrap().remove(0)
}

#[tokio::test]
async fn launching_twice_gives_one_task_in_any_process() {
    let account = Account::new().await;
    let other = fleet(&account.another().await);
    let fleet = fleet(&account.aws);
    let launch = launch(0, "sleep");
    let handle = fleet.launch(&launch).await.unwrap();
    assert_eq!(fleet.launch(&launch).await.unwrap(), handle);
    assert_eq!(other.launch(&launch).await.unwrap(), handle);
    for fleet in [&fleet, &other] {
        assert_eq!(state(fleet, &handle).await, ServiceState::Running);
    }
    other.stop(&handle).await.unwrap();
    assert!(matches!(fleet.gone(&handle).await.unwrap(), ServiceState::Gone { .. }));
    // Even once it has ended.
    let third = self::fleet(&account.another().await);
    assert_eq!(third.launch(&launch).await.unwrap(), handle);
    assert_eq!(account.counted()["ECS.RunTask"], 1);
}

#[tokio::test]
async fn a_task_is_listed_until_it_is_removed_and_only_by_its_own_katkit() {
    let account = Account::new().await;
    let fleet = fleet(&account.aws);
    assert_eq!(fleet.list().await.unwrap(), []);
    let launch = launch(2, "sleep");
    let handle = fleet.launch(&launch).await.unwrap();
    let found = fleet.list().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].handle, &found[0].token), (&handle, &launch.token));
    assert_eq!(found[0].link.as_ref(), Some(&launch.link));
    let stranger = EcsFleet::new(tasks(&account.aws), settings(), "another katkit");
    assert_eq!(stranger.list().await.unwrap(), []);

    fleet.remove(&handle).await.unwrap();
    assert_eq!(fleet.list().await.unwrap(), []);
    fleet.remove(&handle).await.unwrap();
    fleet.stop(&handle).await.unwrap();
    assert!(matches!(state(&fleet, &handle).await, ServiceState::Gone { .. }));
}

/// Whatever claims to be ECS: nothing outside the cluster is stopped because of its answers.
#[tokio::test]
async fn a_task_of_another_cluster_is_neither_listed_nor_mistaken_for_the_launched_one() {
    let account = Account::new().await;
    let proxy = Proxy::start().await;
    let fleet = fleet(&account.through(&proxy.endpoint).await.aws);
    let foreign =
        "names `arn:aws:ecs:us-east-1:123456789012:task/other/0123`, which is not a task of that cluster";
    proxy.fault(|name, _| {
        let answer = r#"{"taskArns":["arn:aws:ecs:us-east-1:123456789012:task/other/0123"]}"#;
        (name == "ListTasks").then_some(Fault::Answer(answer))
    });
    let said = |error: FleetError| chain(&error);
    let listed = said(fleet.list().await.unwrap_err());
    assert!(listed.contains("ecs:ListTasks") && listed.contains(foreign), "{listed}");
    let launched = said(fleet.launch(&launch(0, "sleep")).await.unwrap_err());
    assert!(launched.contains(foreign), "{launched}");
    proxy.fault(|name, _| {
        let answer = r#"{"tasks":[{"taskArn":"arn:aws:ecs:us-east-1:123456789012:task/other/0123"}]}"#;
        (name == "RunTask").then_some(Fault::Answer(answer))
    });
    let launched = said(fleet.launch(&launch(0, "sleep")).await.unwrap_err());
    assert!(launched.contains("ecs:RunTask") && launched.contains(foreign), "{launched}");
    assert!(!proxy.calls().contains_key("StopTask"), "{:?}", proxy.calls());
}

/// Missing fields, wrong types, and names that would move a terminal's cursor.
#[tokio::test]
async fn malformed_task_descriptions_are_ignored() {
    let account = Account::new().await;
    let proxy = Proxy::start().await;
    let fleet = fleet(&account.through(&proxy.endpoint).await.aws);
    let handle = fleet.launch(&launch(0, "sleep")).await.unwrap();
    for answer in [
        "{}",
        r#"{"tasks":null}"#,
        r#"{"tasks":[{}]}"#,
        r#"{"tasks":[{"taskArn":"arn:aws:ecs:eu-central-1:1:task/dev/\u001b[2J","lastStatus":"STOPPED"}]}"#,
        r#"{"tasks":[{"taskArn":"\u0000","containers":[{"exitCode":null}],"overrides":{},"tags":[{}]}]}"#,
    ] {
        proxy.fault(move |name, _| (name == "DescribeTasks").then_some(Fault::Answer(answer)));
        assert_eq!(fleet.list().await.unwrap(), [], "{answer}");
        assert_eq!(state(&fleet, &handle).await, ServiceState::Running, "{answer}");
    }
    proxy.fault(|_, _| None);
    assert_eq!(fleet.list().await.unwrap().len(), 1);
    assert!(!proxy.calls().contains_key("StopTask"), "{:?}", proxy.calls());
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test]
async fn the_evidence_says_how_a_task_ended() {
    let account = Account::new().await;
    let fleet = fleet(&account.aws);
    let mut missing = launch(2, "exit-0");
    missing.image = Some("katkit-ecs-test/missing:1".into());
    let launches = [launch(0, "exit-0"), launch(1, "exit-3"), missing];
    let mut ends = Vec::new();
    for launch in &launches {
        let handle = fleet.launch(launch).await.unwrap();
        let ServiceState::Gone { cause, evidence } = fleet.gone(&handle).await.unwrap() else { panic!() };
        ends.push((cause, evidence));
    }
    assert_eq!(ends[0], (None, String::new()));
    assert_eq!(ends[1], (None, "container `phase` exited with code 3".into()));
    assert_eq!(ends[2].0, Some(LostCause::ImagePull));
    assert!(ends[2].1.contains("missing"), "{}", ends[2].1);
}

#[tokio::test]
async fn a_task_that_ecs_has_forgotten_is_gone() {
    let account = Account::new().await;
    let fleet = fleet(&account.aws);
    let handle = Handle(format!("arn:aws:ecs:eu-central-1:{}:task/dev/{}", account.number, "0".repeat(32)));
    let ServiceState::Gone { cause, evidence } = state(&fleet, &handle).await else { panic!() };
    assert_eq!(cause, Some(LostCause::Vanished));
    assert!(evidence.contains("no longer knows"));
    fleet.stop(&handle).await.unwrap();
    // ECS may not know a new task yet, which takes up to half a minute to rule out.
    let removed = tokio::time::timeout(Duration::from_mins(1), fleet.remove(&handle)).await;
    removed.expect("a missing task is removed in time").unwrap();
}

#[tokio::test]
async fn many_tasks_share_a_definition_and_batched_calls() {
    let account = Account::new().await;
    let fleet = fleet(&account.aws);
    let before = account.counted();
    let launches: Vec<_> = (0..12).map(|replica| launch(replica, "exit-0")).collect();
    let handles = futures::future::try_join_all(launches.iter().map(|launch| fleet.launch(launch)));
    let handles = handles.await.unwrap();
    let ends = futures::future::try_join_all(handles.iter().map(|handle| fleet.gone(handle))).await.unwrap();
    let clean = ServiceState::Gone { cause: None, evidence: String::new() };
    assert!(ends.iter().all(|end| *end == clean), "{ends:?}");
    let calls = account.calls(&before);
    assert_eq!((calls["ECS.RunTask"], calls["ECS.RegisterTaskDefinition"]), (12, 1));
    // Two per survey, however many launch at once; one by one it would be 24.
    assert!(calls["ECS.ListTasks"] <= 8, "{calls:?}");
    // The next process registers nothing.
    let other = account.another().await;
    let handle = self::fleet(&other).launch(&launch(99, "exit-0")).await.unwrap();
    assert!(!super::counts(&other).contains_key("ECS.RegisterTaskDefinition"));
    fleet.gone(&handle).await.unwrap();
}

#[tokio::test]
async fn secrets_are_fetched_by_ecs_and_never_by_katkit() {
    let account = Account::new().await;
    let fleet = fleet(&account.aws);
    let mut by_value = launch(0, "secret");
    by_value.secrets.0.insert("PASS".into(), "hunter2".into());
    let refused = fleet.launch(&by_value).await.unwrap_err();
    let FleetError::Refused { what } = &refused else { panic!("{refused:?}") };
    assert!(what.contains("Secrets Manager") && !what.contains("hunter2"), "{what}");

    let mut absent = launch(1, "secret");
    let arn = |name: &str| format!("arn:aws:ssm:eu-central-1:{}:parameter/{name}", account.number);
    absent.secret_arns.insert("PASS".into(), arn("absent"));
    let handle = fleet.launch(&absent).await.unwrap();
    let ServiceState::Gone { cause, evidence } = fleet.gone(&handle).await.unwrap() else { panic!() };
    assert_eq!(cause, Some(LostCause::NeverStarted));
    assert!(evidence.starts_with("its secrets could not be fetched"), "{evidence}");
}

#[tokio::test]
async fn a_missing_cluster_is_reported_before_anything_runs() {
    let account = Account::new().await;
    let cluster = katkit::aws::ecs::Cluster::new(
        account.aws.clone(),
        katkit::aws::AwsLocation::default(),
        "nowhere".into(),
    );
    let fleet = EcsFleet::new(katkit::aws::ecs::Tasks::new(cluster, super::POLL), settings(), "this katkit");
    let checks = fleet.verify().await;
    assert!(checks[0].is_bad(), "{checks:?}");
    assert!(!self::fleet(&account.aws).verify().await[0].is_bad());
    assert_eq!(fleet.list().await.unwrap(), []);
}
