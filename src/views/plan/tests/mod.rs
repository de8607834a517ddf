//! Plans built by hand so that every step and hold occurs.

mod json;
mod markdown;
mod text;

use std::time::Duration;

use crate::domain::{
    AttemptNumber, CommitSha, DeployPurpose, Execution, Generation, Handle, LinkId, OnFailure, Phase,
    PhaseKind, PhaseName, Request, RequestId, RequestKind, RunId, RunOutcome, RunPhase, RunReason, Strategy,
    Token,
};
use crate::plan::{
    CommitLine, DeployStep, Hold, HoldReason, HoldScope, ImageChange, LinkPlan, OrphanedService, Plan,
    Problem, Step, StepReason,
};
use crate::policy::Zone;

/// Everything hostile that untrusted text may contain, in one line.
const HOSTILE: &str = "\x1b[2J</code></details><img src=x onerror=alert(1)> | ``` @acme/all #1 [x](https://x.io) \u{202e}txt\n# H";

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn phase_name(name: &str) -> PhaseName {
    PhaseName::new(name).unwrap()
}

fn plan(links: Vec<LinkPlan>) -> Plan {
    let manifest = "m".repeat(64);
    Plan { version: Plan::VERSION, manifest, refresh_only: false, links, sweeps: Vec::new(), up_to_date: 9 }
}

/// A link with `1…` deployed and `2…` wanted.
fn link(id: &str, steps: Vec<Step>) -> LinkPlan {
    LinkPlan {
        base: Generation(7),
        deployed: Some(sha('1')),
        want: Some(sha('2')),
        ..LinkPlan::with_steps(id, steps)
    }
}

fn start(reason: RunReason, phases: &[(&str, i64, bool)]) -> Step {
    let phase = |&(name, order, skipped): &(&str, i64, bool)| RunPhase {
        skipped,
        ..RunPhase::of(phase_name(name), order, name == "deploy")
    };
    Step::StartRun {
        sha: sha('2'),
        reason,
        phases: phases.iter().map(phase).collect(),
        workflow: "w1".to_owned(),
        test: None,
        grants: None,
    }
}

fn run(name: &str, order: i64, parallelism: u32, because: StepReason) -> Step {
    let kind = PhaseKind::Execution(Execution { parallelism, ..Execution::default() });
    Step::Run { phase: Box::new(Phase { name: phase_name(name), order, kind }), because }
}

fn deployment(purpose: DeployPurpose) -> DeployStep {
    let image = |digit| format!("acme/web:{}", sha(digit));
    DeployStep {
        phase: (purpose == DeployPurpose::Upgrade).then(|| phase_name("deploy")),
        order: 1,
        purpose,
        from: Some(sha('1')),
        to: sha('2'),
        images: vec![ImageChange { role: "web".to_owned(), from: Some(image('1')), to: image('2') }],
        pinned: false,
        description: "THE WHOLE DESCRIPTION".to_owned(),
        diff: format!(
            "--- a/s.js\n+++ b/s.js\n@@ -4 +4 @@\n-      \"DockerImage\": \"{}\",\n+      \"DockerImage\": \"{}\",\n",
            image('1'),
            image('2')
        ),
        commits: Vec::new(),
        more_commits: 0,
        strategy: Strategy::Ordered,
        timeout: Duration::from_mins(30),
        on_failure: OnFailure::Hold,
        barrier: None,
    }
}

fn deploy(purpose: DeployPurpose) -> Step {
    Step::Deploy(Box::new(deployment(purpose)))
}

fn commit(digit: char, subject: &str) -> CommitLine {
    CommitLine { sha: sha(digit), author: "Ann Lee".to_owned(), subject: subject.to_owned() }
}

fn request(ask: RequestKind, why: Option<&str>) -> Request {
    Request {
        id: RequestId("r-1".to_owned()),
        link: "dev/shop".parse().unwrap(),
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        by: "ann".into(),
        why: why.map(str::to_owned),
        ask,
    }
}

