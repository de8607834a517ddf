//! Names from a manifest, and the `tenant/link` that identifies a link everywhere.
//!
//! A plan for ten thousand links holds each name several times: names of up to 24 bytes are stored inline.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// The longest name, in bytes: names become file names, container names and parts of object keys.
const LONGEST: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 64 bytes (128 for a phase, 192 for a name at a code host).
    #[error("`{0}…` is longer than {1} bytes")]
    TooLong(String, usize),
    /// A character that this kind of name does not allow.
    #[error("`{name}` contains {character:?}; {allowed}")]
    Character {
        /// The whole name, as given.
        name: String,
        /// The first character that is not allowed.
        character: char,
        /// Which characters are.
        allowed: &'static str,
    },
    /// Not of the form `tenant/link`.
    #[error("`{0}` is not of the form `tenant/link`")]
    NotALink(String),
}

fn check(name: &str) -> Result<(), NameError> {
    let allowed = "use letters, digits, `-`, `_` and `.`, starting with a letter or digit";
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > LONGEST {
        return Err(NameError::TooLong(name.chars().take(20).collect(), LONGEST));
    }
    let wrong = name
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_alphanumeric() || (at > 0 && matches!(c, '-' | '_' | '.'))));
    match wrong {
        Some((_, character)) => Err(NameError::Character { name: name.to_owned(), character, allowed }),
        None => Ok(()),
    }
}

/// Phase names come from existing `katkitconfig.js` files, so they may be any printable text without a slash.
fn check_phase(name: &str) -> Result<(), NameError> {
    let allowed = "a phase name is printable text without `/`, and neither `.` nor `..`";
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > 2 * LONGEST {
        return Err(NameError::TooLong(name.chars().take(20).collect(), 2 * LONGEST));
    }
    let dots = name.chars().all(|c| c == '.');
    match name.chars().find(|c| c.is_control() || *c == '/' || *c == '\\' || dots) {
        Some(character) => Err(NameError::Character { name: name.to_owned(), character, allowed }),
        None => Ok(()),
    }
}

/// Names at a code host are any printable text, such as `build (linux, stable)`.
fn check_foreign(name: &str) -> Result<(), NameError> {
    let allowed = "use printable text that neither begins nor ends with a space";
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > 3 * LONGEST {
        return Err(NameError::TooLong(name.chars().take(20).collect(), 3 * LONGEST));
    }
    let (ends_with_space, controls) = (name.trim() != name, name.chars().find(|c| c.is_control()));
    match controls.or_else(|| ends_with_space.then_some(' ')) {
        Some(character) => Err(NameError::Character { name: name.to_owned(), character, allowed }),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident by $check:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "CompactString", into = "CompactString")]
        pub struct $name(CompactString);

        impl $name {
            /// Checks `name`; the error says which character is wrong and which are allowed.
            pub fn new(name: impl Into<CompactString>) -> Result<Self, NameError> {
                let name = name.into();
                $check(&name)?;
                Ok(Self(name))
            }

            /// The name, as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = NameError;
            fn try_from(name: CompactString) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for CompactString {
            fn from(name: $name) -> CompactString {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// The name of a tenant: an isolated environment.
    TenantName by check;
    /// The name of a link inside its tenant.
    LinkName by check;
    /// The name of a repository in the manifest.
    RepoName by check;
    /// The name of a workflow in the manifest.
    WorkflowName by check;
    /// The name of a fleet in the manifest.
    FleetName by check;
    /// The name of a policy in the manifest.
    PolicyName by check;
    /// The name of a calendar in the manifest.
    CalendarName by check;
    /// The name of a pipeline in the manifest.
    PipelineName by check;
    /// The name of a stage inside its pipeline.
    StageName by check;
    /// The name of one of the people in the manifest.
    PersonName by check;
    /// The name of a group of people in the manifest.
    GroupName by check;
    /// The name of a role in the manifest: rights under one name.
    RoleName by check;
    /// The name of a phase inside its workflow.
    PhaseName by check_phase;
    /// The name of a reviewer at a code host.
    ReviewerName by check_foreign;
    /// The name of a check at a code host.
    CheckName by check_foreign;
}

/// The first segment of the keys of packed commits.
pub const COMMITS: &str = "commits";

/// The first segment of the keys that `verify` writes to check write access.
pub const PROBE: &str = "probe";

impl TenantName {
    /// First segments of blob keys that belong to no tenant. A tenant with such a name would share these keys and their
    /// permissions.
    pub const RESERVED: [&str; 2] = [COMMITS, PROBE];

    /// Whether manifests must not use this name. It still parses: an older record may hold it.
    pub fn is_reserved(&self) -> bool {
        Self::RESERVED.contains(&self.as_str())
    }
}

/// `tenant/link`: the unit that is planned, locked and deployed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkId {
    /// The environment.
    pub tenant: TenantName,
    /// The linked repository in it.
    pub link: LinkName,
}

impl LinkId {
    /// Combines the two names.
    pub fn new(tenant: TenantName, link: LinkName) -> Self {
        Self { tenant, link }
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() {
            return f.pad(&format!("{}/{}", self.tenant, self.link));
        }
        write!(f, "{}/{}", self.tenant, self.link)
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.link)
    }
}

impl FromStr for LinkId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (tenant, link) = text.split_once('/').ok_or_else(|| NameError::NotALink(text.to_owned()))?;
        Ok(Self { tenant: tenant.parse()?, link: link.parse()? })
    }
}

impl TryFrom<String> for LinkId {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LinkId> for String {
    fn from(id: LinkId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_directory_is_refused() {
        for bad in ["", ".", "..", "a/b", "-x", ".git", "a b", "ü", &"x".repeat(65)] {
            assert!(TenantName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TenantName::new("d-taskrunner").is_ok());
    }

    #[test]
    fn a_phase_name_may_hold_blanks_but_no_path() {
        assert!(PhaseName::new("POST DEPLOY (1)").is_ok());
        for bad in ["", ".", "..", "a/b", "a\nb", "a\u{1b}[31m"] {
            assert!(PhaseName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_at_a_code_host_is_any_printable_text() {
        for good in ["ci/circleci: test", "build (linux, stable)", "web-flow[bot]", "größe"] {
            assert_eq!(CheckName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", "\u{1b}[31m", &"x".repeat(193)] {
            assert!(ReviewerName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_link_id_is_two_names_and_a_slash() {
        assert_eq!("dev/shop".parse::<LinkId>().unwrap().to_string(), "dev/shop");
        assert_eq!("shop".parse::<LinkId>().unwrap_err(), NameError::NotALink("shop".into()));
    }
}
