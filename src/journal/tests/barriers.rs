//! Commits that must not be undone.

use super::story::{JournalBuilder, sha};
use super::*;
use crate::domain::RequestKind;

impl JournalBuilder {
    /// The same story, whose last upgrade brings a commit that must not be undone.
    fn bringing(mut self, digit: char) -> Self {
        for recorded in self.0.iter_mut().rev() {
            if let Event::DeployIntended { barrier, .. } = &mut recorded.event {
                *barrier = Some(sha(digit));
                break;
            }
        }
        self
    }

    fn targets(&self) -> String {
        self.head().rollback_targets().map(|(evidence, _)| &evidence.sha.short()[..1]).collect()
    }

    fn barriers(&self) -> String {
        self.head().barriers().map(|barrier| &barrier.sha.short()[..1]).collect()
    }
}

#[test]
fn no_rollback_goes_past_what_brought_a_barrier() {
    let story = JournalBuilder::live('a').all_the_way('b').all_the_way('c').bringing('1');
    assert_eq!((story.targets().as_str(), story.barriers().as_str()), ("", "1"));
    assert_eq!(story.head().barrier_before(&sha('b')).map(|barrier| &barrier.sha), Some(&sha('1')));
    assert_eq!(story.head().barrier_before(&sha('9')), None);
    let story = story.all_the_way('d').all_the_way('e');
    assert_eq!((story.targets().as_str(), story.barriers().as_str()), ("dc", "1"));
    let back = |to| RequestKind::Rollback { from: sha('e'), to: sha(to) };
    assert!(story.clone().asked(back('b')).refusal().contains("says `Katkit-Rollback: no`"));
    // A rollback carries it on with the commit, so that the next stops there, too.
    let back = story.asked(back('c')).quarantine('e');
    let back = back.deploy('c', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!((back.targets().as_str(), back.barriers().as_str()), ("", "1"));
    assert_eq!(back.deploy('c', DeployPurpose::Repair, DeployOutcome::Deployed).barriers(), "1");
}

#[test]
fn what_an_unverified_commit_brought_counts_for_its_successor() {
    let failed = JournalBuilder::live('a').fails_after_deployment('b').bringing('b');
    assert_eq!((failed.targets().as_str(), failed.head().rollback_target_after(&sha('c'))), ("", None));
    let next = failed.clone().fails_after_deployment('c');
    assert_eq!((next.targets().as_str(), next.barriers().as_str()), ("", "b"));
    let verified = failed.all_the_way('c').all_the_way('d');
    assert_eq!((verified.targets().as_str(), verified.barriers().as_str()), ("c", "b"));
    // The same commit once more keeps what it brought.
    let again = JournalBuilder::live('a').all_the_way('b').bringing('b').all_the_way('b');
    assert_eq!((again.targets().as_str(), again.barriers().as_str()), ("", "b"));
}

#[test]
fn an_actor_pins_what_is_live_or_a_rollback_target_and_lifts_any() {
    let pin = |digit| RequestKind::Pin { sha: sha(digit) };
    let unpin = |digit| RequestKind::Unpin { sha: sha(digit) };
    let story = JournalBuilder::live('a').all_the_way('b').all_the_way('c');
    let pinned = story.clone().asked(pin('b'));
    assert_eq!((pinned.targets().as_str(), pinned.barriers().as_str()), ("b", "b"));
    assert_eq!(pinned.clone().asked(pin('c')).targets(), "");
    assert!(pinned.clone().asked(pin('a')).refusal().contains("neither live nor a rollback target"));
    assert!(pinned.clone().asked(unpin('c')).refusal().contains("rollbacks may go past"));
    assert_eq!(pinned.asked(unpin('b')).targets(), "ba");
    // What it brought by itself counts for as much.
    let brought = story.all_the_way('d').bringing('1');
    assert!(brought.clone().asked(pin('d')).refusal().contains("no rollback goes past"));
    let brought = brought.asked(unpin('1'));
    assert_eq!((brought.targets().as_str(), brought.barriers().as_str()), ("cba", ""));
}

#[test]
fn neither_an_adoption_nor_another_run_loses_what_a_commit_brought() {
    let adopt =
        |digit| Event::Adopted { sha: sha(digit), images: Images::default(), revision: "r".to_owned() };
    // Unverified, live, and adopted under another revision.
    let failed = JournalBuilder::live('a').fails_after_deployment('b').bringing('b').then(adopt('b'));
    assert_eq!((failed.targets().as_str(), failed.barriers().as_str()), ("", "b"));
    // Put back by hand.
    let by_hand = JournalBuilder::live('a').all_the_way('b').bringing('b').all_the_way('c').then(adopt('b'));
    assert_eq!((by_hand.targets().as_str(), by_hand.barriers().as_str()), ("", "b"));
    // A commit that was verified before brings a barrier now, since it comes from an older one, and is live unverified.
    let story = JournalBuilder::live('a').all_the_way('b').all_the_way('c').all_the_way('a');
    let run = (story.0.len() + 1).to_string();
    let story = story.run('c').attempt("build", 1, Outcome::Succeeded);
    let story = story.deploy('c', DeployPurpose::Upgrade, DeployOutcome::Deployed).bringing('b');
    let story = story.end(&run, RunOutcome::Superseded).all_the_way('d');
    assert_eq!((story.targets().as_str(), story.barriers().as_str()), ("c", "b"));
    let back = story.deploy('c', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!((back.targets().as_str(), back.barriers().as_str()), ("", "b"));
}

#[test]
fn a_forgotten_commit_hands_on_what_it_brought() {
    let story = JournalBuilder::live('0').bringing('9');
    let story = "123456789abc".chars().fold(story, JournalBuilder::all_the_way);
    assert_eq!((story.targets().len(), story.barriers().as_str()), (9, "9"));
}
