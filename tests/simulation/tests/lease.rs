//! Which owners may write and deploy, in every order of events between two or three owners.
//!
//! Every counterexample is kept: it shows why the rule beside it exists. `--nocapture` prints them as text.

use katkit_simulation::lease::{
    Contest, EPOCHS_RISE, Event, Expiry, NO_DEAD_END, NO_LATE_DEPLOYMENT, NO_LATE_WRITE, ONE_WRITER,
    PASSES_ON, Setting, State, Unanswered, tell,
};
use stateright::{Checker, HasDiscoveries, Model, Path};

/// Visits every reachable state up to the first violation. Returns the properties with an example, good or bad.
fn found(setting: Setting) -> Vec<&'static str> {
    found_until(HasDiscoveries::AnyFailures, setting)
}

/// The same, but continues past violations.
fn found_in_all(setting: Setting) -> Vec<&'static str> {
    found_until(HasDiscoveries::All, setting)
}

fn found_until(enough: HasDiscoveries, setting: Setting) -> Vec<&'static str> {
    let checker = Contest::of(setting).checker().threads(2).finish_when(enough).spawn_bfs().join();
    println!("{} moments of {} owners", checker.unique_state_count(), setting.owners);
    let mut found: Vec<_> = checker.discoveries().into_keys().collect();
    found.sort_unstable();
    found
}

/// The shortest run that is an example of `property`.
fn shortest(setting: Setting, property: &'static str) -> Path<State, Event> {
    // The checker stops at any example, not at the shortest: so each search allows one more event than the last.
    for depth in 2..60 {
        let checker = Contest::of(setting).checker().target_max_depth(depth);
        let enough = HasDiscoveries::AllOf([property].into());
        if let Some(path) = checker.finish_when(enough).spawn_bfs().join().discovery(property) {
            println!("{property}?\n{}", tell(&setting, path.clone()));
            return path;
        }
    }
    panic!("there is no example of: {property}");
}

/// Events, ticks included, until a deployment takes effect under another owner's lease.
fn late_deployment(setting: Setting) -> (usize, usize) {
    let events = shortest(setting, NO_LATE_DEPLOYMENT).into_actions();
    assert!(matches!(events.last(), Some(Event::DeploymentArrives(_))), "{events:?}");
    (events.len(), events.iter().filter(|event| matches!(event, Event::Tick { .. })).count())
}

/// Every event possible for owners that follow all the rules.
fn all_that_may_happen(owners: usize) -> Setting {
    let setting = Setting::of(owners);
    // More than R on the fastest clock: by then, a dead owner's last request has taken effect.
    let grave = Some(setting.delay * setting.fast + 1);
    Setting { crashes: true, grave, unanswered: Unanswered::LeftToExpire, ..setting }
}

/// Clocks that all run at the same rate, with a tick to spare between F + R and D.
fn even_clocks() -> Setting {
    Setting { slow: 1, fast: 1, duration: 4, fresh: Some(2), delay: 1, ..Setting::of(2) }
}

#[test]
fn two_owners_never_write_or_deploy_under_each_others_lease() {
    assert_eq!(found(all_that_may_happen(2)), [PASSES_ON]);
}

#[test]
fn three_owners_never_write_or_deploy_under_each_others_lease() {
    assert_eq!(found(Setting { alike: true, ..all_that_may_happen(3) }), [PASSES_ON]);
}

#[test]
fn an_owner_that_froze_after_its_intent_does_not_deploy() {
    let looks = Setting { delay: 0, ..Setting::of(2) };
    assert_eq!(found(looks), [""; 0]);
    // Without checking its clock it does, after a pause of D, however fast the network is.
    let naive = Setting { fresh: None, ..looks };
    assert_eq!(late_deployment(naive), (15, 4));
}

#[test]
fn a_slower_network_needs_a_shorter_f() {
    let slower = Setting { delay: 3, ..Setting::of(2) };
    assert_eq!(late_deployment(slower), (15, 4));
    assert_eq!(found(Setting { fresh: Some(3), ..slower }), [""; 0]);
}

