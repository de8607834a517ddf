//! `[people]` and `[access.groups]`: who people are, and which groups they belong to.

use std::collections::{BTreeMap, BTreeSet};

use super::definitions::{NamedTable, checked, unknown};
use super::reader::{Located, Reader, Section, Value as _};
use super::rights;
use super::root_tables::{AccessKeys, PersonKeys};
use super::source::Span;
use super::suggest::quoted;
use crate::access::{Access, Person};
use crate::domain::{GroupName, PersonName};

/// The people, the groups and the grants of the root file.
pub(super) fn access(
    people: Option<Located<Section<'_, PersonKeys<'_>>>>,
    access: Option<Located<AccessKeys<'_>>>,
    reader: &Reader<'_>,
) -> Access {
    let (mut built, mut places) = (Access::default(), BTreeMap::new());
    for (key, raw) in people.into_iter().flat_map(|section| section.value.table) {
        let it = NamedTable { reader: *reader, key: reader.span_of(key), raw };
        let name = checked::<PersonName>(key.get_ref(), &it);
        places.extend(name.clone().map(|name| (name, it.key)));
        built.people.extend(name.zip(it.read().map(person)));
    }
    check_unique(&built.people, &places, reader);
    let AccessKeys { groups, roles, grants } = access.map(|access| access.value).unwrap_or_default();
    for (key, raw) in groups.into_iter().flat_map(|section| section.value.table) {
        let it = NamedTable { reader: *reader, key: reader.span_of(key), raw };
        let name = checked::<GroupName>(key.get_ref(), &it);
        if let Some(name) = &name
            && built.people.contains_key(name.as_str())
        {
            let message = format!("{} is in `[people]` and is a group", quoted(name.as_str()));
            reader.error(it.key, message, "rename one of them");
        }
        let members = Vec::<Located<&str>>::read(raw, reader);
        let members = members.into_iter().flatten().filter_map(|member| {
            if built.people.contains_key(member.value) {
                return member.value.parse().ok();
            }
            unknown("person", member, built.people.keys().map(PersonName::as_str), reader);
            None
        });
        let members: BTreeSet<_> = members.collect();
        built.groups.extend(name.map(|name| (name, members)));
    }
    built.grants = rights::grants(roles, grants, &built, reader);
    built
}

fn person(keys: PersonKeys<'_>) -> Person {
    let texts = |list: Option<Located<Vec<Located<&str>>>>| -> Vec<String> {
        let list = list.into_iter().flat_map(|list| list.value);
        list.map(|text| text.value.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    let PersonKeys { emails, github, aws, oidc } = keys;
    Person {
        emails: texts(emails).into_iter().map(|email| email.to_lowercase()).collect(),
        github: github.map(|name| name.value.to_lowercase()),
        aws: texts(aws),
        oidc: texts(oidc),
    }
}

/// An identity that two people have would make one of them approve as the other.
fn check_unique(
    people: &BTreeMap<PersonName, Person>,
    places: &BTreeMap<PersonName, Span>,
    reader: &Reader<'_>,
) {
    let mut owners: BTreeMap<&str, &PersonName> = BTreeMap::new();
    for (name, Person { emails, github, aws, oidc }) in people {
        for identity in emails.iter().chain(github).chain(aws).chain(oidc) {
            let Some(other) = owners.insert(identity, name).filter(|other| *other != name) else { continue };
            let message = format!("{} is of {other} and of {name}", quoted(identity));
            if let Some(place) = places.get(name) {
                reader.error(*place, message, "the second");
            }
        }
    }
}
