//! A faulty ECS: it loses tasks, starts them late, and reports nothing or wrong states.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_ecs::types::DesiredStatus;

use crate::crash::assert_once;
use crate::engines::docker;
use crate::engines::proxy::{Fault, Proxy};
use crate::world::{Running, eventually};

use super::CLUSTER;
use super::estate::{Estate, block_on};

const BUILD: &str = r#"{ name = "build", order = 0 }"#;

/// Neither a task nor a report that it is missing.
const NOTHING: &str = r#"{"tasks":[],"failures":[]}"#;
const MISSING: &str = r#"{"tasks":[],"failures":[{"arn":"arn:aws:ecs:::task/x","reason":"MISSING"}]}"#;

/// A world whose controller reaches all of AWS through a proxy.
struct Broken {
    estate: Estate,
    proxy: Proxy,
    _runtime: tokio::runtime::Runtime,
}

/// Every attempt leaves a mark; the first one then waits until it is released.
fn broken() -> Broken {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut estate = Estate::new("", BUILD);
    let marks = estate.marked();
    let ci = format!(
        "echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> {marks}\necho waiting\n\
         until [ $KATKIT_ATTEMPT != 1 ] || [ -e /tmp/go ]; do sleep 0.02; done\necho went on\n"
    );
    estate.change("shop", |repo| repo.ci(&ci).commit("first"));
    estate.with_variable("AWS_ENDPOINT_URL", &proxy.endpoint);
    Broken { estate, proxy, _runtime: runtime }
}

impl Broken {
    /// From now on ECS answers `DescribeTasks` like this. Returns the number of the controller's status reads since
    /// then.
    fn describes(&self, fault: Fault) -> Arc<AtomicU64> {
        let looks = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&looks);
        self.proxy.fault_of(move |call| {
            let look = call.name == "GET" && call.path.contains("/replica-0/status.json");
            seen.fetch_add(u64::from(look), Ordering::Relaxed);
            (call.name == "DescribeTasks").then_some(fault)
        });
        looks
    }

    /// Waits until the controller relies on the agent's heartbeat, because ECS reports nothing.
    fn listens(looks: &AtomicU64) {
        eventually("the controller listens", || (looks.load(Ordering::Relaxed) >= 3).then_some(()));
    }

    /// It succeeded at the first attempt, whose code ran once.
    fn ran_once(&self, apply: Running) {
        let applied = apply.wait();
        assert_eq!(applied.code, 0, "{applied}");
        self.done_once();
    }

    fn done_once(&self) {
        self.proxy.fault(|_, _| None);
        assert_eq!(self.estate.happened("attempt-intended"), 1, "{}", self.estate.history());
        assert_eq!(self.estate.marks(), "build 1\n");
        assert_eq!(self.estate.containers(), Vec::<String>::new());
        self.estate.all_is_done();
    }
}

/// Its instance is gone, and ECS has forgotten the task.
#[test]
fn a_task_that_ecs_lost_counts_as_lost_and_is_retried() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let stopped = AtomicBool::new(false);
    broken.proxy.fault(move |name, _| {
        stopped.fetch_or(name == "StopTask", Ordering::Relaxed);
        (name == "DescribeTasks" && !stopped.load(Ordering::Relaxed)).then_some(Fault::Answer(MISSING))
    });
    docker(&["rm", "--force", &container]);
    let applied = apply.wait_within(Duration::from_mins(2));
    assert_eq!(applied.code, 0, "{applied}");
    let said = "lost (vanished): ECS lost the running task: unknown to it for 30 s; retrying";
    assert!(applied.stderr.contains(said), "{applied}");
    assert_eq!(broken.estate.happened("attempt-intended"), 2);
    assert_once(&broken.estate.marks(), &["build"], "lost");
    broken.estate.all_is_done();
}

/// It used to be ended after the first such answer, once it was half a minute old.
#[test]
fn a_phase_missing_from_ecs_keeps_running_and_is_not_run_twice() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let looks = broken.describes(Fault::Answer(NOTHING));
    Broken::listens(&looks);
    Estate::release_in(&container);
    broken.ran_once(apply);
}

