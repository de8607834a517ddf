//! The output of `who-can`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::json::KATKIT_VERSION;
use super::terminal::hang;
use super::{Style, TextStyle};
use crate::access::Right;
use crate::domain::{CommitSha, LinkId, PersonName, RoleName};
use crate::policy::{ApprovalRule, ApproverState, Part};

/// A rule, everyone whom it names, and the addresses of contributors that belong to nobody in the manifest.
pub type RuleStandings<'a> = (&'a ApprovalRule, Vec<(&'a PersonName, ApproverState)>, Vec<String>);

/// Who can do something to a link.
#[derive(Clone, Copy, Debug)]
pub struct WhoCan<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The command.
    pub action: &'static str,
    /// What decides.
    pub by: WhoCanBy<'a>,
}

/// What decides who can do something.
#[derive(Clone, Copy, Debug)]
pub enum WhoCanBy<'a> {
    /// The rules of a policy, for one commit.
    Approvals {
        /// What is live.
        live: Option<&'a CommitSha>,
        /// The commit.
        sha: &'a CommitSha,
        /// The rules of its policy.
        rules: &'a [RuleStandings<'a>],
    },
    /// A right.
    Right {
        /// The right.
        right: Right,
        /// Everyone has it.
        everyone: bool,
        /// The people who are granted it, and the roles that they have it by.
        people: &'a BTreeMap<&'a PersonName, BTreeSet<&'a RoleName>>,
    },
}

/// Who can do something, as text.
#[derive(Clone, Copy, Debug)]
pub struct WhoCanText<'a> {
    /// The facts.
    pub who_can: WhoCan<'a>,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for WhoCanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who_can: WhoCan { link, action, by }, style } = *self;
        let link = style.paint(TextStyle::Bold, &link.to_string());
        let (live, sha, rules) = match by {
            WhoCanBy::Approvals { live, sha, rules } => (live, sha, rules),
            WhoCanBy::Right { right, everyone, people } => {
                writeln!(f, "{link}")?;
                let heading = format!("`{action}` takes the right `{right}`");
                f.write_str(&hang("", 2, &heading, style))?;
                let rest = match (everyone, people.is_empty()) {
                    (true, _) => "everyone has it",
                    (false, true) => "nobody has it",
                    (false, false) => "",
                };
                if !rest.is_empty() {
                    f.write_str(&hang("  ", 2, rest, style))?;
                }
                let people = people.iter().filter(|_| !everyone);
                let width = people.clone().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
                for (name, roles) in people {
                    let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
                    let name = format!("  {:width$}  ", name.as_str());
                    f.write_str(&hang(&name, width + 4, &roles.join(", "), style))?;
                }
                return Ok(());
            }
        };
        writeln!(f, "{link}  {}", sha.short())?;
        let changes = match live {
            Some(live) => format!("changes: git log {}..{}", live.short(), sha.short()),
            None => "nothing is live yet".to_owned(),
        };
        f.write_str(&hang("", 2, &changes, style))?;
        for (rule, people, unknown) in rules {
            f.write_str(&hang("", 2, &heading(rule), style))?;
            let width = people.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
            for (name, state) in people {
                let name = format!("  {:width$}  ", name.as_str());
                f.write_str(&hang(&name, width + 4, state.describe(), style))?;
            }
            for email in unknown {
                let text = format!("{email} contributed, and `[people]` does not say who that is");
                f.write_str(&hang("  ", 2, &text, style))?;
            }
        }
        Ok(())
    }
}

/// `2 approvals from release, independent of authors and mergers`
fn heading(rule: &ApprovalRule) -> String {
    let ApprovalRule { from, count, independent_of, .. } = rule;
    let from: Vec<_> = from.iter().map(ToString::to_string).collect();
    let approvals = if *count == 1 { "approval" } else { "approvals" };
    let parts: Vec<_> = independent_of.iter().map(|part| part.plural()).collect();
    let independent = match parts.as_slice() {
        [] => String::new(),
        parts => format!(", independent of {}", parts.join(" and ")),
    };
    format!("{count} {approvals} from {}{independent}", from.join(" or "))
}

