//! Renamed tenants and links: maps old names to current ones.

use std::fmt;

use crate::domain::{LinkId, TenantName};

/// One entry of `moved`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The old name, which the manifest no longer has.
    pub from: Name,
    /// The new name; of the same kind.
    pub to: Name,
}

/// A renamed link, or a renamed tenant with all its links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A whole tenant.
    Tenant(TenantName),
    /// One link.
    Link(LinkId),
}

/// All entries of `moved`. Free of cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves(pub(super) Vec<Moved>);

impl Moves {
    /// Whether nothing was renamed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a link after all its renames; `None` if it has none.
    pub fn target(&self, id: &LinkId) -> Option<LinkId> {
        let mut name = self.next(id)?;
        // Each entry applies at most once, since there are no cycles.
        for _ in 0..self.0.len() {
            match self.next(&name) {
                Some(next) => name = next,
                None => break,
            }
        }
        Some(name)
    }

    /// The entries whose new name is a link or its tenant.
    pub fn to<'m>(&'m self, id: &'m LinkId) -> impl Iterator<Item = &'m Moved> {
        self.0.iter().filter(move |moved| match &moved.to {
            Name::Tenant(tenant) => *tenant == id.tenant,
            Name::Link(link) => link == id,
        })
    }

    /// The name of a link after one rename. An entry for the link wins over one for its tenant.
    fn next(&self, id: &LinkId) -> Option<LinkId> {
        let link = self.0.iter().find_map(|Moved { from, to }| match (from, to) {
            (Name::Link(from), Name::Link(to)) if from == id => Some(to.clone()),
            _ => None,
        });
        link.or_else(|| {
            self.0.iter().find_map(|Moved { from, to }| match (from, to) {
                (Name::Tenant(from), Name::Tenant(to)) if *from == id.tenant => {
                    Some(LinkId::new(to.clone(), id.link.clone()))
                }
                _ => None,
            })
        })
    }

    /// The last name in a chain of renames; `Err` if the chain is a cycle.
    pub(super) fn end(&self, name: &Name) -> Result<Name, ()> {
        let mut at = name.clone();
        for _ in 0..=self.0.len() {
            let next = match &at {
                Name::Link(id) => self.next(id).map(Name::Link),
                Name::Tenant(_) => self.0.iter().find(|moved| moved.from == at).map(|moved| moved.to.clone()),
            };
            match next {
                Some(next) => at = next,
                None => return Ok(at),
            }
        }
        Err(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "the tenant `{tenant}`"),
            Self::Link(link) => write!(f, "the link `{link}`"),
        }
    }
}
