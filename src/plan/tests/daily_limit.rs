//! Plans on a day on which as many deployments began as the policy allows.

use insta::assert_snapshot;

use super::world::World;
use super::*;

/// `a` was deployed today, and `b` is wanted. The policy allows one deployment a day.
fn spent() -> World {
    let mut world = World::wants('b').live('a').with_a_daily_limit(1);
    let now = world.now;
    world.journal.iter_mut().for_each(|recorded| recorded.at = now);
    world
}

#[test]
fn the_deployment_waits_for_the_next_day_and_the_phases_before_it_run() {
    assert_snapshot!(spent().plan(), @"
    start b
    run build: NotRunYet
    ! `deploy` waits: the policy `office` allows 1 deployment a day, and today's has begun; not before Mon 2026-01-05 08:00 UTC
    ");
    let mut tomorrow = spent();
    tomorrow.now = "2026-01-03T00:00:00Z".parse().unwrap();
    // A freeze of the same policy is in force then.
    assert_snapshot!(tomorrow.plan(), @"
    start b
    run build: NotRunYet
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
    tomorrow.now = "2026-01-05T08:00:00Z".parse().unwrap();
    assert_eq!(tomorrow.plan(), World::wants('b').live('a').plan());
}

#[test]
fn another_deployment_may_begin_if_the_limit_allows_it() {
    assert_eq!(spent().with_a_daily_limit(2).plan(), World::wants('b').live('a').plan());
}

#[test]
fn a_deployment_in_flight_does_not_count_against_itself() {
    let world = World::wants('b').live('a').with_a_daily_limit(1);
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded);
    let assumed_lost = world.deployment_in_flight('b').left_by_the_dead();
    assert_snapshot!(assumed_lost.plan(), @"
    finalize b
    Upgrade to b
    run verify: NotRunYet
    ");
}

#[test]
fn a_repair_passes() {
    let world = spent().running('c').unattended();
    assert_snapshot!(world.plan(), @"
    start b
    run build: NotRunYet
    Repair to a
    ! `deploy` waits: the policy `office` allows 1 deployment a day, and today's has begun; not before Mon 2026-01-05 08:00 UTC
    ");
}

#[test]
fn a_rollback_passes() {
    let world = spent().live('b').requested(RequestKind::Rollback { from: sha('b'), to: sha('a') });
    assert_snapshot!(world.plan(), @"
    accept rollback
    quarantine b
    Rollback to a
    ");
}

#[test]
fn an_override_that_ends_before_the_gate_opens_does_not_bring_it_forward() {
    let mut world = spent();
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    // The limit holds until midnight, the freeze until Monday.
    world.now = time("2026-01-02T17:00:00Z");
    world.journal.iter_mut().for_each(|recorded| recorded.at = world.now);
    let waives_freezes = |until: &str| Consent {
        id: ConsentId(1),
        at: world.now,
        by: "ana".into(),
        why: None,
        what: ConsentKind::Override {
            link: "dev/web".parse().unwrap(),
            sha: sha('b'),
            gates: vec![GateName::Freeze],
            owes: Vec::new(),
            takes_over: Vec::new(),
            changes: None,
            unreviewed: Vec::new(),
            until: time(until),
        },
        ends: Vec::new(),
        previous: None,
    };
    let opens = |until: &str| {
        let link = "dev/web".parse().unwrap();
        let (head, wanted) = (world.head(), sha('b'));
        let pending = PendingDeployment::upgrade((&link, &head), Some(&wanted), (world.now, false));
        let closed = gate(&world.loaded.manifest, &[waives_freezes(until)], pending).unwrap();
        closed.holds(&link, &HoldScope::Link)[0].until.as_ref().unwrap().timestamp()
    };
    assert_eq!(opens("2026-01-03T12:00:00Z"), time("2026-01-03T00:00:00Z"));
    assert_eq!(opens("2026-01-02T20:00:00Z"), time("2026-01-05T08:00:00Z"));
}
