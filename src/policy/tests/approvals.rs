//! Whose approvals count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::access::{Access, Person};
use crate::domain::{
    Actor, ActorKind, Assurance, Changes, CommitSha, Consent, ConsentId, ConsentKind, Contributors,
};
use crate::policy::{ApprovalRule, Approver, Gated, Part};

fn access() -> Access {
    let person = |name: &str| {
        let person = Person {
            emails: vec![format!("{name}@example.com")],
            aws: vec![format!("arn:{name}")],
            ..Person::default()
        };
        (name.parse().unwrap(), person)
    };
    let members: BTreeSet<_> = ["ana", "ben", "bot"].iter().map(|name| name.parse().unwrap()).collect();
    Access {
        grants: None,
        people: ["ana", "ben", "bot", "cleo"].iter().map(|name| person(name)).collect(),
        groups: BTreeMap::from([("release".parse().unwrap(), members)]),
    }
}

fn rule() -> ApprovalRule {
    ApprovalRule {
        from: vec![Approver::Group("release".parse().unwrap())],
        count: 1,
        independent_of: Vec::new(),
        expires: Duration::from_mins(1),
        gates: Gated::Run,
        assurance: Assurance::Asserted,
    }
}

fn changes() -> Changes {
    let set = |names: &[&str]| names.iter().map(|name| format!("{name}@example.com")).collect();
    let mut committers: BTreeSet<String> = set(&["ben"]);
    committers.insert("noreply@github.com".to_owned());
    Changes {
        from: None,
        to: CommitSha::new("a".repeat(40)).unwrap(),
        tree: String::new(),
        contributors: Contributors { authors: set(&["ana"]), committers, mergers: set(&["eve"]) },
        initiator: Some("ben".into()),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// An approval by `rule` that expires at 60.
fn approval(by: Actor, rule: &ApprovalRule) -> Consent {
    let link = "prod/shop".parse().unwrap();
    let (changes, rules) = (Box::new(changes()), vec![rule.digest()]);
    let what = ConsentKind::Approval { link, changes, rules, until: at(60) };
    Consent { id: ConsentId(1), at: at(0), by, why: None, what, ends: Vec::new(), previous: None }
}

/// What the rule says after an approval by this actor.
fn judged(rule: &ApprovalRule, by: Actor) -> String {
    let consents = [approval(by, rule)];
    let missing = rule.missing(&access(), &changes(), (&consents, at(30)), &|_| true);
    missing.map_or("approved".to_owned(), |missing| missing.describe())
}

#[test]
fn an_approval_counts_until_it_expires_and_while_its_rule_is_the_same() {
    let rule = rule();
    let consents = [approval("ana".into(), &rule)];
    let missing = |rule: &ApprovalRule, now, covers: bool| {
        rule.missing(&access(), &changes(), (&consents, at(now)), &|_| covers).is_some()
    };
    assert!(!missing(&rule, 59, true));
    assert!(missing(&rule, 60, true), "expired");
    assert!(missing(&rule, 59, false), "for other changes");
    for changed in [
        ApprovalRule { count: 2, ..rule.clone() },
        ApprovalRule { independent_of: vec![Part::Initiator], ..rule.clone() },
        ApprovalRule { assurance: Assurance::Aws, ..rule.clone() },
        ApprovalRule { from: vec![Approver::Person("ana".parse().unwrap())], ..rule.clone() },
    ] {
        assert!(missing(&changed, 59, true), "{changed:?}");
    }
}

#[test]
fn nobody_who_took_part_in_the_ways_that_the_rule_names_counts() {
    let independent_of = |parts: &[Part]| ApprovalRule { independent_of: parts.to_vec(), ..rule() };
    assert_eq!(judged(&independent_of(&[Part::Author]), "ana".into()), "needs 1 approval from release");
    assert_eq!(judged(&independent_of(&[Part::Author]), "ben".into()), "approved");
    // What is merged on GitHub's pages has a committer that is nobody.
    assert_eq!(judged(&independent_of(&[Part::Committer]), "ben".into()), "needs 1 approval from release");
    assert_eq!(judged(&independent_of(&[Part::Committer]), "ana".into()), "approved");
    assert_eq!(judged(&independent_of(&[Part::Initiator]), "ben".into()), "needs 1 approval from release");
    assert_eq!(
        judged(&independent_of(&[Part::Merger]), "ana".into()),
        "needs 1 approval from release, and has 1, by ana; `[people]` does not say who eve@example.com is"
    );
}

#[test]
fn a_job_counts_only_where_it_is_named_and_a_rule_may_require_a_verified_identity() {
    let job = || Actor { kind: ActorKind::Job, ..Actor::from("bot") };
    assert_eq!(judged(&rule(), job()), "needs 1 approval from release");
    let named = ApprovalRule { from: vec![Approver::Person("bot".parse().unwrap())], ..rule() };
    assert_eq!(judged(&named, job()), "approved");
    let verified = ApprovalRule { assurance: Assurance::Aws, ..rule() };
    let by = |assurance, subject: &str| Actor {
        assurance,
        subject: Some(subject.to_owned()),
        ..Actor::from("ana")
    };
    assert_eq!(judged(&verified, "ana".into()), "needs 1 approval from release");
    assert_eq!(judged(&verified, by(Assurance::Aws, "arn:ana")), "approved");
    assert_eq!(judged(&verified, by(Assurance::Aws, "arn:cleo")), "needs 1 approval from release");
}

#[test]
fn one_person_counts_once_however_often_they_approve() {
    let twice = ApprovalRule { count: 2, ..rule() };
    let consents = [approval("ana".into(), &twice), approval("ana".into(), &twice)];
    let missing = twice.missing(&access(), &changes(), (&consents, at(0)), &|_| true).unwrap();
    assert_eq!(missing.describe(), "needs 2 approvals from release, and has 1, by ana");
    assert_eq!(missing.may, ["ben", "bot"]);
}
