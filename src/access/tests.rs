//! Who actors and authors are.

use super::*;
use crate::domain::{ActorKind, Door};

fn access() -> Access {
    let ana = Person {
        emails: vec!["ana@example.com".to_owned()],
        github: Some("ana-dev".to_owned()),
        aws: vec!["arn:aws:iam::123456789012:user/ana".to_owned()],
        oidc: vec!["7f3a".to_owned()],
    };
    let people = [("ana", ana), ("ben", Person::default())];
    let people = people.into_iter().map(|(name, person)| (name.parse().unwrap(), person)).collect();
    Access { people, ..Access::default() }
}

fn actor(name: &str, assurance: Assurance, subject: Option<&str>) -> Actor {
    let subject = subject.map(str::to_owned);
    Actor { name: name.to_owned(), kind: ActorKind::Person, door: Door::Cli, subject, assurance }
}

#[test]
fn a_verified_actor_is_known_only_by_its_identity() {
    let access = access();
    let who = |name, assurance, subject| {
        access.actor(&actor(name, assurance, subject)).map(|name| name.as_str().to_owned())
    };
    let ana = Some("ana".to_owned());
    assert_eq!(who("ana", Assurance::Asserted, None), ana);
    assert_eq!(who("release-bot", Assurance::Aws, Some("arn:aws:iam::123456789012:user/ana")), ana);
    assert_eq!(who("ana", Assurance::Aws, Some("arn:aws:iam::123456789012:user/eve")), None);
    assert_eq!(who("ana", Assurance::Oidc, Some("arn:aws:iam::123456789012:user/ana")), None);
    assert_eq!(who("x", Assurance::Oidc, Some("7f3a")), ana);
    assert_eq!(who("ana", Assurance::Aws, None), None);
    assert_eq!(who("cleo", Assurance::Asserted, None), None);
}

#[test]
fn authors_are_known_by_their_addresses_and_by_those_that_github_gives_them() {
    let access = access();
    let who = |email| access.author(email).map(|name| name.as_str().to_owned());
    let ana = Some("ana".to_owned());
    for email in [
        "ana@example.com",
        "Ana@Example.com",
        "ana-dev@users.noreply.github.com",
        "1234+Ana-Dev@users.noreply.github.com",
    ] {
        assert_eq!(who(email), ana, "{email}");
    }
    for email in ["", "eve@example.com", "ana-dev@example.com", "@users.noreply.github.com", "ana-dev"] {
        assert_eq!(who(email), None, "{email}");
    }
}

/// What the rights say of these actors, in this order: ana, ben, a job called ben, and someone unknown.
fn may(grants: Option<Vec<Grant>>, right: Right, link: &str) -> [bool; 4] {
    let groups =
        [("release".parse().unwrap(), ["ana", "ben"].map(|name| name.parse().unwrap()).into())].into();
    let access = Access { groups, grants, ..access() };
    let job = Actor { kind: ActorKind::Job, ..actor("ben", Assurance::Asserted, None) };
    let [ana, ben, eve] = ["ana", "ben", "eve"].map(|name| actor(name, Assurance::Asserted, None));
    [ana, ben, job, eve].map(|actor| access.may(&actor, right, &link.parse().unwrap()))
}

fn grant(rights: &[Right], to: Grantee, on: Option<&str>) -> Grant {
    Grant {
        role: "role".parse().unwrap(),
        rights: rights.iter().copied().collect(),
        to: [to].into(),
        on: on.map(|on| vec![on.to_owned()].try_into().unwrap()),
    }
}

#[test]
fn without_grants_everyone_may_do_everything_and_with_an_empty_list_nobody_anything() {
    for right in Right::ALL {
        assert_eq!(may(None, right, "prod/shop"), [true; 4]);
        assert_eq!(may(Some(Vec::new()), right, "prod/shop"), [false; 4]);
    }
}

#[test]
fn a_right_is_granted_by_name_by_group_and_to_everyone() {
    let [person, group] =
        [Grantee::Person("ben".parse().unwrap()), Grantee::Group("release".parse().unwrap())];
    let may = |to| may(Some(vec![grant(&[Right::Rollback], to, None)]), Right::Rollback, "prod/shop");
    assert_eq!(may(person), [false, true, true, false]);
    assert_eq!(may(group), [true, true, false, false], "a job is no member of a group");
    assert_eq!(may(Grantee::Everyone), [true; 4]);
}

#[test]
fn no_right_includes_another_and_a_grant_is_only_for_its_links() {
    for granted in Right::ALL {
        let grants = || Some(vec![grant(&[granted], Grantee::Everyone, Some("prod-*"))]);
        for right in Right::ALL {
            assert_eq!(may(grants(), right, "prod-eu/shop"), [right == granted; 4], "{granted} {right}");
            assert_eq!(may(grants(), right, "dev/prod-shop"), [false; 4]);
        }
    }
}
