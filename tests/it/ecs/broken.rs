//! ECS that does not know what its tasks do: it loses them, starts them late, says nothing of them, or the wrong thing.

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

/// No task, and not even that it is missing.
const NOTHING: &str = r#"{"tasks":[],"failures":[]}"#;
const MISSING: &str = r#"{"tasks":[],"failures":[{"arn":"arn:aws:ecs:::task/x","reason":"MISSING"}]}"#;

/// A world of which the controller sees all of AWS through a proxy.
struct Broken {
    estate: Estate,
    proxy: Proxy,
    _runtime: tokio::runtime::Runtime,
}

/// The first attempt leaves a mark and waits until it is released, the others only leave theirs.
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
    /// From now on ECS answers `DescribeTasks` so. Returns how often the controller has looked at the status of an attempt
    /// since then.
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

    /// Waits until the controller listens to the agent's heartbeat, because it does not hear of it from ECS.
    fn listens(looks: &AtomicU64) {
        eventually("the controller listens", || (looks.load(Ordering::Relaxed) >= 3).then_some(()));
    }

    /// It ended well at the first attempt, whose code ran once.
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

/// Its instance is gone, and ECS with it as far as the task is concerned.
#[test]
fn a_task_that_ecs_lost_is_said_to_be_lost_and_tried_again() {
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
    let said =
        "lost (vanished): ECS lost the task, which was running: for 30 s it has not known it; tried again";
    assert!(applied.stderr.contains(said), "{applied}");
    assert_eq!(broken.estate.happened("attempt-intended"), 2);
    assert_once(&broken.estate.marks(), &["build"], "lost");
    broken.estate.all_is_done();
}

/// Before, it was ended after the first such answer, once it was half a minute old.
#[test]
fn a_phase_of_which_ecs_says_nothing_is_not_ended_and_run_again_beside_itself() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let looks = broken.describes(Fault::Answer(NOTHING));
    Broken::listens(&looks);
    Estate::release_in(&container);
    broken.ran_once(apply);
}

/// As it is with an instance that was taken away from ECS while tasks ran on it.
#[test]
fn a_phase_that_ecs_calls_stopped_and_that_runs_is_not_run_again_beside_itself() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let looks = broken.describes(Fault::Instead("RUNNING", "STOPPED"));
    Broken::listens(&looks);
    Estate::release_in(&container);
    broken.ran_once(apply);
}

/// The next controller finds it so, and takes it over all the same.
#[test]
fn a_phase_that_ecs_calls_stopped_is_taken_over_by_the_next_apply() {
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

/// The launch was on its way when its controller died, and the next one launched the same. On AWS the client token makes
/// the two one task; the emulator does not know it, and the agents see to it among themselves.
#[test]
fn a_task_that_starts_after_its_controller_died_does_not_run_what_another_runs() {
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
fn a_record_that_is_throttled_for_a_while_is_waited_for() {
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
    assert!(
        applied.stderr.contains("links could not be written, `dev/shop` among them; trying again"),
        "{applied}"
    );
    assert!(applied.stderr.contains("AWS throttles `dynamodb:TransactWriteItems`"), "{applied}");
    assert!(writes.load(Ordering::Relaxed) >= SENT);
    broken.done_once();
}

#[test]
fn a_record_that_stays_throttled_is_named_and_the_next_apply_finds_the_phase_ended() {
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

/// Every write of the first is refused from then on: its conditions do not hold any more.
#[test]
fn an_apply_whose_link_was_taken_away_stops_and_leaves_the_phase_to_the_next() {
    let broken = broken();
    let apply = broken.estate.start(["apply"]);
    let container = broken.estate.waiting();
    let freed = broken.estate.run(["unlock", "--force", "dev/shop"]);
    assert!(freed.stdout.contains("dev/shop is free"), "{freed}");
    let next = broken.estate.start(["apply"]);
    let overtaken = apply.wait();
    assert_eq!(overtaken.code, 1, "{overtaken}");
    assert!(overtaken.stdout.contains("the lease of `dev/shop` (epoch 1) was taken over"), "{overtaken}");
    assert!(overtaken.stdout.contains("the new owner goes on from what was recorded"), "{overtaken}");
    Estate::release_in(&container);
    broken.ran_once(next);
}
