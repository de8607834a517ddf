//! Deployments of services through the binary: failures, and what remains when the controller dies.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::process::Signal;

use crate::engines::proxy::{Fault, Proxy};
use crate::world::eventually;

use super::estate::{Estate, block_on};

const DEPLOYMENT: &str = r#"{ name = "deploy", order = 0, kind = "deployment", timeout = "2m" }"#;

/// A link whose role runs the image of its first commit.
fn deployed() -> Estate {
    let mut estate = Estate::new("true", DEPLOYMENT);
    estate.service("web", "katkit-ecs-test/web:1");
    estate.tag("katkit-ecs-test/web:2", "first");
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    estate
}

/// Adds a commit whose image crashes.
fn broken(estate: &mut Estate) {
    estate.change("shop", |repo| repo.commit("second"));
    estate.tag("katkit-ecs-test/web:crash", "second");
}

/// A link whose role runs its first commit and has a second to deploy, with a proxy in front of ECS.
fn updated_behind_a_proxy() -> (tokio::runtime::Runtime, Proxy, Estate) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut estate = deployed();
    estate.change("shop", |repo| repo.commit("second"));
    estate.tag("katkit-ecs-test/web:3", "second");
    estate.with_variable("AWS_ENDPOINT_URL_ECS", &proxy.endpoint);
    (runtime, proxy, estate)
}

fn without_proxy(estate: &mut Estate) {
    let own = estate.account.variables().into_iter().find(|(name, _)| *name == "AWS_ENDPOINT_URL").unwrap().1;
    estate.with_variable("AWS_ENDPOINT_URL_ECS", &own);
}

/// Number of revisions of the role's family.
fn revisions(estate: &Estate) -> usize {
    let list = estate.account.client.list_task_definitions().family_prefix("web");
    block_on(list.send()).unwrap().task_definition_arns.unwrap_or_default().len()
}

#[test]
fn an_image_that_crashes_is_rolled_back_by_ecs_and_reported() {
    let mut estate = deployed();
    let good = estate.serving("web");
    broken(&mut estate);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("rolled back by the platform"), "{applied}");
    assert!(
        applied.stdout.contains("exit code 7") || applied.stdout.contains("exited with code 7"),
        "{applied}"
    );
    assert_eq!(estate.serving("web"), good);
    let plan = estate.run(["plan"]);
    assert!(plan.stdout.contains("`deploy` failed for <second>"), "{plan}");
}

/// The controller dies after ECS began to deploy, and ECS gives up unobserved.
#[test]
fn a_deployment_that_failed_unobserved_is_not_issued_again() {
    let mut estate = deployed();
    let good = estate.serving("web");
    broken(&mut estate);
    let apply = estate.start(["apply"]);
    eventually("the deployment is on record", || (estate.happened("deploy-issued") == 2).then_some(()));
    apply.kill();
    eventually("ECS has gone back", || (estate.serving("web") == good).then_some(()));
    let before = revisions(&estate);
    let again = estate.run(["apply"]);
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stdout.contains("`deploy` failed for <second>"), "{again}");
    assert_eq!((estate.happened("deploy-intended"), revisions(&estate)), (2, before), "{}", estate.history());
    assert_eq!(estate.serving("web"), good);
}

/// ECS becomes unreachable as soon as it has begun to deploy.
#[test]
fn an_unobservable_deployment_stays_in_flight_until_ecs_is_reachable() {
    let (_runtime, proxy, mut estate) = updated_behind_a_proxy();
    let rolls = AtomicBool::new(false);
    proxy.fault(move |name, _| {
        let begun = rolls.load(Ordering::Relaxed);
        rolls.fetch_or(name == "UpdateService", Ordering::Relaxed);
        let denied = Fault::Error("AccessDeniedException", "User: x is not authorized");
        (begun && name == "DescribeServices").then_some(denied)
    });
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let said = "the outcome of the deployment of <second> is unknown";
    assert!(applied.stdout.contains(said) && applied.stdout.contains("apply again"), "{applied}");
    assert_eq!((estate.happened("deploy-issued"), estate.happened("deploy-ended")), (2, 1));
    without_proxy(&mut estate);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!((estate.happened("deploy-intended"), estate.happened("deploy-ended")), (2, 2));
    estate.all_is_done();
}

/// ECS does not answer after it began to deploy, so that the deployment cannot end before Ctrl-C.
#[test]
fn a_deployment_continues_after_ctrl_c_and_the_next_apply_records_its_outcome() {
    let (_runtime, proxy, mut estate) = updated_behind_a_proxy();
    let rolls = AtomicBool::new(false);
    proxy.fault(move |name, _| {
        let begun = rolls.load(Ordering::Relaxed);
        rolls.fetch_or(name == "UpdateService", Ordering::Relaxed);
        (begun && name == "DescribeServices").then_some(Fault::Hold)
    });
    let apply = estate.start(["apply"]);
    eventually("the deployment is on record", || (estate.happened("deploy-issued") == 2).then_some(()));
    apply.signal(Signal::INT);
    let stopped = apply.wait();
    assert_eq!(stopped.code, 130, "{stopped}");
    assert!(stopped.stderr.contains("the deployment continues on its own"), "{stopped}");
    without_proxy(&mut estate);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(estate.happened("deploy-intended"), 2);
    let image = format!("katkit-ecs-test/web:{}", estate.sha("second"));
    assert_eq!(estate.serving("web"), [image]);
    estate.all_is_done();
}

/// At first the cluster has no room: the phase waits, and nobody has failed.
#[test]
fn a_phase_waits_for_room_in_a_full_cluster() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut estate = Estate::new("echo ran", r#"{ name = "build", order = 0 }"#);
    estate.with_variable("AWS_ENDPOINT_URL_ECS", &proxy.endpoint);
    let full = r#"{"tasks":[],"failures":[{"arn":"arn:aws:ecs:::container-instance/a","reason":"RESOURCE:MEMORY"}]}"#;
    let asked = AtomicU32::new(0);
    proxy.fault(move |name, _| {
        let first = name == "RunTask" && asked.fetch_add(1, Ordering::Relaxed) < 2;
        first.then_some(Fault::Answer(full))
    });
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.stderr.contains("`build` is waiting for capacity"), "{applied}");
    assert_eq!(proxy.calls()["RunTask"], 3);
    assert_eq!(estate.happened("attempt-intended"), 1);
    estate.all_is_done();
}
