//! What makes no sense for links that test pull requests, and for those right behind them.

use super::diagnostic::{Diagnostic, Report};
use super::model::{Link, Manifest, Wanted};
use super::source::Span;
use crate::domain::{Checkout, LinkId, PhaseKind};
use crate::pipeline::{Pipeline, StageSource};

/// Reports settings of a link that no test of a pull request can meet. `span` is where its stage lists it.
pub(super) fn check(manifest: &Manifest, pipeline: &Pipeline, id: &LinkId, span: Span, report: &Report) {
    let Some((_, link)) = manifest.link(id) else { return };
    let policy = manifest.policy_of(id);
    if !pipeline.tests_pull_requests(id) {
        let after = pipeline.stage_of(id).map_or(&[][..], |stage| &stage.after);
        let tests = |stage: &&crate::pipeline::Stage| {
            stage.source == StageSource::PullRequests && after.contains(&stage.name)
        };
        if let (Some((name, _)), Some(stage)) =
            (policy.filter(|(_, policy)| policy.soak.is_some()), pipeline.stages.iter().find(tests))
        {
            let message = format!(
                "the policy `{name}` lets commits soak in the stage `{}`, which tests pull requests",
                stage.name
            );
            let help = "what is tested there does not stay; let commits soak in a stage between the two";
            report.add(Diagnostic::error(span, message).label("nothing soaks for this link").help(help));
        }
        return;
    }
    let refuse = |what: String, help: &str| {
        let message = format!("`{id}` tests pull requests, but {what}");
        report.add(Diagnostic::error(span, message).label("a stage of pull requests").help(help));
    };
    if let Some((name, policy)) = policy {
        let gate = [
            (!policy.approvals.is_empty(), "approvals"),
            (policy.review.is_some(), "review"),
            (policy.on_branch, "ancestry"),
            (policy.soak.is_some(), "soak"),
        ];
        for (_, gate) in gate.into_iter().filter(|(is_required, _)| *is_required) {
            let help = "give its tenant another policy; `katkit test` takes the right `request`";
            refuse(format!("the policy `{name}` requires `{gate}`"), help);
        }
    }
    if matches!(&link.want, Wanted::Pipeline { pin: Some(_), .. }) {
        refuse("it has a `pin`".to_owned(), "take the `pin` out");
    }
    if link.watch.is_some() {
        refuse("it has `watch`".to_owned(), "take `watch` out: a pull request is tested as a whole");
    }
    if let Some(phase) = cloning(manifest, link) {
        let help = "katkit makes the merge commit and pushes it nowhere; leave `checkout` out";
        refuse(format!("its phase `{phase}` has `checkout = \"clone\"`"), help);
    }
}

/// A phase that would clone the merge commit.
fn cloning<'m>(manifest: &'m Manifest, link: &Link) -> Option<&'m crate::domain::PhaseName> {
    let workflow = manifest.workflows.get(link.workflow.as_ref()?)?;
    let clones = |kind: &PhaseKind| matches!(kind, PhaseKind::Execution(it) if matches!(it.checkout, Checkout::Clone { .. }));
    workflow.phases().iter().find(|phase| clones(&phase.kind)).map(|phase| &phase.name)
}
