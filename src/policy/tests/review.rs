//! Which evidence counts, and what a commit still lacks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::access::{Access, Grant, Grantee, Person, Right};
use crate::domain::{
    CheckName, CheckOutcome, CommitReview, CommitSha, Consent, ConsentId, ConsentKind, LinkId, ReviewerName,
};
use crate::policy::{MissingReview, ReviewRule, Reviews};

fn sha(letter: char) -> CommitSha {
    CommitSha::new(letter.to_string().repeat(40)).unwrap()
}

fn link() -> LinkId {
    "prod/shop".parse().unwrap()
}

fn names<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(names: &[&str]) -> BTreeSet<T> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Two approvals, and two checks.
fn rule() -> ReviewRule {
    ReviewRule { approvals: 2, checks: names(&["build", "test"]) }
}

fn given(id: u64, by: &str, what: ConsentKind) -> Consent {
    let (id, at) = (ConsentId(id), Timestamp::UNIX_EPOCH);
    Consent { id, at, by: by.into(), why: None, what, ends: Vec::new(), previous: None }
}

fn evidence(by: &str, approved_by: &[&str], checks: &[(&str, CheckOutcome)]) -> Consent {
    let review = CommitReview {
        pull_request: None,
        approved_by: names(approved_by),
        checks: checks.iter().map(|(name, outcome)| (name.parse().unwrap(), *outcome)).collect(),
    };
    given(1, by, ConsentKind::Evidence { sha: sha('a'), review: Box::new(review) })
}

fn missing(rule: &ReviewRule, access: &Access, evidence: &[Consent]) -> Option<MissingReview> {
    let reviews = Reviews::among(evidence.iter().cloned());
    rule.missing(access, &link(), &[sha('a')], &reviews).next()
}

fn judged(evidence: &[Consent]) -> String {
    missing(&rule(), &Access::default(), evidence).map_or("reviewed".to_owned(), |missing| missing.describe())
}

const PASSED: [(&str, CheckOutcome); 2] = [("build", CheckOutcome::Success), ("test", CheckOutcome::Success)];

#[test]
fn approvals_and_checks_add_up_over_several_statements() {
    assert_eq!(judged(&[]), "has 0 of 2 approvals and no result of the checks `build` and `test`");
    let (ana, checks) = (evidence("ci", &["ana"], &PASSED[..1]), evidence("ci", &["ben"], &PASSED[1..]));
    assert_eq!(judged(std::slice::from_ref(&ana)), "has 1 of 2 approvals and no result of the check `test`");
    assert_eq!(judged(&[ana, checks]), "reviewed");
    let other = evidence("ci", &["ana", "ben"], &[("lint", CheckOutcome::Failure)]);
    assert_eq!(judged(&[other]), "has no result of the checks `build` and `test`", "`lint` is not required");
}

#[test]
fn a_check_counts_as_it_ended_last() {
    let both = evidence("ci", &["ana", "ben"], &PASSED);
    let failed = evidence("ci", &[], &[("test", CheckOutcome::Failure)]);
    assert_eq!(judged(&[both.clone(), failed.clone()]), "has a failure of the check `test`");
    assert_eq!(judged(&[failed, both]), "reviewed");
}

#[test]
fn a_reviewer_counts_once_under_all_their_names() {
    let twice = |one: &str, other: &str| judged(&[evidence("ci", &[one, other], &PASSED)]);
    assert_eq!(twice("Octocat", "octocat"), "has 1 of 2 approvals");
    let person = Person { github: Some("octocat".to_owned()), ..Person::default() };
    let access = Access { people: [("ana".parse().unwrap(), person)].into(), ..Access::default() };
    let same = [evidence("ci", &["OctoCat", "ana"], &PASSED)];
    assert_eq!(missing(&rule(), &access, &same).unwrap().describe(), "has 1 of 2 approvals");
}

