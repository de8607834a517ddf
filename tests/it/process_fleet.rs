//! The process fleet as its controller uses it, and as the next controller finds it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use katkit::domain::{Handle, LostCause, Outcome};
use katkit::fleet::{Fleet, FleetError, Launch, ProcessFleet, ServiceState};

use crate::phase::{Phase, appears, eventually, fleet_in, lives, only};

/// Writes its pid, then waits for the signal to continue.
const WAITS: &str =
    "echo run >> $SIGNAL/runs; echo $$ > $SIGNAL/pid; until [ -e $SIGNAL/go ]; do sleep 0.02; done";

async fn waiting() -> Phase {
    let mut phase = Phase::running(WAITS).await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    phase
}

async fn state(fleet: &ProcessFleet, handle: &Handle) -> ServiceState {
    fleet.observe(std::slice::from_ref(handle)).await.unwrap().remove(0)
}

#[tokio::test]
async fn launching_twice_gives_one_service() {
    let phase = waiting().await;
    phase.write_spec().await;
    let other = fleet_in(&phase.root().join("services"));
    let launches = [&phase.fleet, &other, &phase.fleet, &other].map(|fleet| fleet.launch(&phase.launch));
    let handles = futures::future::try_join_all(launches).await.unwrap();
    assert!(handles.iter().all(|handle| *handle == handles[0]));
    appears(&phase.signal("pid")).await;
    assert_eq!(other.launch(&phase.launch).await.unwrap(), handles[0]);
    for fleet in [&phase.fleet, &other] {
        assert_eq!(state(fleet, &handles[0]).await, ServiceState::Running);
    }
    fs::write(phase.signal("go"), "").unwrap();
    other.gone(&handles[0]).await.unwrap();
    // Even once it has ended.
    assert_eq!(other.launch(&phase.launch).await.unwrap(), handles[0]);
    assert_eq!(phase.end(&handles[0]).await, Outcome::Succeeded);
    assert_eq!(fs::read_to_string(phase.signal("runs")).unwrap(), "run\n");
    other.remove(&handles[0]).await.unwrap();
}

#[tokio::test]
async fn a_service_is_listed_until_it_is_removed() {
    let phase = waiting().await;
    assert_eq!(phase.fleet.list().await.unwrap(), []);
    let handle = phase.launch().await;
    let found = phase.fleet.list().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].handle, &found[0].token), (&handle, &phase.launch.token));
    assert_eq!(found[0].link.as_ref(), Some(&phase.launch.link));
    phase.fleet.remove(&handle).await.unwrap();
    assert_eq!(phase.fleet.list().await.unwrap(), []);
    phase.fleet.remove(&handle).await.unwrap();
    phase.fleet.stop(&handle).await.unwrap();
    assert!(matches!(state(&phase.fleet, &handle).await, ServiceState::Gone { .. }));
}

#[tokio::test]
async fn removing_a_running_service_ends_all_its_processes() {
    let script = format!(
        "setsid sh -c 'echo $$ > $SIGNAL/1; exec sleep 1000' &
         env -i SIGNAL=$SIGNAL setsid sh -c 'sh -c \"echo \\$\\$ > $SIGNAL/2; exec sleep 1000\" &'
         mkdir -p deep/er; touch deep/er/file; chmod 0 deep/er deep
         {WAITS}"
    );
    let mut phase = Phase::running(&script).await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    let handle = phase.launch().await;
    let mut pids = Vec::new();
    for name in ["1", "2", "pid"] {
        pids.push(appears(&phase.signal(name)).await);
    }
    pids.push(phase.agent().unwrap().to_string());
    assert!(pids.iter().all(|pid| lives(pid)));
    phase.fleet.remove(&handle).await.unwrap();
    assert!(pids.iter().all(|pid| !lives(pid)));
    assert!(!phase.service().exists());
}

#[tokio::test]
async fn processes_left_by_a_killed_agent_are_found_and_ended() {
    let script = format!("(setsid sh -c 'echo $$ > $SIGNAL/1; exec sleep 1000' &) ; {WAITS}");
    let mut phase = Phase::running(&script).await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    let handle = phase.launch().await;
    let pids = [appears(&phase.signal("1")).await, appears(&phase.signal("pid")).await];
    let agent = rustix::process::Pid::from_raw(phase.agent().unwrap()).unwrap();
    rustix::process::kill_process(agent, rustix::process::Signal::KILL).unwrap();
    let ServiceState::Gone { cause, evidence } = phase.fleet.gone(&handle).await.unwrap() else { panic!() };
    assert_eq!(cause, Some(LostCause::Vanished));
    assert!(evidence.starts_with("its agent died unexpectedly, killed by SIGKILL"), "{evidence}");
    assert!(pids.iter().all(|pid| lives(pid)));
    phase.fleet.remove(&handle).await.unwrap();
    assert!(pids.iter().all(|pid| !lives(pid)));
}

#[tokio::test]
async fn an_agent_that_cannot_reach_its_blobs_leaves_evidence() {
    let mut phase = Phase::running("").await;
    phase.launch.log_path = "gopher://nowhere".into();
    let handle = phase.fleet.launch(&phase.launch).await.unwrap();
    let ServiceState::Gone { cause, evidence } = phase.fleet.gone(&handle).await.unwrap() else { panic!() };
    assert_eq!(cause, Some(LostCause::Vanished));
    assert!(evidence.contains("exit code 1: katkit agent: `gopher://nowhere` cannot be used"), "{evidence}");
    phase.fleet.remove(&handle).await.unwrap();
}