#[test]
fn one_unit_more_than_f_is_too_much() {
    assert_eq!(late_deployment(Setting { fresh: Some(7), ..Setting::of(2) }), (15, 4));
}

#[test]
fn the_bound_is_exact() {
    for (slow, fast) in [(1, 1), (2, 3), (3, 5), (1, 2)] {
        // D lasts a whole number of ticks on the fastest clock, so rounding to ticks loses nothing.
        for (ticks, delay) in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 1), (3, 2)] {
            let duration = ticks * fast;
            for fresh in 1..=(ticks + 1) * slow {
                let setting = Setting {
                    duration,
                    slow,
                    fast,
                    fresh: Some(fresh),
                    delay,
                    alike: true,
                    ..Setting::of(2)
                };
                let expected: &[_] = if setting.is_sound() { &[] } else { &[NO_LATE_DEPLOYMENT] };
                assert_eq!(found(setting), expected, "{setting:?}");
            }
        }
    }
}

#[test]
fn an_append_is_no_heartbeat_because_observers_cannot_see_it() {
    assert_eq!(late_deployment(Setting { appends_count: true, ..Setting::of(2) }), (15, 4));
}

#[test]
fn a_clock_that_stops_while_the_machine_is_suspended_proves_nothing() {
    let suspended = Setting { slow: 0, ..Setting::of(2) };
    assert!(!suspended.is_sound());
    assert_eq!(late_deployment(suspended), (15, 4));
}

#[test]
fn an_unanswered_deployment_keeps_its_lease_until_it_expires() {
    assert_eq!(found(Setting { unanswered: Unanswered::LeftToExpire, ..Setting::of(2) }), [""; 0]);
    // If released, the lease is free while the deployment may still take effect.
    assert_eq!(late_deployment(Setting { unanswered: Unanswered::GivenBack, ..Setting::of(2) }), (9, 0));
}

#[test]
fn the_wait_for_a_dead_owner_on_the_same_machine_exceeds_r() {
    let known = |grave| Setting { crashes: true, grave: Some(grave), ..Setting::of(2) };
    assert_eq!(late_deployment(known(0)), (12, 0));
    assert_eq!(late_deployment(known(10)), (14, 2));
    assert_eq!(found(known(11)), [PASSES_ON]);
}

#[test]
fn wall_clocks_misjudge_expiry_once_they_differ_by_more_than_the_margin() {
    let by_wall_clock = |ahead| Setting { expiry: Expiry::WallClock { ahead }, ..even_clocks() };
    // D - F - R is one tick: exactly the tolerated difference.
    assert_eq!(found(by_wall_clock(1)), [""; 0]);
    assert_eq!(late_deployment(by_wall_clock(2)), (12, 2));
    // The journal stays safe: the epoch guards it.
    assert_eq!(found_in_all(by_wall_clock(4)), [NO_LATE_DEPLOYMENT]);
}

#[test]
fn unlocking_a_live_owner_never_allows_a_stale_write_but_may_allow_a_stale_deployment() {
    let unlocked = Setting { unlocks: true, ..Setting::of(2) };
    assert_eq!(found_in_all(unlocked), [NO_LATE_DEPLOYMENT]);
    assert_eq!(late_deployment(unlocked), (8, 0));
}

#[test]
fn another_owner_deploys_after_an_owner_died() {
    let setting = Setting { crashes: true, ..Setting::of(2) };
    // It requests the lease and dies before the answer; the other waits D and takes all its steps.
    let events = shortest(setting, PASSES_ON).into_actions();
    assert!(events.iter().any(|event| matches!(event, Event::Dies(_))), "{events:?}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Tick { .. })).count(), 4);
}

#[test]
fn the_checked_properties_are_the_intended_ones() {
    let names: Vec<_> = Contest::of(all_that_may_happen(2)).properties().iter().map(|it| it.name).collect();
    assert_eq!(names, [EPOCHS_RISE, NO_LATE_WRITE, NO_LATE_DEPLOYMENT, ONE_WRITER, PASSES_ON, NO_DEAD_END]);
}