#[test]
fn evidence_counts_where_its_actor_has_the_right_at_the_time_of_the_judgement() {
    let grant = |on: &str| Grant {
        role: "ci".parse().unwrap(),
        rights: [Right::Evidence].into(),
        to: [Grantee::Person("merger".parse().unwrap())].into(),
        on: Some(vec![on.to_owned()].try_into().unwrap()),
    };
    let access = |on| Access {
        people: [("merger".parse().unwrap(), Person::default())].into(),
        grants: Some(vec![grant(on)]),
        ..Access::default()
    };
    let evidence =
        [evidence("merger", &["ana", "ben"], &PASSED), evidence("mallory", &["ana", "ben"], &PASSED)];
    assert_eq!(missing(&rule(), &access("prod"), &evidence), None);
    let lost = missing(&rule(), &access("dev"), &evidence).unwrap();
    assert_eq!((lost.given, lost.absent.len()), (0, 2));
    assert!(missing(&rule(), &access("prod"), &evidence[1..]).is_some());
}

#[test]
fn evidence_for_another_commit_does_not_count() {
    let reviews = Reviews::among([evidence("ci", &["ana", "ben"], &PASSED)]);
    let (access, link, rule) = (Access::default(), link(), rule());
    let commits = [sha('b'), sha('a'), sha('c')];
    let missing: Vec<_> = rule.missing(&access, &link, &commits, &reviews).map(|it| it.sha).collect();
    assert_eq!(missing, [sha('b'), sha('c')], "in the order of the commits");
}

#[test]
fn what_the_candidate_lacks_is_told_apart_from_what_it_contains() {
    let lacks = |letter| MissingReview {
        sha: sha(letter),
        need: 1,
        given: 0,
        failed: Vec::new(),
        absent: vec!["test".parse().unwrap()],
    };
    let said = |letters: &str| {
        MissingReview::describe_all(&letters.chars().map(lacks).collect::<Vec<_>>(), &sha('a'))
    };
    let lack = "has 0 of 1 approvals and no result of the check `test`";
    assert_eq!(said("a"), format!("aaaaaaaaaa {lack}"));
    assert_eq!(said("b"), format!("aaaaaaaaaa contains bbbbbbbbbb, which {lack}"));
    assert!(said("ba").ends_with("; another commit lacks its review, too"), "{}", said("ba"));
    assert!(said("bca").ends_with("; 2 other commits lack theirs, too"), "{}", said("bca"));
    let both = format!("katkit evidence {} --approved-by NAME --check \"test=success\"", sha('b'));
    assert!(lacks('b').hint().contains(&both), "{}", lacks('b').hint());
}

fn statements() -> impl Strategy<Value = Vec<Consent>> {
    let outcome = prop_oneof![3 => Just(CheckOutcome::Success), 1 => Just(CheckOutcome::Failure)];
    let checks =
        prop::collection::btree_map(prop::sample::select(vec!["build", "test", "lint"]), outcome, 0..3);
    let people = prop::collection::btree_set(prop::sample::select(vec!["ana", "Ana", "ben", "cem"]), 0..3);
    let statement = (people, checks).prop_map(|(people, checks)| {
        evidence("ci", &people.into_iter().collect::<Vec<_>>(), &checks.into_iter().collect::<Vec<_>>())
    });
    prop::collection::vec(statement, 0..6)
}

proptest! {
    /// The model: people are counted without letter case, and of each check the last result.
    #[test]
    fn a_commit_is_reviewed_if_a_plain_count_says_so(statements in statements(), approvals in 0_usize..4) {
        let rule = ReviewRule { approvals, checks: names(&["build", "test"]) };
        let all = || statements.iter().filter_map(|consent| match &consent.what {
            ConsentKind::Evidence { review, .. } => Some(&**review),
            _ => None,
        });
        let people: BTreeSet<String> =
            all().flat_map(|it| &it.approved_by).map(|name: &ReviewerName| name.as_str().to_lowercase()).collect();
        let last = |check: &CheckName| all().filter_map(|it| it.checks.get(check)).next_back().copied();
        let passed = rule.checks.iter().all(|check| last(check) == Some(CheckOutcome::Success));
        let missing = missing(&rule, &Access::default(), &statements);
        prop_assert_eq!(missing.is_none(), passed && people.len() >= approvals);
    }
}
