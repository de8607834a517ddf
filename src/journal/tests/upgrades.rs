//! What a record remembers of when upgrades began.

use jiff::{SignedDuration, Timestamp};

use super::story::{JournalBuilder, sha, token};
use crate::domain::{DeployOutcome, DeployPurpose, Event, Head, Outcome, RunOutcome};
use crate::journal::fold;

/// A run that deploys and ends well, all of it at one time.
fn upgraded(before: JournalBuilder, digit: char, at: Timestamp) -> JournalBuilder {
    let begins = before.0.len();
    let run = (begins + 1).to_string();
    let built = before.run(digit).attempt("build", 1, Outcome::Succeeded);
    let deployed = built.deploy(digit, DeployPurpose::Upgrade, DeployOutcome::Deployed);
    let mut journal = deployed.attempt("verify", 1, Outcome::Succeeded).end(&run, RunOutcome::Succeeded);
    journal.0[begins..].iter_mut().for_each(|recorded| recorded.at = at);
    journal
}

fn hour(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

#[test]
fn upgrades_are_remembered_for_two_days() {
    let mut journal = JournalBuilder::default();
    for (digit, at) in [('a', 0), ('b', 20), ('c', 47), ('d', 60)] {
        journal = upgraded(journal, digit, hour(at));
    }
    assert_eq!(journal.head().upgrades, [hour(20), hour(47), hour(60)]);
}

#[test]
fn repairs_and_rollbacks_are_not_counted() {
    let both = upgraded(upgraded(JournalBuilder::default(), 'a', hour(1)), 'b', hour(2));
    let repaired = both.deploy('b', DeployPurpose::Repair, DeployOutcome::Deployed);
    let back = repaired.deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!(back.head().upgrades, [hour(1), hour(2)]);
    assert!(back.head().runs(&sha('a')));
}

#[test]
fn an_upgrade_counts_from_its_intent_unless_nothing_was_issued() {
    let built = JournalBuilder::default().run('a').attempt("build", 1, Outcome::Succeeded);
    let failed = || DeployOutcome::Failed { reason: "no room".to_owned() };
    let lost = || DeployOutcome::Lost { evidence: "nothing was issued".to_owned() };
    let journal = built.deploy('a', DeployPurpose::Upgrade, failed());
    let intended = journal.0.len() - 2;
    let head = fold(&journal.0[..intended]).unwrap();
    assert_eq!((head.upgrades.len(), head.settled_upgrades().len()), (1, 0));
    assert_eq!(journal.head().settled_upgrades().len(), 1);
    for (issued, outcome) in [(0, failed()), (0, lost()), (1, failed()), (1, lost())] {
        let journal = JournalBuilder(journal.0[..intended + issued].to_vec());
        let end = Event::DeployEnded { token: token("d"), outcome, revision: String::new() };
        assert_eq!(journal.then(end).head().upgrades.len(), issued);
    }
}

#[test]
fn no_more_upgrades_are_remembered_than_a_policy_can_allow() {
    let mut journal = JournalBuilder::default();
    for minute in 0..i64::from(Head::UPGRADES) + 5 {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute);
        journal = upgraded(journal, char::from(b'a' + u8::try_from(minute % 6).unwrap()), at);
    }
    let upgrades = journal.head().upgrades;
    assert_eq!(upgrades.len(), Head::UPGRADES as usize);
    assert_eq!(upgrades[0], Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5));
}
