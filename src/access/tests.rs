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
    Access { people, groups: BTreeMap::new() }
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
