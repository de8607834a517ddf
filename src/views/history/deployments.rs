//! Deployments as text, one per line.

use std::fmt;

use super::links::block;
use super::words::authorized;
use crate::domain::{DeployPurpose, LinkId};
use crate::journal::Release;
use crate::views::moment::{lasted, second};
use crate::views::terminal::{clip, columns, hang};
use crate::views::{Style, TextStyle, visible};

/// Deployments of one or several links.
#[derive(Clone, Copy, Debug)]
pub struct DeploymentsText<'a> {
    /// The deployments, oldest first.
    pub deployments: &'a [(LinkId, Release)],
    /// Whether older deployments were left out.
    pub has_more: bool,
    /// Width and colour.
    pub style: Style,
}

/// The widest link name in its column. After a longer name, the rest continues on the next line.
const WIDEST_LINK: usize = 24;
/// The columns an outcome needs: `deployed after 1m 07s`.
const OUTCOME: usize = 21;
/// The widest name of an actor.
const WIDEST_WHO: usize = 12;

impl fmt::Display for DeploymentsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deployments, has_more, style } = *self;
        if deployments.is_empty() {
            return f.write_str(&hang("", 0, "No deployments recorded.", style));
        }
        if has_more {
            f.write_str(&hang("", 0, "… earlier deployments: use `-n` to show more", style))?;
            writeln!(f)?;
        }
        let links = deployments.iter().map(|(link, _)| columns(&link.to_string()));
        let link = links.filter(|width| *width <= WIDEST_LINK).max().unwrap_or(0).max(4);
        let actors = deployments.iter().map(|(_, release)| columns(&visible(&release.by.name)));
        let who = actors.max().unwrap_or(0).clamp(2, WIDEST_WHO);
        let indent = 19 + 2 + link + 2 + 10 + 2 + who + 2;
        // Wide enough that the shortest outcome is never wrapped.
        let is_table = style.columns() >= indent + OUTCOME;
        let header =
            format!("{:19}  {:link$}  {:10}  {:who$}  OUTCOME", "TIME (UTC)", "LINK", "COMMIT", "BY");
        if is_table {
            writeln!(f, "{}", style.paint(TextStyle::Bold, &header))?;
        }
        for (id, release) in deployments {
            let Release { sha, purpose, by, authorization, started, issued: _, ended } = release;
            let (mut id, by) = (id.to_string(), visible(&by.name));
            let outcome = match ended {
                None => "in progress".to_owned(),
                Some((at, outcome)) => format!("{} after {}", outcome.describe(), lasted(*started, *at)),
            };
            let outcome = match purpose {
                None => "adopted".to_owned(),
                Some(DeployPurpose::Upgrade) => outcome,
                Some(DeployPurpose::Repair) => format!("repair: {outcome}"),
                Some(DeployPurpose::Rollback) => format!("rollback: {outcome}"),
            };
            let outcome = format!("{outcome}{}", visible(&authorized(authorization.as_deref())));
            let sha = sha.short();
            if !is_table {
                f.write_str(&block(&format!("{}  ", second(*started)), 21, (&id, &by), style))?;
                let line = format!("{sha}: {outcome}");
                f.write_str(&hang("    ", 4, &line, style))?;
                continue;
            }
            if columns(&id) > link {
                id.push_str(&format!("\n{:1$}", "", 21 + link));
            }
            let by = clip(&by, who);
            let blank = who - columns(&by);
            let head = format!("{}  {id:link$}  {sha:10}  {by}{:blank$}  ", second(*started), "");
            f.write_str(&hang(&head, indent, &outcome, style))?;
        }
        if is_table {
            return Ok(());
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, "Times are in UTC.", style))
    }
}