/// As when an instance is deregistered from ECS while tasks run on it.
#[test]
fn a_running_phase_that_ecs_reports_as_stopped_is_not_run_twice() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let looks = broken.describes(Fault::Instead("RUNNING", "STOPPED"));
    Broken::listens(&looks);
    Estate::release_in(&container);
    broken.ran_once(apply);
}

/// The next controller finds it in this state, and still takes it over.
#[test]
fn a_running_phase_that_ecs_reports_as_stopped_is_taken_over_by_the_next_apply() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    apply.kill();
    let looks = broken.describes(Fault::Instead("RUNNING", "STOPPED"));
    let again = broken.estate.start(["apply"]);
    Broken::listens(&looks);
    Estate::release_in(&container);
    broken.ran_once(again);
}

/// The launch was in flight when its controller died, and the next one launched the same. On AWS the client token makes
/// the two one task; the emulator ignores it, and the agents resolve it among themselves.
#[test]
fn a_task_that_starts_after_its_controller_died_does_not_repeat_anothers_work() {
    let broken = broken();
    let launched = AtomicU64::new(0);
    let late = Duration::from_secs(8);
    broken.proxy.fault(move |name, _| {
        let first = name == "RunTask" && launched.fetch_add(1, Ordering::Relaxed) == 0;
        first.then_some(Fault::Delay(late))
    });
    let apply = broken.estate.start(["apply"]);
    let runs = || broken.proxy.calls().get("RunTask").copied().unwrap_or(0);
    eventually("a task is launched", || (runs() == 1).then_some(()));
    apply.kill();
    let again = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    eventually("the late one came and went", || {
        let list = broken.estate.account.client.list_tasks().cluster(CLUSTER);
        let stopped = block_on(list.desired_status(DesiredStatus::Stopped).send()).unwrap();
        (stopped.task_arns().len() == 1).then_some(())
    });
    assert_eq!(runs(), 2);
    Estate::release_in(&container);
    broken.ran_once(again);
}

/// The record throttles everything until the end of the phase was sent more often than the SDK sends anything.
#[test]
fn an_apply_waits_for_a_temporarily_throttled_record() {
    const SENT: u64 = 14;
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let writes = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&writes);
    broken.proxy.fault_of(move |call| {
        let record = call.name.ends_with("Item") || call.name.ends_with("Items") || call.name == "Query";
        seen.fetch_add(u64::from(call.name == "TransactWriteItems"), Ordering::Relaxed);
        (record && seen.load(Ordering::Relaxed) < SENT).then_some(Fault::Throttle)
    });
    Estate::release_in(&container);
    let applied = apply.wait_within(Duration::from_mins(2));
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.stderr.contains("cannot write links, including `dev/shop`; retrying"), "{applied}");
    assert!(applied.stderr.contains("AWS throttles `dynamodb:TransactWriteItems`"), "{applied}");
    assert!(writes.load(Ordering::Relaxed) >= SENT);
    broken.done_once();
}

#[test]
fn a_permanently_throttled_record_is_reported_and_the_next_apply_finds_the_phase_ended() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    broken.proxy.fault(|name, _| {
        let record = name.ends_with("Item") || name.ends_with("Items") || name == "Query";
        record.then_some(Fault::Throttle)
    });
    Estate::release_in(&container);
    let applied = apply.wait_within(Duration::from_mins(5));
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("AWS throttles `dynamodb:TransactWriteItems`"), "{applied}");
    assert!(applied.stdout.contains("try again later, or with a smaller `--parallelism`"), "{applied}");
    broken.proxy.fault(|_, _| None);
    broken.ran_once(broken.estate.start(["apply"]));
}

/// From then on, every write of the first is refused: its conditions no longer hold.
#[test]
fn an_apply_that_lost_its_lease_stops_and_leaves_the_phase_to_the_next() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let freed = broken.estate.run(["unlock", "--force", "dev/shop"]);
    assert!(freed.stdout.contains("dev/shop is unlocked"), "{freed}");
    let next = broken.estate.start(["apply"]);
    let overtaken = apply.wait();
    assert_eq!(overtaken.code, 1, "{overtaken}");
    assert!(overtaken.stdout.contains("the lease of `dev/shop` (epoch 1) was taken over"), "{overtaken}");
    assert!(overtaken.stdout.contains("the new lease holder continues from the record"), "{overtaken}");
    Estate::release_in(&container);
    broken.ran_once(next);
}