/// The usual plan: a commit runs through its workflow.
fn ordinary(id: &str) -> LinkPlan {
    let deployment = DeployStep {
        commits: "abcdefg".chars().map(|digit| commit(digit.min('f'), &format!("change {digit}"))).collect(),
        more_commits: 10,
        ..deployment(DeployPurpose::Upgrade)
    };
    link(
        id,
        vec![
            start(
                RunReason::NewSha,
                &[
                    ("build", 0, false),
                    ("lint", 0, false),
                    ("scan", 0, true),
                    ("deploy", 1, false),
                    ("verify", 2, false),
                ],
            ),
            run("build", 0, 1, StepReason::NotRunYet),
            run("lint", 0, 1, StepReason::NotRunYet),
            Step::Deploy(Box::new(deployment)),
            run("verify", 2, 4, StepReason::NotRunYet),
        ],
    )
}

/// Every kind of step, in a combination that could not really occur.
fn every_step() -> LinkPlan {
    let images = [("web".to_owned(), format!("acme/web:{}", sha('3')))];
    let asks = [
        (RequestKind::Retry { sha: sha('2'), phase: phase_name("build") }, Some("flaky network")),
        (RequestKind::Skip { sha: sha('2'), phase: phase_name("verify") }, None),
        (RequestKind::Cancel { sha: sha('2') }, None),
        (RequestKind::Rollback { from: sha('2'), to: sha('1') }, None),
        (RequestKind::Release { sha: sha('2') }, None),
    ];
    let mut steps: Vec<_> =
        asks.into_iter().map(|(ask, why)| Step::Accept { request: request(ask, why) }).collect();
    steps.extend([
        Step::Refuse {
            request: request(RequestKind::Cancel { sha: sha('1') }, None),
            why: "no run is in progress".to_owned(),
        },
        Step::Recover { phase: phase_name("build"), attempt: AttemptNumber(2) },
        Step::Finalize { sha: sha('2') },
        Step::ReleaseLease { owner: "ana (process 7 on h)".to_owned() },
        Step::EndRun {
            run: RunId("6".to_owned()),
            sha: sha('1'),
            outcome: RunOutcome::Superseded,
            because: None,
        },
        Step::Adopt { sha: sha('3'), images: images.into_iter().collect(), revision: "rev-3".to_owned() },
        start(RunReason::Retry, &[("build", 0, false), ("smoke", 3, true)]),
        Step::Skip { phase: phase_name("verify"), sha: sha('2') },
        run("build", 0, 1, StepReason::Retry),
        run("unit", 1, 2, StepReason::Lost),
        run("integration", 2, 1, StepReason::Interrupted),
        run("browser", 3, 16, StepReason::InFlight { attempt: AttemptNumber(2) }),
        deploy(DeployPurpose::Repair),
        Step::Quarantine { sha: sha('2'), why: "it lost orders".to_owned(), good: None, alone: false },
        deploy(DeployPurpose::Rollback),
        Step::Forget,
        Step::Move { from: "old/shop".parse().unwrap(), base: Generation(7), takes_over: None },
    ]);
    link("dev/shop", steps)
}

fn every_hold(id: &str) -> LinkPlan {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let problem = Problem { what: "branch `man` is not in the repository".to_owned(), hint: None };
    let holds = [
        (
            HoldReason::PhaseFailed {
                phase: phase_name("build"),
                sha: sha('2'),
                outcome: "exit code 3".to_owned(),
            },
            Some(format!("`katkit why {id}` shows the log; `katkit retry {id}` tries again from `build`")),
        ),
        (
            HoldReason::Cancelled {
                sha: sha('2'),
                at: Some(at),
                by: Some("by bob (wrong branch)".to_owned()),
            },
            Some(format!("`katkit retry {id}` resumes it")),
        ),
        (
            HoldReason::LeaseHeld { owner: "ann (process 7 on laptop)".to_owned() },
            Some(format!("wait for it, or `katkit cancel {id}`")),
        ),
        (HoldReason::Quarantined { sha: sha('2'), since: at, why: "it lost orders".to_owned() }, None),
        (
            HoldReason::MoveWaits {
                from: "old/shop".parse().unwrap(),
                because: "ann (process 7 on laptop) is working on it".to_owned(),
            },
            Some("wait for it, then apply again".to_owned()),
        ),
        (HoldReason::OutsideWindows { policy: "office".parse().unwrap(), opens: None }, None),
        (HoldReason::Unavailable(problem), Some("`git ls-remote` shows which there are".to_owned())),
    ];
    let hold = |(reason, hint)| Hold { scope: HoldScope::Link, reason, hint, until: None };
    let holds = holds.into_iter().map(hold).collect();
    LinkPlan { holds, notes: vec!["the workflow was edited".to_owned()], ..link(id, Vec::new()) }
}

