//! Who may write and who may deploy, in every order of what two or three owners do.
//!
//! Each counterexample is kept: it is what the rule beside it is there for. `--nocapture` tells them in words.

use katkit_simulation::lease::{
    Contest, EPOCHS_RISE, Event, Expiry, NO_DEAD_END, NO_LATE_DEPLOYMENT, NO_LATE_WRITE, ONE_WRITER,
    PASSES_ON, Setting, State, Unanswered, tell,
};
use stateright::{Checker, HasDiscoveries, Model, Path};

/// Looks at every moment that can come about, up to the first bad one. Returns the properties of which it found an
/// example, good or bad.
fn found(setting: Setting) -> Vec<&'static str> {
    found_until(HasDiscoveries::AnyFailures, setting)
}

/// The same, beyond bad ones as well.
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
    // The checker stops at some example, not at the shortest: so it may look no further than one event more each time.
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

/// Events, and the ticks among them, until a deployment takes effect under a lease that is another's.
fn late_deployment(setting: Setting) -> (usize, usize) {
    let events = shortest(setting, NO_LATE_DEPLOYMENT).into_actions();
    assert!(matches!(events.last(), Some(Event::DeploymentArrives(_))), "{events:?}");
    (events.len(), events.iter().filter(|event| matches!(event, Event::Tick { .. })).count())
}

/// Everything that may happen to owners who follow all the rules.
fn all_that_may_happen(owners: usize) -> Setting {
    let setting = Setting::of(owners);
    // More than R on the fastest clock: what a dead owner sent last has taken effect by then.
    let grave = Some(setting.delay * setting.fast + 1);
    Setting { crashes: true, grave, unanswered: Unanswered::LeftToExpire, ..setting }
}

/// Clocks that all run alike, with a tick to spare between F + R and D.
fn even_clocks() -> Setting {
    Setting { slow: 1, fast: 1, duration: 4, fresh: Some(2), delay: 1, ..Setting::of(2) }
}

#[test]
fn two_owners_never_write_or_deploy_under_a_lease_that_is_anothers() {
    assert_eq!(found(all_that_may_happen(2)), [PASSES_ON]);
}

#[test]
fn three_owners_never_write_or_deploy_under_a_lease_that_is_anothers() {
    assert_eq!(found(Setting { alike: true, ..all_that_may_happen(3) }), [PASSES_ON]);
}

#[test]
fn an_owner_that_was_frozen_after_its_intent_does_not_deploy() {
    let looks = Setting { delay: 0, ..Setting::of(2) };
    assert_eq!(found(looks), [""; 0]);
    // Without the look at its clock it does, after a pause of D and however fast the network is.
    let naive = Setting { fresh: None, ..looks };
    assert_eq!(late_deployment(naive), (15, 4));
}

#[test]
fn a_deployment_that_takes_long_to_take_effect_needs_a_shorter_f() {
    let slower = Setting { delay: 3, ..Setting::of(2) };
    assert_eq!(late_deployment(slower), (15, 4));
    assert_eq!(found(Setting { fresh: Some(3), ..slower }), [""; 0]);
}

#[test]
fn a_unit_more_than_f_is_too_much() {
    assert_eq!(late_deployment(Setting { fresh: Some(7), ..Setting::of(2) }), (15, 4));
}

#[test]
fn the_bound_is_exact() {
    for (slow, fast) in [(1, 1), (2, 3), (3, 5), (1, 2)] {
        // D lasts a whole number of ticks on the fastest clock, so that rounding to ticks costs nothing.
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
fn an_append_is_no_sign_of_life_because_no_observer_sees_it() {
    assert_eq!(late_deployment(Setting { appends_count: true, ..Setting::of(2) }), (15, 4));
}

#[test]
fn a_clock_that_stands_still_while_the_machine_is_suspended_shows_nothing() {
    let suspended = Setting { slow: 0, ..Setting::of(2) };
    assert!(!suspended.is_sound());
    assert_eq!(late_deployment(suspended), (15, 4));
}

#[test]
fn a_deployment_that_was_not_answered_keeps_its_lease_until_it_expires() {
    assert_eq!(found(Setting { unanswered: Unanswered::LeftToExpire, ..Setting::of(2) }), [""; 0]);
    // Given back, the lease is free while the deployment may yet take effect.
    assert_eq!(late_deployment(Setting { unanswered: Unanswered::GivenBack, ..Setting::of(2) }), (9, 0));
}

#[test]
fn of_a_dead_owner_on_the_same_machine_more_than_r_is_waited() {
    let known = |grave| Setting { crashes: true, grave: Some(grave), ..Setting::of(2) };
    assert_eq!(late_deployment(known(0)), (12, 0));
    assert_eq!(late_deployment(known(10)), (14, 2));
    assert_eq!(found(known(11)), [PASSES_ON]);
}

#[test]
fn wall_clocks_tell_expiry_wrongly_as_soon_as_they_differ_by_more_than_the_margin() {
    let by_wall_clock = |ahead| Setting { expiry: Expiry::WallClock { ahead }, ..even_clocks() };
    // D - F - R is one tick: so much is forgiven, and no more.
    assert_eq!(found(by_wall_clock(1)), [""; 0]);
    assert_eq!(late_deployment(by_wall_clock(2)), (12, 2));
    // The journal is safe all the same: what guards it is the epoch.
    assert_eq!(found_in_all(by_wall_clock(4)), [NO_LATE_DEPLOYMENT]);
}

#[test]
fn unlocking_an_owner_that_lives_costs_no_write_but_a_deployment() {
    let unlocked = Setting { unlocks: true, ..Setting::of(2) };
    assert_eq!(found_in_all(unlocked), [NO_LATE_DEPLOYMENT]);
    assert_eq!(late_deployment(unlocked), (8, 0));
}

#[test]
fn after_an_owner_died_another_deploys() {
    let setting = Setting { crashes: true, ..Setting::of(2) };
    // It asks and dies before the answer; the other waits D, and goes through all its steps.
    let events = shortest(setting, PASSES_ON).into_actions();
    assert!(events.iter().any(|event| matches!(event, Event::Dies(_))), "{events:?}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Tick { .. })).count(), 4);
}

#[test]
fn the_properties_are_those_that_are_meant() {
    let names: Vec<_> = Contest::of(all_that_may_happen(2)).properties().iter().map(|it| it.name).collect();
    assert_eq!(names, [EPOCHS_RISE, NO_LATE_WRITE, NO_LATE_DEPLOYMENT, ONE_WRITER, PASSES_ON, NO_DEAD_END]);
}