/// Who can do something to a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WhoCanJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of katkit that wrote it.
    pub katkit_version: &'static str,
    /// The link.
    pub link: String,
    /// The command.
    pub action: &'static str,
    /// The commit that waits for approvals, and who can approve it; null unless the action is `approve`.
    pub approval: Option<ApprovalJson<'a>>,
    /// The right that the command takes, and who has it; null if the action is `approve`.
    pub right: Option<RightJson<'a>>,
}

/// A commit that waits for approvals.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApprovalJson<'a> {
    /// What is live; null if nothing is.
    pub live: Option<&'a str>,
    /// The commit.
    pub sha: &'a str,
    /// The rules of its policy.
    pub rules: Vec<RuleJson<'a>>,
}

/// A right.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RightJson<'a> {
    /// Its name in the manifest.
    pub name: &'static str,
    /// Whether everyone has it.
    pub everyone: bool,
    /// The people who are granted it.
    pub people: Vec<RightHolderJson<'a>>,
}

/// Someone who is granted a right.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RightHolderJson<'a> {
    /// Their name.
    pub name: &'a str,
    /// The roles that they have it by.
    pub roles: Vec<&'a str>,
}

/// A rule of the policy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleJson<'a> {
    /// The groups and people who may approve.
    pub from: Vec<String>,
    /// How many approvals the rule needs.
    pub count: usize,
    /// In what ways an approver must not have taken part: `author`, `committer`, `merger`, `initiator`.
    pub independent_of: Vec<&'static str>,
    /// Everyone whom the rule names.
    pub people: Vec<ApproverJson<'a>>,
    /// The addresses of contributors that belong to nobody in the manifest: until they do, the rule is not met.
    pub unknown: &'a [String],
}

/// Someone whom a rule names.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApproverJson<'a> {
    /// Their name.
    pub name: &'a str,
    /// What they can do.
    pub state: ApproverStateJson,
}

/// What an approver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApproverStateJson {
    /// Their approval counts.
    Approved,
    /// They can approve.
    CanApprove,
    /// They took part in the changes.
    TookPart,
}

impl<'a> WhoCanJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.0";

    /// The facts as JSON.
    pub fn of(WhoCan { link, action, by }: WhoCan<'a>) -> Self {
        let (approval, right) = match by {
            WhoCanBy::Approvals { live, sha, rules } => {
                let (live, sha) = (live.map(CommitSha::as_str), sha.as_str());
                (Some(ApprovalJson { live, sha, rules: rules.iter().map(RuleJson::of).collect() }), None)
            }
            WhoCanBy::Right { right, everyone, people } => {
                let holder = |(name, roles): (&&'a PersonName, &BTreeSet<&'a RoleName>)| RightHolderJson {
                    name: name.as_str(),
                    roles: roles.iter().map(|role| role.as_str()).collect(),
                };
                let people = people.iter().map(holder).collect();
                (None, Some(RightJson { name: right.word(), everyone, people }))
            }
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            link: link.to_string(),
            action,
            approval,
            right,
        }
    }
}

impl<'a> RuleJson<'a> {
    fn of((rule, people, unknown): &'a RuleStandings<'a>) -> Self {
        let person = |(name, state): &(&'a PersonName, ApproverState)| ApproverJson {
            name: name.as_str(),
            state: (*state).into(),
        };
        Self {
            from: rule.from.iter().map(ToString::to_string).collect(),
            count: rule.count,
            independent_of: rule.independent_of.iter().map(|part: &Part| part.word()).collect(),
            people: people.iter().map(person).collect(),
            unknown,
        }
    }
}

impl From<ApproverState> for ApproverStateJson {
    fn from(state: ApproverState) -> Self {
        match state {
            ApproverState::Approved => Self::Approved,
            ApproverState::Able => Self::CanApprove,
            ApproverState::Dependent => Self::TookPart,
        }
    }
}