/// A link whose build runs, and whose deployment waits.
fn waiting(id: &str) -> LinkPlan {
    let LinkPlan { mut steps, .. } = ordinary(id);
    steps.truncate(2);
    let until = Zone::UTC.at("2026-01-05T08:00:00Z".parse().unwrap());
    let (policy, why) = ("office".parse().unwrap(), Some("it is Friday".to_owned()));
    let reason = HoldReason::Frozen { policy, why, until: until.clone() };
    let (scope, hint) =
        (HoldScope::Phase { name: phase_name("deploy") }, Some("wait until Monday".to_owned()));
    LinkPlan { holds: vec![Hold { scope, reason, hint, until: Some(until) }], ..link(id, steps) }
}

/// A link with drift, whose repair waits.
fn drifted(id: &str) -> LinkPlan {
    let LinkPlan { mut holds, .. } = waiting(id);
    holds[0].scope = HoldScope::Repair;
    LinkPlan { holds, ..link(id, Vec::new()) }
}

fn orphan(number: usize) -> OrphanedService {
    OrphanedService {
        fleet: "shared".parse().unwrap(),
        handle: Handle(format!("/var/tmp/katkit/{number:04}")),
        token: Token(format!("{number:032x}-0")),
        link: number.is_multiple_of(2).then(|| "dev/shop".parse().unwrap()),
    }
}

/// Hostile text wherever text is untrusted.
fn hostile() -> Plan {
    let text = HOSTILE.to_owned();
    let deployment = DeployStep {
        images: vec![ImageChange { role: text.clone(), from: Some(text.clone()), to: text.clone() }],
        diff: format!("--- a/s\n+++ b/s\n@@ -1 +1 @@\n-``` {text}\n+\x1b]0;x\x07{text}\r\n"),
        commits: vec![CommitLine { author: text.clone(), ..commit('a', &text) }],
        ..deployment(DeployPurpose::Upgrade)
    };
    let printable: String = HOSTILE.chars().filter(|c| !c.is_control() && *c != '/').take(100).collect();
    let step = run(&printable, 0, 2, StepReason::NotRunYet);
    let retry = RequestKind::Retry { sha: sha('2'), phase: phase_name(&printable) };
    let asked = Step::Refuse {
        request: Request { by: text.as_str().into(), ..request(retry, Some(&text)) },
        why: text.clone(),
    };
    let quarantine = Step::Quarantine { sha: sha('2'), why: text.clone(), good: None, alone: false };
    let images = [(text.clone(), text.clone())].into_iter().collect();
    let adopt = Step::Adopt { sha: sha('3'), images, revision: text.clone() };
    let same_diff = DeployStep { diff: String::new(), ..deployment.clone() };
    let steps = vec![
        asked,
        adopt,
        quarantine,
        step,
        Step::Deploy(Box::new(deployment)),
        Step::Deploy(Box::new(same_diff)),
    ];
    let holds = vec![
        Hold {
            scope: HoldScope::Phase { name: phase_name(&printable) },
            reason: HoldReason::Unavailable(Problem { what: text.clone(), hint: None }),
            hint: Some(text.clone()),
            until: None,
        },
        Hold {
            scope: HoldScope::Link,
            reason: HoldReason::LeaseHeld { owner: text.clone() },
            hint: None,
            until: None,
        },
    ];
    let link = LinkPlan { holds, notes: vec![text.clone()], ..link("dev/shop", steps) };
    let sweep = OrphanedService {
        fleet: "shared".parse().unwrap(),
        handle: Handle(text.clone()),
        token: Token(text),
        link: None,
    };
    Plan { sweeps: vec![sweep], ..plan(vec![link]) }
}

fn all_kinds() -> Plan {
    let links = vec![ordinary("beta/shop"), every_step(), every_hold("prod/shop")];
    Plan { sweeps: vec![orphan(0), orphan(1)], ..plan(links) }
}

fn many(count: usize) -> Plan {
    let ids = (0..count).map(|number| format!("tenant-{number}/shop"));
    plan(ids.map(|id| LinkPlan { holds: every_hold(&id).holds, ..ordinary(&id) }).collect())
}

fn ids(plan: &Plan) -> impl Iterator<Item = &LinkId> {
    plan.links.iter().map(|link| &link.link)
}
