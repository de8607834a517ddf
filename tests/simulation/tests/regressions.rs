//! Histories that once broke something, each named after its effect on a user.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use katkit_simulation::gate::Fault;
use katkit_simulation::report;
use katkit_simulation::run::run;
use katkit_simulation::scenario::{At, Event, Scenario};

/// Events at whole seconds, and the faults of each process's calls.
fn history(
    seed: u64,
    links: usize,
    events: &[(u64, Event)],
    faults: &[(u32, &'static str, Fault)],
) -> Scenario {
    let events = events.iter().map(|&(at, event)| (Duration::from_secs(at), event)).collect();
    let faults: BTreeMap<_, _> =
        faults.iter().map(|&(process, call, fault)| ((process, At::First(call)), fault)).collect();
    Scenario { seed, links, freeze: None, pipeline: false, soak: None, events, faults }
}

/// Everything else that is random differs with every seed: checks this many.
#[track_caller]
fn holds(make: impl Fn(u64) -> Scenario) {
    for seed in 0..300 {
        let scenario = make(seed);
        let ended = run(&scenario, true);
        assert!(ended.violations.is_empty(), "{}", report::of_failure(seed, &scenario, &ended));
    }
}

/// When a process dies in this history, if one does.
fn death(scenario: &Scenario) -> Option<Duration> {
    let story = run(scenario, true).story;
    let line = story.iter().find(|line| line.ends_with("is dead"))?;
    let seconds = line.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}

#[test]
fn a_laptop_that_wakes_up_does_not_deploy_over_a_colleagues_deployment() {
    let frozen = [(0, "state.append deploy-intended", Fault::Freeze)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (60 + seed % 60, Event::Apply)], &frozen));
}

#[test]
fn a_deployment_whose_request_outlives_its_process_is_not_repeated() {
    let died = [(0, "platform.upgrade", Fault::DieInFlight)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (40 + seed % 60, Event::Apply)], &died));
    // Another process checks before the request arrives, because it need not wait for the lease.
    let reached = Cell::new(0);
    holds(|seed| {
        let mut scenario = history(seed, 1, &[(0, Event::Apply)], &died);
        // In some histories a phase fails, and nothing is deployed.
        if let Some(death) = death(&scenario) {
            reached.set(reached.get() + 1);
            let soon = death + Duration::from_millis(10 + 400 * (seed % 10));
            scenario.events.extend([(soon, Event::Unlock(0)), (soon, Event::Apply)]);
        }
        scenario
    });
    assert!(reached.get() > 100, "{} histories", reached.get());
}

#[test]
fn a_link_recovers_when_its_process_dies_after_one_of_two_phases_failed() {
    let died = [(0, "state.append service-removed", Fault::DieAfter)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (90, Event::Apply)], &died));
    let died = [(0, "state.append attempt-ended", Fault::DieAfter)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (90, Event::Apply)], &died));
}

#[test]
fn a_cancel_while_interrupted_phases_are_being_recovered_is_granted_once() {
    let scenario = Scenario::of(42_088);
    let ended = run(&scenario, true);
    assert!(ended.violations.is_empty(), "{}", report::of_failure(scenario.seed, &scenario, &ended));
    let faults = [
        (0, "state.append attempt-ended", Fault::FailAfter),
        (1, "state.append service-removed", Fault::Freeze),
    ];
    holds(|seed| {
        let events = [(0, Event::Apply), (150, Event::Apply), (151 + seed % 20, Event::Cancel(0))];
        history(seed, 1, &events, &faults)
    });
    // Likewise while the deployment of a dead process is being finalized.
    let died = [(0, "platform.upgrade", Fault::DieInFlight)];
    holds(|seed| {
        let events = [(0, Event::Apply), (60, Event::Apply), (60 + seed % 100, Event::Cancel(0))];
        history(seed, 1, &events, &died)
    });
}

#[test]
fn the_lease_of_a_link_removed_from_the_manifest_before_its_first_event_is_released() {
    let died = [(0, "state.acquire", Fault::DieAfter)];
    holds(|seed| history(seed, 2, &[(0, Event::Apply), (50, Event::Leave(0))], &died));
}

#[test]
fn a_deployment_in_flight_of_a_removed_tenant_does_not_fail_every_later_apply() {
    let unseen = [(0, "platform.watch", Fault::FailBefore)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (150, Event::Leave(0))], &unseen));
}

#[test]
fn a_tenant_that_is_removed_and_added_back_is_not_deployed_twice_by_one_run() {
    let faults = [
        (0, "state.append deploy-issued", Fault::FailAfter),
        (1, "state.append deploy-ended", Fault::FailBefore),
    ];
    let events = [(0, Event::Apply), (154, Event::Leave(0)), (178, Event::Apply), (216, Event::Leave(0))];
    holds(|seed| history(seed, 1, &events, &faults));
}

#[test]
fn a_launch_that_is_delivered_twice_does_not_run_a_phase_twice() {
    let twice = [(0, "fleet.launch", Fault::Twice), (0, "fleet.gone", Fault::DieBefore)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (20 + seed % 60, Event::Apply)], &twice));
}

#[test]
fn ctrl_c_in_a_frozen_process_does_not_stop_work_that_another_has_taken_over() {
    let frozen = [(0, "fleet.launch", Fault::Freeze)];
    let events = [(0, Event::Apply), (11, Event::Interrupt(0)), (35, Event::Apply)];
    holds(|seed| history(seed, 2, &events, &frozen));
}

#[test]
fn an_interrupted_launch_is_not_repeated_under_its_token() {
    let frozen = [(0, "fleet.gone", Fault::Freeze)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (60, Event::Apply)], &frozen));
    let died = [(0, "fleet.list", Fault::Slow), (0, "fleet.remove", Fault::DieAfter)];
    holds(|seed| history(seed, 1, &[(0, Event::Apply), (60, Event::Apply)], &died));
}