#[tokio::test]
async fn a_service_whose_controller_died_is_found_awaited_and_removed() {
    let phase = waiting().await;
    phase.write_spec().await;
    let mut controller = only("process_fleet::a_controller_that_only_launches", &[])
        .env("KATKIT_TEST_SERVICES", phase.root().join("services"))
        .env("KATKIT_TEST_LOG_PATH", &phase.launch.log_path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    appears(&phase.signal("pid")).await;
    controller.kill().unwrap();
    controller.wait().unwrap();

    let next = fleet_in(&phase.root().join("services"));
    let found = next.list().await.unwrap().remove(0);
    assert_eq!(found.token, phase.launch.token);
    assert_eq!(state(&next, &found.handle).await, ServiceState::Running);
    assert_eq!(next.launch(&phase.launch).await.unwrap(), found.handle);
    fs::write(phase.signal("go"), "").unwrap();
    let gone = next.gone(&found.handle).await.unwrap();
    assert_eq!(gone, ServiceState::Gone { cause: None, evidence: String::new() });
    assert_eq!(phase.status().await.unwrap().outcome, Some(Outcome::Succeeded));
    assert_eq!(fs::read_to_string(phase.signal("runs")).unwrap(), "run\n");
    next.remove(&found.handle).await.unwrap();
    assert!(!phase.service().exists());
}

#[tokio::test]
#[ignore = "run, and killed, by a_service_whose_controller_died_is_found_awaited_and_removed"]
async fn a_controller_that_only_launches() {
    let read = |name| std::env::var(name).unwrap();
    let fleet = fleet_in(Path::new(&read("KATKIT_TEST_SERVICES")));
    let launch = Launch { log_path: read("KATKIT_TEST_LOG_PATH"), ..Phase::running("").await.launch };
    let handle = fleet.launch(&launch).await.unwrap();
    fleet.gone(&handle).await.unwrap();
}

#[tokio::test]
async fn a_directory_without_an_agent_counts_as_never_started_and_can_be_launched() {
    let phase = Phase::running("").await;
    fs::create_dir_all(phase.service()).unwrap();
    fs::write(phase.service().join("service.json"), "{\"tok").unwrap();
    let handle = Handle(phase.launch.token.to_string());
    let ServiceState::Gone { cause, .. } = state(&phase.fleet, &handle).await else { panic!() };
    assert_eq!(cause, Some(LostCause::NeverStarted));
    assert_eq!(phase.fleet.list().await.unwrap()[0].link, None);
    assert_eq!(phase.run().await, Outcome::Succeeded);
}

#[tokio::test]
async fn a_missing_executable_is_refused_and_leaves_nothing_behind() {
    let phase = Phase::running("").await;
    let services = phase.root().join("services");
    let fleet = ProcessFleet::new(services.clone(), "/nonexistent/katkit".into());
    let error = fleet.launch(&phase.launch).await.unwrap_err();
    assert!(matches!(error, FleetError::Refused { .. }), "{error:?}");
    let said =
        "the service could not be started: the agent's executable `/nonexistent/katkit` does not exist";
    assert_eq!(error.to_string(), said);
    assert_eq!(fs::read_dir(&services).unwrap().count(), 0);
}

#[tokio::test]
async fn a_path_that_blocks_a_service_is_named_and_can_be_retried() {
    let phase = Phase::running("").await;
    fs::write(phase.root().join("services"), "").unwrap();
    let error = phase.fleet.launch(&phase.launch).await.unwrap_err();
    let FleetError::NotNow { cause: LostCause::NeverStarted, what } = &error else { panic!("{error:?}") };
    let services = phase.root().join("services");
    assert!(what.starts_with(&format!("{} could not be created: ", services.display())), "{what}");
    fs::remove_file(&services).unwrap();

    // A directory in place of its lock does not prevent removal.
    fs::create_dir_all(phase.service().join("service.lock")).unwrap();
    phase.fleet.remove(&Handle(phase.launch.token.to_string())).await.unwrap();
    assert!(!phase.service().exists());
}

#[tokio::test]
async fn a_handle_that_points_outside_the_fleet_is_refused() {
    let phase = Phase::running("").await;
    fs::create_dir_all(phase.root().join("services")).unwrap();
    for bad in ["..", "", ".", "../blobs", "/etc", "a/b"] {
        assert!(phase.fleet.remove(&Handle(bad.into())).await.is_err(), "{bad}");
    }
    assert!(phase.root().join("blobs").exists());
}

#[tokio::test]
async fn a_cleanly_ended_service_is_removed_without_searching_other_processes() {
    let phase = Phase::running("").await;
    let handle = phase.launch().await;
    phase.fleet.gone(&handle).await.unwrap();
    // A search would find it by its mark.
    let mut bystander = Command::new("sleep");
    let mut bystander = bystander.arg("1000").env("KATKIT_SERVICE", phase.service()).spawn().unwrap();
    phase.fleet.remove(&handle).await.unwrap();
    assert!(!phase.service().exists());
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn a_service_stopped_right_after_its_launch_ends() {
    let phase = waiting().await;
    let handle = phase.launch().await;
    eventually("the service ends", async || {
        phase.fleet.stop(&handle).await.unwrap();
        (state(&phase.fleet, &handle).await != ServiceState::Running).then_some(())
    })
    .await;
    phase.fleet.remove(&handle).await.unwrap();
    assert!(!phase.service().exists());
}
