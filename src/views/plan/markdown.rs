//! A plan as Markdown for a pull request.

use std::fmt;

use super::changes::changes;
use super::counts::{Counts, number};
use super::group::{Group, grouped};
use super::markup::{code, fenced, prose};
use super::story::{ChangeMark, Entry, course, entries, held};
use crate::domain::LinkId;
use crate::plan::{CommitLine, DeployStep, LinkPlan, OrphanedService, Plan};

/// A plan as a comment on a pull request: a sentence, a table of the links, and folded details below it. Links with the
/// same content share a row and their details.
///
/// Text from repositories and users is escaped, so that it is only ever text. The comment is never longer than
/// [`PlanMarkdown::LONGEST`] bytes: what does not fit is left out at the end, and the comment says so.
#[derive(Clone, Copy, Debug)]
pub struct PlanMarkdown<'a> {
    /// The plan to show.
    pub plan: &'a Plan,
}

/// The longest table in bytes, to leave room for details.
const LONGEST_TABLE: usize = 40_000;
/// The longest list of the links of a group, in bytes.
const LONGEST_LIST: usize = 6_000;
/// The most of a diff that is shown, in bytes.
const LONGEST_DIFF: usize = 8_000;
/// Bytes reserved for the sentences on what was left out.
const RESERVE: usize = 1_000;
/// The longest name that is not cut, in columns.
const LONGEST_NAME: usize = 40;
/// The longest line that is not cut, in columns.
const LONGEST_LINE: usize = 120;
/// Longer than any id, so that none is cut.
const LONGEST_ID: usize = 160;
/// The most phases in a cell, links in a summary, and commits or services in a list.
const FEW: usize = 8;

impl PlanMarkdown<'_> {
    /// The longest comment, in bytes. GitHub refuses more than 65 536 characters
    /// (<https://github.com/dead-claudia/github-limits>).
    pub const LONGEST: usize = 60_000;
}

impl fmt::Display for PlanMarkdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { version: _, manifest: _, refresh_only: _, links, sweeps, up_to_date: _ } = self.plan;
        let mut page = format!("### katkit plan\n\n**{}**\n", Counts::of(self.plan));
        table(links, &mut page);
        let mut left_out = 0;
        for Group { ids, told } in grouped(links, details) {
            let section = folded(&names(&ids), &(all(&ids) + &told));
            if left_out > 0 || page.len() + section.len() + RESERVE > Self::LONGEST {
                left_out += ids.len();
            } else {
                page.push_str(&section);
            }
        }
        let mut missing = Vec::new();
        if left_out > 0 {
            missing.push(format!("the details of {}", number(left_out, "link")));
        }
        if !sweeps.is_empty() {
            let section = folded("Orphaned services", &orphans(sweeps));
            if left_out > 0 || page.len() + section.len() + RESERVE > Self::LONGEST {
                missing.push(format!("the list of {}", number(sweeps.len(), "orphaned service")));
            } else {
                page.push_str(&section);
            }
        }
        if !missing.is_empty() {
            let missing = missing.join(" and ");
            page.push_str(&format!(
                "\nLeft out because the comment is full: {missing}. `katkit plan` shows them.\n"
            ));
        }
        f.write_str(&page)
    }
}

fn table(links: &[LinkPlan], page: &mut String) {
    if links.is_empty() {
        return;
    }
    page.push_str("\n| Link | Commit | Phases | Deployment | Held |\n| --- | --- | --- | --- | --- |\n");
    let groups = grouped(links, |link, _| cells(link));
    for (at, Group { ids, told }) in groups.iter().enumerate() {
        if page.len() > LONGEST_TABLE {
            let more = groups[at..].iter().map(|group| group.ids.len()).sum();
            page.push_str(&format!("\nLeft out of the table: {}.\n", number(more, "more link")));
            return;
        }
        page.push_str(&format!("| {} | {told} |\n", names(ids)));
    }
}

/// The cells in the row of a link, except its name.
fn cells(link: &LinkPlan) -> String {
    let entries = entries(link);
    let (deployments, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.deploy.is_some());
    let runs: Vec<_> =
        others.iter().filter(|entry| entry.mark == ChangeMark::Run).map(|entry| name(entry)).collect();
    let mut phases = runs.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    if runs.len() > FEW {
        phases.push_str(&format!(" and {} more", runs.len() - FEW));
    }
    let deployments: Vec<_> = deployments.iter().map(|entry| entry.verb).collect();
    let held = link.holds.first().map(|hold| prose(&short(&hold.describe()))).unwrap_or_default();
    [course(link), phases, deployments.join(", "), held].join(" | ")
}

fn short(text: &str) -> String {
    crate::views::terminal::clip(text, LONGEST_LINE).into_owned()
}

/// The phase and its replicas.
fn name(entry: &Entry<'_>) -> String {
    let mut name = entry.phase.map(|phase| code(phase, LONGEST_NAME)).unwrap_or_default();
    if entry.replicas > 1 {
        name.push_str(&format!(" ×{}", entry.replicas));
    }
    name
}

