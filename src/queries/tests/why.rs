//! What is known about one link.

use jiff::Timestamp;

use super::world::{adopted, estate, head, id, phase, record, sha, start_build};
use crate::blobs::BlobKey;
use crate::domain::{AttemptNumber, Event, Outcome, RunOutcome};
use crate::estate::Estate;
use crate::queries::{WhyError, WhyFacts, WhyQuestion, why};

async fn explained(estate: &Estate, commit: Option<&str>) -> Result<WhyFacts, WhyError> {
    why(
        estate,
        &id("dev/shop"),
        head(estate, "dev/shop").await,
        WhyQuestion { commit, ..WhyQuestion::default() },
    )
    .await
}

#[tokio::test]
async fn a_live_commit_has_nothing_planned_and_nothing_failed() {
    let estate = estate("");
    record(&estate, "dev/shop", 1, adopted('a')).await;
    let facts = explained(&estate, None).await.unwrap();
    let why = facts.why(Timestamp::UNIX_EPOCH);
    assert_eq!(why.want, Some(&Ok(sha('a'))));
    assert!(why.head.runs(&sha('a')) && why.plan.is_none() && why.run.is_none() && why.story.is_none());
}

#[tokio::test]
async fn a_failed_phase_comes_with_the_end_of_its_log() {
    let estate = estate("");
    let run = start_build(&estate, "dev/shop", 'a').await;
    let (build, attempt) = (phase("build"), AttemptNumber(1));
    let key = BlobKey::attempt(&id("dev/shop"), &sha('a'), &build, &run, attempt);
    estate.blobs.put(&key.replica(0).log_chunk(1), b"one\ntwo\n").await.unwrap();
    let outcome = Outcome::Failed { exit_code: Some(1), reason: String::new() };
    record(&estate, "dev/shop", 130, Event::AttemptEnded { phase: build.clone(), attempt, outcome }).await;
    record(&estate, "dev/shop", 131, Event::ServiceRemoved { phase: build, attempt }).await;
    record(&estate, "dev/shop", 132, Event::RunEnded { run, outcome: RunOutcome::Failed, because: None })
        .await;
    let facts = explained(&estate, Some("aaaa")).await.unwrap();
    let why = facts.why(Timestamp::UNIX_EPOCH);
    assert_eq!(why.tails.len(), 1);
    assert_eq!(why.tails[0].lines, ["one", "two"]);
    let story = why.story.unwrap();
    assert_eq!((story.named.as_str(), story.runs.len()), (sha('a').as_str(), 1));
}

#[tokio::test]
async fn a_text_that_is_no_commit_is_refused() {
    let estate = estate("");
    let error = explained(&estate, Some("main")).await.unwrap_err();
    assert!(matches!(error, WhyError::Commit(_)), "{error}");
}
