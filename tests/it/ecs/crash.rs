//! `apply` killed at every position of its journal, and before and after every change it requests from ECS. The record
//! is in DynamoDB, blobs are in S3, phases and services are containers.

use std::collections::BTreeMap;

use katkit::aws::AwsLocation;
use katkit::domain::LinkId;
use katkit::state::{DynamodbState, Leases, Links};

use crate::crash::{assert_once, at_each, generations};
use crate::engines::proxy::{Fault, Proxy};
use crate::world::eventually;

use super::estate::Estate;

/// A phase before the deployment, and one after it.
const PHASES: &str = r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment", timeout = "2m" },
  { name = "verify", order = 2 },"#;

/// Number of worlds at a time.
const TOGETHER: usize = 5;

/// A world, and its katkit's calls to ECS.
struct Crash {
    estate: Estate,
    proxy: Proxy,
    runtime: tokio::runtime::Runtime,
    state: DynamodbState,
    link: LinkId,
}

impl Crash {
    fn new() -> Self {
        let mut estate = Estate::new("", PHASES);
        let marks = estate.marked();
        let ci = format!("echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> {marks}\n");
        estate.change("shop", |repo| repo.ci(&ci).commit("first"));
        estate.service("web", "katkit-ecs-test/web:1");
        estate.tag("katkit-ecs-test/web:2", "first");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let proxy = runtime.block_on(Proxy::start());
        estate.with_variable("AWS_ENDPOINT_URL_ECS", &proxy.endpoint);
        let aws = runtime.block_on(estate.account.another());
        let state = DynamodbState::new(aws, AwsLocation::default(), "deploys".to_owned());
        Self { estate, proxy, runtime, state, link: "dev/shop".parse().unwrap() }
    }

    /// Number of recorded events.
    fn recorded(&self) -> u64 {
        let heads = self.runtime.block_on(self.state.heads(Some(std::slice::from_ref(&self.link)))).unwrap();
        heads.first().map_or(0, |(_, head)| head.generation.0)
    }

    /// Number of service updates that began a deployment.
    fn updates(&self) -> u64 {
        self.proxy.calls().get("UpdateService").copied().unwrap_or(0)
    }

    /// Applies again, and checks the results from outside.
    fn recovers(&self, what: &str) {
        let estate = &self.estate;
        let again = estate.run(["apply"]);
        assert_eq!(again.code, 0, "{what}: {again}\n{}", estate.history());
        let plan = estate.run(["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{what}: {plan}\n{}", estate.history());
        assert_once(&estate.marks(), &["build", "verify"], what);
        assert_eq!(estate.phases(), Vec::<String>::new(), "{what}");
        eventually(&format!("{what}: containers of phases are gone"), || {
            estate.containers().is_empty().then_some(())
        });
        let image = format!("katkit-ecs-test/web:{}", estate.sha("first"));
        assert_eq!(estate.serving("web"), [image], "{what}");
        // The revision of the initial service, and the deployed one.
        let live = estate.described("web").task_definition.unwrap();
        assert!(live.ends_with("/web:2"), "{what}: {live} is not the second revision");
        assert_eq!(generations(estate, "dev/shop") as u64, self.recorded(), "{what}");
        let leases =
            self.runtime.block_on(self.state.leases(Some(std::slice::from_ref(&self.link)))).unwrap();
        assert!(leases.iter().all(|(_, lease)| lease.owner.is_none()), "{what}: {leases:?}");
    }
}

#[test]
fn killed_at_any_event_the_next_apply_completes_with_one_deployment_and_nothing_run_twice() {
    let events = {
        let crash = Crash::new();
        let applied = crash.estate.run(["apply"]);
        assert_eq!((applied.code, crash.updates()), (0, 1), "{applied}");
        crash.recorded()
    };
    let positions: Vec<u64> = (1..=events).collect();
    let killed = std::sync::atomic::AtomicUsize::new(0);
    at_each(&positions, TOGETHER, |event| {
        let crash = Crash::new();
        if crash.estate.start(["apply"]).killed_when(|| crash.recorded() >= *event) {
            killed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        crash.recovers(&format!("killed at event {event} of {events}"));
        assert_eq!(crash.updates(), 1, "killed at event {event}: {:?}", crash.proxy.calls());
    });
    let killed = killed.into_inner();
    assert!(killed + 1 >= positions.len(), "only {killed} of {events} were killed before they were done");
}

#[test]
fn killed_before_or_after_any_change_in_ecs_the_next_apply_completes_without_repeating_anything() {
    let changes = {
        let crash = Crash::new();
        assert_eq!(crash.estate.run(["apply"]).code, 0);
        let changing = ["RunTask", "StopTask", "RegisterTaskDefinition", "UpdateService"];
        let calls: BTreeMap<_, _> =
            crash.proxy.calls().into_iter().filter(|(name, _)| changing.contains(&name.as_str())).collect();
        calls
            .into_iter()
            .flat_map(|(name, count)| (0..count).map(move |nth| (name.clone(), nth)))
            .flat_map(|(name, nth)| [Fault::Hold, Fault::HoldAnswer].map(|fault| (name.clone(), nth, fault)))
            .collect::<Vec<_>>()
    };
    assert!(changes.len() >= 8, "{changes:?}");
    at_each(&changes, TOGETHER, |(name, nth, fault)| {
        let crash = Crash::new();
        let (wanted, nth, fault) = (name.clone(), *nth, *fault);
        let seen = std::sync::atomic::AtomicU64::new(0);
        crash.proxy.fault(move |name, _| {
            let this = name == wanted && seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == nth;
            this.then_some(fault)
        });
        let what = format!("killed at {name} {nth}, {fault:?}");
        let apply = crash.estate.start(["apply"]);
        eventually(&what, || crash.proxy.holds().then_some(()));
        apply.kill();
        crash.recovers(&what);
        let sent = if (name.as_str(), fault) == ("UpdateService", Fault::Hold) { 2 } else { 1 };
        assert_eq!(crash.updates(), sent, "{what}: {:?}", crash.proxy.calls());
    });
}
