//! What the planner decides, told as small worlds: one link, what the manifest wants, what is recorded, what runs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use insta::assert_snapshot;
use jiff::Timestamp;

use super::*;
use crate::domain::{
    Ask, AttemptNumber, CommitSha, Deploy, DeployOutcome, DeployPurpose, Event, Execution, Generation,
    Handle, Head, OnFailure, Outcome, Owner, Phase, PhaseKind, PhaseName, Recorded, Request, RequestId,
    RunId, RunOutcome, RunPhase, RunReason, Token, Workflow,
};
use crate::journal;
use crate::manifest::{Loaded, ManifestFiles, load};

const DESCRIPTION: &str = r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<hubtag>" } ] }"#;

struct OneFile(String);

impl ManifestFiles for OneFile {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn matching(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

/// One link, `dev/web`, with a workflow of build, deploy and verify.
struct World {
    loaded: Loaded,
    workflow: Arc<Workflow>,
    journal: Vec<Recorded>,
    runs: Option<char>,
    wants: char,
    holder: Holder,
    requests: Vec<Ask>,
}

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn name(text: &str) -> PhaseName {
    PhaseName::new(text).unwrap()
}

fn image(digit: char) -> BTreeMap<String, String> {
    [("web".to_owned(), format!("acme/web:{}", sha(digit)))].into()
}

fn owner() -> Owner {
    Owner { id: "o".into(), host: "h".into(), boot: None, pid: 7, started_ticks: None, actor: "ana".into() }
}

impl World {
    fn wants(digit: char) -> Self {
        Self::with(digit, "", OnFailure::Hold)
    }

    fn with(digit: char, extra: &str, on_failure: OnFailure) -> Self {
        let text = format!(
            "version = 1\n[repos.app]\nurl = \"/app\"\n[workflows.standard]\nphases = [\n{{ name = \"build\", order = 0 }},\n\
             {{ name = \"deploy\", order = 1, kind = \"deployment\" }},\n{{ name = \"verify\", order = 2 }},\n]\n\
             [tenants.dev.links.web]\nrepo = \"app\"\nworkflow = \"standard\"\nsha = \"{}\"\n{extra}",
            sha(digit)
        );
        let loaded = load(Path::new("/katkit.toml"), &OneFile(text)).unwrap();
        let phase = |text, order, kind| Phase { name: name(text), order, kind };
        let deploy = Deploy { on_failure, ..Deploy::default() };
        let workflow = Workflow::new(vec![
            phase("build", 0, PhaseKind::Execution(Execution::default())),
            phase("deploy", 1, PhaseKind::Deployment(deploy)),
            phase("verify", 2, PhaseKind::Execution(Execution::default())),
        ]);
        let workflow = Arc::new(workflow.unwrap());
        let (journal, requests) = (Vec::new(), Vec::new());
        Self { loaded, workflow, journal, runs: None, wants: digit, holder: Holder::Nobody, requests }
    }

    fn then(mut self, event: Event) -> Self {
        let generation = Generation(self.journal.len() as u64 + 1);
        self.journal.push(Recorded { generation, at: Timestamp::UNIX_EPOCH, by: "ana".into(), event });
        self
    }

    fn started(self, digit: char) -> Self {
        let phase =
            |text, order, deployment| RunPhase { name: name(text), order, deployment, skipped: false };
        let phases = vec![phase("build", 0, false), phase("deploy", 1, true), phase("verify", 2, false)];
        let run = RunId((self.journal.len() + 1).to_string());
        let workflow = self.workflow.digest();
        self.then(Event::RunStarted { run, sha: sha(digit), reason: RunReason::NewSha, phases, workflow })
    }

    fn flying(self, phase: &str, number: u32) -> Self {
        let (phase, attempt, token) = (name(phase), AttemptNumber(number), Token("t".into()));
        let handles = vec![Handle("h".into())];
        let intended = Event::AttemptIntended {
            phase: phase.clone(),
            attempt,
            token,
            replicas: 1,
            fleet: "process".into(),
        };
        self.then(intended).then(Event::AttemptLaunched { phase, attempt, handles })
    }

    fn attempted(self, phase: &str, number: u32, outcome: Outcome) -> Self {
        let (name, attempt) = (name(phase), AttemptNumber(number));
        self.flying(phase, number)
            .then(Event::AttemptEnded { phase: name.clone(), attempt, outcome })
            .then(Event::ServiceRemoved { phase: name, attempt })
    }

    fn deployed(mut self, digit: char) -> Self {
        let (token, sha, purpose) = (Token("d".into()), sha(digit), DeployPurpose::Upgrade);
        let (revision, outcome) = (format!("r{digit}"), DeployOutcome::Deployed);
        self.runs = Some(digit);
        self.then(Event::DeployIntended { token: token.clone(), purpose, sha, images: image(digit) })
            .then(Event::DeployIssued { token: token.clone(), deployment: "d".into() })
            .then(Event::DeployEnded { token, outcome, revision })
    }

    fn ended(self, run: usize, outcome: RunOutcome) -> Self {
        self.then(Event::RunEnded { run: RunId(run.to_string()), outcome })
    }

    fn live(self, digit: char) -> Self {
        let run = self.journal.len() + 1;
        self.started(digit)
            .attempted("build", 1, Outcome::Succeeded)
            .deployed(digit)
            .attempted("verify", 1, Outcome::Succeeded)
            .ended(run, RunOutcome::Succeeded)
    }

    fn running(mut self, digit: char) -> Self {
        self.runs = Some(digit);
        self
    }

    fn left_by_the_dead(mut self) -> Self {
        self.holder = Holder::Dead(owner());
        self
    }

    fn asked(mut self, ask: Ask) -> Self {
        self.requests.push(ask);
        self
    }

    fn head(&self) -> Head {
        journal::fold(&self.journal).unwrap()
    }

    fn input(&self, refresh_only: bool) -> PlanInput<'_> {
        let head = self.head();
        let known = head.deployed.as_ref().map(|deployed| deployed.images.clone());
        let observed = match self.runs {
            None => Observed::Absent,
            Some(digit) if known == Some(image(digit)) => Observed::AsDeployed,
            Some(digit) => Observed::Running {
                revision: format!("r{digit}"),
                images: image(digit),
                description: Some(DESCRIPTION.replace("<hubtag>", sha(digit).as_str())),
            },
        };
        let facts = CommitFacts {
            workflow: Arc::clone(&self.workflow),
            description: Some(DESCRIPTION.to_owned()),
            deployed_description: Some(DESCRIPTION.to_owned()),
            commits: Vec::new(),
            more_commits: 0,
            notes: Vec::new(),
        };
        let requests = self.requests.iter().enumerate().map(|(at, ask)| Request {
            id: RequestId(at.to_string()),
            link: "dev/web".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by: "ana".into(),
            why: None,
            ask: ask.clone(),
        });
        let link = LinkInput {
            id: "dev/web".parse().unwrap(),
            head,
            holder: self.holder.clone(),
            requests: requests.collect(),
            want: Some(Ok(sha(self.wants))),
            observed,
            facts: Some(Ok(facts)),
        };
        let digests = [("standard".parse().unwrap(), self.workflow.digest())].into();
        PlanInput {
            manifest: &self.loaded.manifest,
            links: vec![link],
            strays: Vec::new(),
            workflow_digests: digests,
            refresh_only,
        }
    }

    fn plan(&self) -> String {
        tell(&plan(&self.input(false)))
    }
}

/// Steps and holds in a word each.
fn tell(plan: &Plan) -> String {
    let Some(link) = plan.links.first() else { return "nothing to do".to_owned() };
    let steps = link.steps.iter().map(|step| match step {
        Step::Accept { request } => format!("accept {}", request.ask.word()),
        Step::Withdraw { why, .. } => format!("withdraw: {why}"),
        Step::Recover { phase, attempt } => format!("recover {phase} {attempt}"),
        Step::Settle { sha } => format!("settle {}", &sha.short()[..1]),
        Step::EndRun { outcome, .. } => format!("end {outcome:?}"),
        Step::StartRun { sha, .. } => format!("start {}", &sha.short()[..1]),
        Step::Skip { phase, .. } => format!("skip {phase}"),
        Step::Run { phase, because } => format!("run {}: {because:?}", phase.name),
        Step::Deploy(step) => format!("{:?} to {}", step.purpose, &step.to.short()[..1]),
        Step::Adopt { sha, .. } => format!("adopt {}", &sha.short()[..1]),
        Step::Quarantine { sha, .. } => format!("quarantine {}", &sha.short()[..1]),
        Step::Forget => "forget".to_owned(),
    });
    let holds = link.holds.iter().map(|hold| format!("! {}", hold.reason.describe()));
    steps.chain(holds).collect::<Vec<_>>().join("\n")
}

fn failed() -> Outcome {
    Outcome::Failed { exit_code: Some(3), reason: String::new() }
}

#[test]
fn a_sha_that_never_was_here_goes_through_the_whole_workflow() {
    assert_snapshot!(World::wants('a').plan(), @r"
    start a
    run build: NeverRan
    Upgrade to a
    run verify: NeverRan
    ");
}

#[test]
fn a_link_that_is_where_it_should_be_needs_nothing_and_no_look_into_its_repository() {
    let world = World::wants('a').live('a');
    assert_eq!(world.plan(), "nothing to do");
    assert!(!needs_commit(&world.input(false).links[0]));
    assert!(needs_commit(&World::wants('b').live('a').input(false).links[0]));
}

#[test]
fn what_a_dead_process_left_running_is_taken_over() {
    let world = World::wants('a').started('a').flying("build", 1).left_by_the_dead();
    assert_snapshot!(world.plan(), @r"
    run build: InFlight { attempt: AttemptNumber(1) }
    Upgrade to a
    run verify: NeverRan
    ");
}

#[test]
fn what_a_dead_process_left_running_for_another_sha_is_ended() {
    let world = World::wants('b').started('a').flying("build", 1).left_by_the_dead();
    assert_snapshot!(world.plan(), @r"
    recover build 1
    end Superseded
    start b
    run build: NeverRan
    Upgrade to b
    run verify: NeverRan
    ");
}

#[test]
fn a_failed_phase_holds_the_link_until_a_person_retries() {
    let world = World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed);
    assert_snapshot!(world.plan(), @"! `build` failed for aaaaaaaaaa: exit code 3");
    let world = world.asked(Ask::Retry { sha: sha('a'), phase: name("build") });
    assert_snapshot!(world.plan(), @r"
    accept retry
    run build: Retry
    Upgrade to a
    run verify: NeverRan
    ");
}

#[test]
fn a_wish_that_makes_no_sense_any_more_is_dropped_with_a_reason() {
    let world = World::wants('a').live('a').asked(Ask::Retry { sha: sha('b'), phase: name("build") });
    assert_snapshot!(world.plan(), @"withdraw: there is no run for bbbbbbbbbb");
}

#[test]
fn a_skip_may_be_asked_for_before_the_run_begins() {
    let world = World::wants('a').asked(Ask::Skip { sha: sha('a'), phase: name("verify") });
    assert_snapshot!(world.plan(), @r"
    start a
    accept skip
    run build: NeverRan
    Upgrade to a
    ");
}

#[test]
fn drift_is_repaired_and_other_edits_are_left_alone() {
    assert_snapshot!(World::wants('a').live('a').running('c').plan(), @"Repair to a");
    let mut edited = World::wants('a').live('a').input(false).links.remove(0);
    edited.observed = Observed::Running {
        revision: "other".into(),
        images: image('a'),
        description: Some(DESCRIPTION.into()),
    };
    let world = World::wants('a').live('a');
    let input = PlanInput { links: vec![edited], ..world.input(false) };
    assert_eq!(tell(&plan(&input)), "nothing to do");
}

#[test]
fn what_runs_already_is_adopted_before_anything_else() {
    assert_snapshot!(World::wants('a').running('a').plan(), @"adopt a");
    assert_snapshot!(World::wants('b').running('a').plan(), @r"
    adopt a
    start b
    run build: NeverRan
    Upgrade to b
    run verify: NeverRan
    ");
}

#[test]
fn refreshing_only_brings_the_record_in_line() {
    let world = World::wants('b').live('a').running('c');
    assert_eq!(tell(&plan(&world.input(true))), "adopt c");
}

#[test]
fn a_failure_after_the_deployment_rolls_back_where_the_workflow_says_so() {
    let world = World::with('b', "", OnFailure::Rollback).live('a');
    let planned = plan(&world.input(false));
    let contingency = planned.links[0].on_failure.as_ref().unwrap();
    assert_eq!((&contingency.from, &contingency.to), (&Some(sha('b')), &sha('a')));

    // Whoever should have done it died before.
    let run = world.journal.len() + 1;
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
    let world = world.attempted("verify", 1, failed()).ended(run, RunOutcome::Failed);
    let mut input = world.input(false);
    input.links[0].observed = Observed::Running {
        revision: "rb".into(),
        images: image('b'),
        description: Some(DESCRIPTION.replace("<hubtag>", sha('b').as_str())),
    };
    assert_snapshot!(tell(&plan(&input)), @r"
    quarantine b
    Rollback to a
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
}

#[test]
fn a_quarantined_sha_is_held_until_a_person_releases_it() {
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into() };
    let world = World::wants('b').live('a').then(quarantined);
    assert_snapshot!(world.plan(), @"! bbbbbbbbbb is quarantined since 1970-01-01 00:00 UTC: it broke");
    assert_snapshot!(world.asked(Ask::Release { sha: sha('b') }).plan(), @r"
    accept release
    start b
    run build: NeverRan
    Upgrade to b
    run verify: NeverRan
    ");
}

#[test]
fn another_process_at_work_holds_the_link() {
    let mut world = World::wants('a');
    world.holder = Holder::Other(owner());
    assert_snapshot!(world.plan(), @"! ana (process 7 on h) is working on it");
}

#[test]
fn equal_inputs_give_equal_plans() {
    let world = World::wants('b').live('a');
    assert_eq!(plan(&world.input(false)), plan(&world.input(false)));
}
