//! What the fold keeps for pipelines: promotions, and how long verified commits have been live.

use jiff::Timestamp;

use super::*;
use crate::domain::{Actor, RecordedEvent};

fn promoted(story: &JournalBuilder) -> Option<char> {
    story.head().promoted.map(|promoted| promoted.sha.as_str().chars().next().unwrap())
}

#[test]
fn a_promotion_lasts_until_a_commit_is_verified_or_rolled_back() {
    let story = JournalBuilder::live('a').asked(RequestKind::Promote { sha: sha('b') });
    assert_eq!(promoted(&story), Some('b'));
    assert_eq!(promoted(&story.clone().asked(RequestKind::Promote { sha: sha('c') })), Some('c'));
    assert_eq!(promoted(&story.clone().fails_after_deployment('b')), Some('b'), "it is held");
    assert_eq!(promoted(&story.clone().all_the_way('c')), None);
    assert_eq!(promoted(&story.clone().quarantine('b')), None);
    assert_eq!(promoted(&story.quarantine('c')), Some('b'));
}

#[test]
fn a_quarantined_commit_cannot_be_promoted() {
    let story = JournalBuilder::live('a').quarantine('b').asked(RequestKind::Promote { sha: sha('b') });
    assert!(story.refusal().contains("is quarantined"));
}

/// The head that the events fold into if each happens a minute after the one before.
fn by_the_minute(story: &JournalBuilder) -> Head {
    let minutes = (0..).zip(&story.0).map(|(minute, recorded)| RecordedEvent {
        at: Timestamp::from_second(60 * minute).unwrap(),
        by: Actor::nobody(),
        ..recorded.clone()
    });
    fold(&minutes.collect::<Vec<_>>()).unwrap()
}

#[test]
fn the_clock_of_a_link_runs_while_what_is_live_is_verified() {
    let verified = JournalBuilder::live('a');
    let head = by_the_minute(&verified);
    let ends = Timestamp::from_second(60 * i64::try_from(verified.0.len() - 1).unwrap()).unwrap();
    let clock = head.live_clock.unwrap();
    assert_eq!((clock.read(ends), clock.runs(), head.verified[0].clock), (0, true, 0));
    // It runs until `b` is deployed, and again once that is verified.
    let unverified = verified.clone().run('b').attempt("build", 1, Outcome::Succeeded).deploy(
        'b',
        DeployPurpose::Upgrade,
        DeployOutcome::Deployed,
    );
    let clock = by_the_minute(&unverified).live_clock.unwrap();
    assert!(!clock.runs());
    let deployed = 60 * u64::try_from(unverified.0.len() - verified.0.len()).unwrap();
    assert_eq!(clock.read(ends), deployed);
    let done = by_the_minute(&verified.all_the_way('b'));
    assert!(done.live_clock.unwrap().runs());
    assert_eq!(done.verified[1].clock, deployed, "`b` begins where the clock stood");
}