fn names(ids: &[&LinkId]) -> String {
    let mut names: Vec<_> = ids.iter().take(FEW).map(|id| code(&id.to_string(), LONGEST_ID)).collect();
    if ids.len() > FEW {
        names.push(format!("and {} more", ids.len() - FEW));
    }
    names.join(" ")
}

/// All links of a group, if the summary names only some.
fn all(ids: &[&LinkId]) -> String {
    if ids.len() <= FEW {
        return String::new();
    }
    let mut all = format!("{}:", number(ids.len(), "link"));
    for (at, id) in ids.iter().enumerate() {
        if all.len() > LONGEST_LIST {
            all.push_str(&format!(" and {} more", ids.len() - at));
            break;
        }
        all.push_str(&format!(" {}", code(&id.to_string(), LONGEST_ID)));
    }
    all + "\n\n"
}

fn folded(summary: &str, body: &str) -> String {
    // The empty lines delimit what GitHub parses as HTML.
    format!("\n<details><summary>{summary}</summary>\n\n{body}\n</details>\n")
}

fn details(link: &LinkPlan, called: &str) -> String {
    let LinkPlan {
        link: id,
        base: _,
        concern: _,
        takes_over: _,
        deployed: _,
        want: _,
        steps: _,
        on_failure: _,
        holds,
        notes,
        rolled_back_elsewhere: _,
        rejections: _,
        waived: _,
        approval: _,
        unpinned: _,
        reviewed: _,
        landed: _,
    } = link;
    let mut body = match course(link) {
        course if course.is_empty() => course,
        course => format!("{course}\n\n"),
    };
    for entry in entries(link) {
        let name = name(&entry);
        let Entry { mark: _, verb, phase: _, replicas: _, detail, deploy } = entry;
        let space = if name.is_empty() { "" } else { " " };
        let colon = if detail.is_empty() { "" } else { ": " };
        body.push_str(&format!("- **{verb}**{space}{name}{colon}{}\n", prose(&detail)));
        if let Some(deploy) = deploy {
            body.push_str(&deployment(deploy));
        }
    }
    for hold in holds {
        let (word, reason, hint) = held(hold, id, called);
        body.push_str(&format!("- **{word}**: {}\n", prose(&reason)));
        if let Some(hint) = hint {
            body.push_str(&format!("  - hint: {}\n", prose(&hint)));
        }
    }
    for note in notes {
        body.push_str(&format!("- note: {}\n", prose(note)));
    }
    body
}

fn deployment(deploy: &DeployStep) -> String {
    let DeployStep {
        // Shown by the entry itself.
        phase: _,
        order: _,
        purpose: _,
        from: _,
        to: _,
        strategy: _,
        on_failure: _,
        images,
        // The policy's; the images show it.
        pinned: _,
        // The diff shows what matters of it.
        description: _,
        diff,
        commits,
        more_commits,
        timeout: _,
        // A note says so.
        barrier: _,
    } = deploy;
    let mut body = String::new();
    for image in images.iter().take(FEW) {
        let from = image.from.as_deref().map_or("nothing".to_owned(), |from| code(from, LONGEST_LINE));
        let (role, to) = (code(&image.role, LONGEST_NAME), code(&image.to, LONGEST_LINE));
        body.push_str(&format!("  - {role}: {from} → {to}\n"));
    }
    if images.len() > FEW {
        body.push_str(&format!("  - … and {}\n", number(images.len() - FEW, "more role")));
    }
    let (changes, _) = changes(diff, usize::MAX);
    if !changes.is_empty() {
        let (block, more) = fenced(&changes, LONGEST_DIFF);
        body.push_str(&format!("\n{block}\n"));
        if more > 0 {
            body.push_str(&format!("… and {} of the diff\n\n", number(more, "more line")));
        }
    }
    for CommitLine { sha, author, subject } in commits.iter().take(FEW) {
        let (author, subject) = (code(author, LONGEST_NAME), code(subject, LONGEST_LINE));
        body.push_str(&format!("- `{}` {subject} by {author}\n", sha.short()));
    }
    let more = commits.len().saturating_sub(FEW) + more_commits;
    if more > 0 {
        body.push_str(&format!("- … and {}\n", number(more, "more commit")));
    }
    body
}

fn orphans(sweeps: &[OrphanedService]) -> String {
    let mut body = String::new();
    for OrphanedService { fleet, handle, token: _, link } in sweeps.iter().take(FEW) {
        let whose = link.as_ref().map(|link| format!(", left by `{link}`")).unwrap_or_default();
        let (handle, fleet) = (code(handle.as_str(), LONGEST_LINE), code(fleet.as_str(), LONGEST_NAME));
        body.push_str(&format!("- remove {handle} from fleet {fleet}{whose}\n"));
    }
    if sweeps.len() > FEW {
        body.push_str(&format!("- … and {} more\n", sweeps.len() - FEW));
    }
    body
}
