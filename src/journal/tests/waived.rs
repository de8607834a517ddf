//! Phases that were skipped on request, and waived later.

use super::story::{JournalBuilder, name, sha};
use crate::domain::{DeployOutcome, DeployPurpose, Event, Images, Outcome, RequestKind, RunOutcome};
use crate::journal::verification;

#[test]
fn a_skip_that_is_waived_verifies_the_commit_while_that_is_live() {
    let verify = name("verify");
    let waive = |digit| RequestKind::Waive { sha: sha(digit), phase: name("verify") };
    let before = JournalBuilder::default().run('a').attempt("build", 1, Outcome::Succeeded);
    let before = before.deploy('a', DeployPurpose::Upgrade, DeployOutcome::Deployed);
    assert_eq!(before.clone().asked(waive('a')).refusal(), "`verify` was not skipped on request");
    let skipped = before.asked(RequestKind::Skip { sha: sha('a'), phase: verify.clone() });
    // Before the run ends, and after that.
    assert_eq!(skipped.clone().asked(waive('a')).end("1", RunOutcome::Succeeded).verified(), "a");
    let ended = skipped.end("1", RunOutcome::Succeeded);
    let waived = ended.clone().asked(waive('a'));
    assert!(verification(&ended.head()).is_none() && verification(&waived.head()).is_some());
    assert_eq!(waived.clone().asked(waive('a')).refusal(), "`verify` was not skipped on request");
    let again = waived.asked(RequestKind::Retry { sha: sha('a'), phase: verify.clone() }).head();
    assert!(again.open_run().unwrap().phase(&verify).unwrap().waived_by.is_none());
    let adopted = Event::Adopted { sha: sha('b'), images: Images::default(), revision: "2".to_owned() };
    let replaced = ended.then(adopted);
    assert_eq!(replaced.asked(waive('a')).refusal(), "what it deployed is no longer live");
}
