//! Commits that must have been live for some time, and stages that take nothing new meanwhile.

use super::*;
use crate::domain::LiveClock;

#[test]
fn a_commit_soaks_while_it_or_a_later_verified_commit_is_live() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut beta = head(Some(2), &[1, 2]);
    let mut clock = LiveClock::default();
    clock.set(true, at(1000));
    (beta.live_clock, beta.verified[1].clock) = (Some(clock), 600);
    let mut world =
        World::new(5, &[("beta/a", beta.clone()), ("beta/b", beta), ("prod/a", head(Some(0), &[0]))]);
    let time = std::time::Duration::from_hours(1);
    let mut later = |second: i64| {
        world.soak = Some((soak_of(time), at(second)));
        let question = world.choose("prod/a");
        let soaking = world.standing("prod/a").soaking;
        let until = soaking.map(|(sha, missing)| {
            let until = soaked_at(&missing).unwrap();
            (usize::from_str_radix(sha.as_str(), 16).unwrap(), until.as_second())
        });
        (question, until)
    };
    let stays = Choice::Commit(commit(0));
    assert_eq!(later(2000), (stays.clone(), Some((1, 4600))));
    assert_eq!(later(4599), (stays, Some((1, 4600))));
    assert_eq!(later(4600), (candidates(&[1]), Some((2, 5200))));
    assert_eq!(later(5200), (candidates(&[2, 1]), None));
}

#[test]
fn a_soak_stands_still_while_something_unverified_is_live() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut beta = head(Some(3), &[1, 2]);
    let mut clock = LiveClock::default();
    clock.set(true, at(1000));
    clock.set(false, at(1060));
    beta.live_clock = Some(clock);
    let mut world =
        World::new(5, &[("beta/a", beta.clone()), ("beta/b", beta), ("prod/a", head(Some(0), &[0]))]);
    world.soak = Some((soak_of(std::time::Duration::from_secs(61)), at(9000)));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(0)));
    let (_, missing) = world.standing("prod/a").soaking.unwrap();
    assert_eq!(soaked_at(&missing), None, "nobody knows when it goes on");
    assert_eq!(
        missing[0].describe(),
        "is soaking in `beta/a`, `beta/b` (stage `beta`), but its time stands still while something unverified is live in `beta/a`"
    );
    world.soak = Some((soak_of(std::time::Duration::from_mins(1)), at(9000)));
    assert_eq!(world.choose("prod/a"), candidates(&[2, 1]), "a completed soak stays");
}

#[test]
fn a_train_lets_a_stage_take_nothing_new_until_its_commit_has_soaked() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut beta = head(Some(2), &[1, 2]);
    let mut clock = LiveClock::default();
    clock.set(true, at(1000));
    (beta.live_clock, beta.verified[1].clock) = (Some(clock), 100);
    let mut world = World::new(5, &[("beta/a", beta), ("prod/a", head(Some(1), &[1]))]);
    let train = |world: &World, second| {
        let records: Records =
            world.heads.iter().map(|(id, head)| (id.clone(), LinkRecord::of(head, &[]))).collect();
        let rule = soak_of(std::time::Duration::from_mins(10));
        let soak = |id: &LinkId| (*id == link("prod/a")).then(|| Soak { rule: &rule, now: at(second) });
        train(&world.pipeline, &link("beta/a"), &world.branch, &records, soak)
            .map(|Train { sha, waits, until }| (sha, waits.to_string(), until.as_second()))
    };
    // Commit 1 is live in production already.
    assert_eq!(train(&world, 1200), Some((commit(2), "prod/a".to_owned(), 1700)));
    assert_eq!(train(&world, 1700), None, "it has soaked");
    let stopped = world.heads.get_mut(&link("beta/a")).unwrap();
    stopped.live_clock.as_mut().unwrap().set(false, at(1200));
    assert_eq!(train(&world, 1300), None, "a fix may come through");
    world.heads.insert(link("prod/a"), quarantined(head(Some(1), &[1]), 2));
    world.heads.get_mut(&link("beta/a")).unwrap().live_clock.as_mut().unwrap().set(true, at(1300));
    assert_eq!(train(&world, 1400), None, "production does not want it");
}
