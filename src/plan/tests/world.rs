//! Small worlds: one link, what the manifest wants, what is recorded, what runs. And a short text for each step of a
//! plan.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{
    AttemptNumber, CommitSha, Deploy, DeployOutcome, DeployPurpose, DeploymentName, Epoch, Event, Execution,
    Generation, Handle, Head, ImageDigest, Images, Lease, OnFailure, Outcome, Owner, Phase, PhaseKind,
    PhaseName, RecordedEvent, Request, RequestId, RequestKind, RunId, RunOutcome, RunPhase, RunReason, Token,
    Workflow,
};
use crate::journal;
use crate::manifest::{Loaded, one_file};
use crate::plan::*;
use crate::policy::{DailyLimit, Zone};

pub(super) const DESCRIPTION: &str =
    r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<hubtag>" } ] }"#;

/// One link, `dev/web`, with a workflow of build, deploy and verify.
pub(super) struct World {
    pub(super) loaded: Loaded,
    pub(super) workflow: Arc<Workflow>,
    pub(super) journal: Vec<RecordedEvent>,
    pub(super) runs: Option<char>,
    pub(super) wants: char,
    pub(super) holder: Holder,
    pub(super) requests: Vec<RequestKind>,
    /// The rolled-back commits that the wanted commit contains.
    pub(super) taints: Vec<Taint>,
    /// The problem of the wanted commit.
    pub(super) broken: Option<Problem>,
    /// The service description of the wanted commit.
    pub(super) description: &'static str,
    /// What the registry has of the image of the wanted commit, if it was asked.
    pub(super) registry: Option<Result<Option<ImageDigest>, Problem>>,
    /// Whether the git host can be reached.
    pub(super) git: bool,
    /// Whether no person runs katkit.
    pub(super) unattended: bool,
    /// The tenant's policy freezes deployments from Friday 16:00 to Monday 08:00.
    pub(super) now: Timestamp,
}

pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn name(text: &str) -> PhaseName {
    PhaseName::new(text).unwrap()
}

pub(super) fn image(digit: char) -> Images {
    Images::from_iter([("web".to_owned(), format!("acme/web:{}", sha(digit)))])
}

pub(super) fn owner() -> Owner {
    Owner { id: "o".into(), host: "h".into(), boot: None, pid: 7, started_ticks: None, actor: "ana".into() }
}

impl World {
    pub(super) fn wants(digit: char) -> Self {
        Self::with(digit, "", OnFailure::Hold)
    }

    pub(super) fn with(digit: char, extra: &str, on_failure: OnFailure) -> Self {
        Self::new(digit, &format!("sha = \"{}\"\n{extra}", sha(digit)), on_failure)
    }

    /// The link follows a branch.
    pub(super) fn following(extra: &str, on_failure: OnFailure) -> Self {
        Self::new('2', &format!("branch = \"main\"\n{extra}"), on_failure)
    }

    fn new(digit: char, commit: &str, on_failure: OnFailure) -> Self {
        let text = format!(
            "version = 1\n[repos.app]\nurl = \"/app\"\n[workflows.standard]\nphases = [\n{{ name = \"build\", order = 0 }},\n\
             {{ name = \"deploy\", order = 1, kind = \"deployment\" }},\n{{ name = \"verify\", order = 2 }},\n]\n\
             [policies.office]\nfreeze = [{{ start = \"fri 16:00\", end = \"mon 08:00\", zone = \"UTC\", why = \"it is Friday\" }}]\n\
             [tenants.dev]\npolicy = \"office\"\n[tenants.dev.links.web]\nrepo = \"app\"\nworkflow = \"standard\"\n{commit}"
        );
        let loaded = one_file::loaded(&text);
        let phase = |text, order, kind| Phase { name: name(text), order, kind };
        let deploy = Deploy { on_failure, ..Deploy::default() };
        let workflow = Workflow::new(vec![
            phase("build", 0, PhaseKind::Execution(Execution::default())),
            phase("deploy", 1, PhaseKind::Deployment(deploy)),
            phase("verify", 2, PhaseKind::Execution(Execution::default())),
        ]);
        let workflow = Arc::new(workflow.unwrap());
        let (journal, requests) = (Vec::new(), Vec::new());
        Self {
            loaded,
            workflow,
            journal,
            runs: None,
            wants: digit,
            holder: Holder::Nobody,
            requests,
            taints: Vec::new(),
            broken: None,
            description: DESCRIPTION,
            registry: None,
            git: true,
            unattended: false,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    pub(super) fn then(mut self, event: Event) -> Self {
        let generation = Generation(self.journal.len() as u64 + 1);
        let (at, by) = (Timestamp::UNIX_EPOCH, "ana".into());
        self.journal.push(RecordedEvent { generation, at, by, event, previous: None });
        self
    }

    pub(super) fn started(self, digit: char) -> Self {
        let phase = |phase: &Phase| RunPhase::of(phase.name.clone(), phase.order, phase.is_deployment());
        let phases = self.workflow.phases().iter().map(phase).collect();
        let run = RunId((self.journal.len() + 1).to_string());
        let workflow = self.workflow.digest();
        self.then(Event::RunStarted {
            run,
            sha: sha(digit),
            reason: RunReason::NewSha,
            phases,
            workflow,
            test: None,
            authorization: None,
            saved_plan: None,
        })
    }

    pub(super) fn flying(self, phase: &str, number: u32) -> Self {
        let (phase, attempt, token) = (name(phase), AttemptNumber(number), Token("t".into()));
        let handles = vec![Handle("h".into())];
        let intended = Event::AttemptIntended {
            phase: phase.clone(),
            attempt,
            token,
            replicas: 1,
            fleet: "process".parse().unwrap(),
            saved_plan: None,
        };
        self.then(intended).then(Event::AttemptLaunched { phase, attempt, handles })
    }

    pub(super) fn attempted(self, phase: &str, number: u32, outcome: Outcome) -> Self {
        let (name, attempt) = (name(phase), AttemptNumber(number));
        self.flying(phase, number)
            .then(Event::AttemptEnded { phase: name.clone(), attempt, outcome })
            .then(Event::ServiceRemoved { phase: name, attempt })
    }

    pub(super) fn deployed(mut self, digit: char) -> Self {
        self.runs = Some(digit);
        self.deploying(digit, DeployOutcome::Deployed)
    }

    pub(super) fn deploying(self, digit: char, outcome: DeployOutcome) -> Self {
        let (token, sha, purpose) = (Token("d".into()), sha(digit), DeployPurpose::Upgrade);
        let revision = format!("r{digit}");
        self.then(Event::DeployIntended {
            token: token.clone(),
            purpose,
            sha,
            images: image(digit),
            barrier: None,
            authorization: None,
            saved_plan: None,
        })
        .then(Event::DeployIssued { token: token.clone(), deployment: DeploymentName("d".into()) })
        .then(Event::DeployEnded { token, outcome, revision })
    }

    pub(super) fn ended(self, run: usize, outcome: RunOutcome) -> Self {
        let ended = self.then(Event::RunEnded { run: RunId(run.to_string()), outcome, because: None });
        match journal::verification(&ended.head()) {
            Some(verified) => ended.then(verified),
            None => ended,
        }
    }

    pub(super) fn live(self, digit: char) -> Self {
        let run = self.journal.len() + 1;
        self.started(digit)
            .attempted("build", 1, Outcome::Succeeded)
            .deployed(digit)
            .attempted("verify", 1, Outcome::Succeeded)
            .ended(run, RunOutcome::Succeeded)
    }

    pub(super) fn running(mut self, digit: char) -> Self {
        self.runs = Some(digit);
        self
    }

    pub(super) fn left_by_the_dead(mut self) -> Self {
        self.holder = Holder::Dead(Box::new(owner()));
        self
    }

    pub(super) fn lease() -> Lease {
        Lease { epoch: Epoch(3), beat: 5, owner: Some(owner()), duration: Duration::from_secs(30) }
    }

    pub(super) fn requested(mut self, kind: RequestKind) -> Self {
        self.requests.push(kind);
        self
    }

    /// A run deployed the commit, and its process died before it recorded the end of the deployment.
    pub(super) fn deployment_in_flight(mut self, digit: char) -> Self {
        self = self.deploying(digit, DeployOutcome::Deployed);
        self.journal.pop();
        self
    }

    /// On Friday evening.
    pub(super) fn at_a_closed_gate(mut self) -> Self {
        self.now = "2026-01-02T17:00:00Z".parse().unwrap();
        self
    }

    /// Besides its freeze, the policy allows so many deployments a day.
    pub(super) fn with_a_daily_limit(mut self, count: u32) -> Self {
        let policies = self.loaded.manifest.policies.values_mut();
        policies.for_each(|policy| {
            Arc::make_mut(policy).per_day = Some(DailyLimit { count, zone: Zone::UTC, why: None });
        });
        self
    }

    /// The policy demands deployments by digest.
    pub(super) fn pinned(mut self) -> Self {
        self.loaded.manifest.policies.values_mut().for_each(|policy| Arc::make_mut(policy).pinned = true);
        self
    }

    pub(super) fn unattended(mut self) -> Self {
        self.unattended = true;
        self
    }

    /// Another workflow, as names, orders and whether the phase is the deployment.
    pub(super) fn with_phases(mut self, phases: &[(&str, i64, bool)]) -> Self {
        let phase = |&(text, order, deployment): &(&str, i64, bool)| Phase {
            name: name(text),
            order,
            kind: match deployment {
                true => PhaseKind::Deployment(Deploy::default()),
                false => PhaseKind::Execution(Execution::default()),
            },
        };
        self.workflow = Arc::new(Workflow::new(phases.iter().map(phase).collect()).unwrap());
        self
    }

    pub(super) fn without_git(mut self) -> Self {
        self.git = false;
        self
    }

    pub(super) fn with_a_broken_commit(mut self) -> Self {
        self.broken = Some(Problem { what: "its workflow cannot be read".to_owned(), hint: None });
        self
    }

    pub(super) fn with_a_broken_description(mut self) -> Self {
        self.description = "{";
        self
    }

    pub(super) fn head(&self) -> Head {
        journal::fold(&self.journal).unwrap()
    }

    pub(super) fn input(&self, refresh_only: bool) -> PlanInput<'_> {
        let head = self.head();
        let known = head.deployed.as_ref().map(|deployed| deployed.images.clone());
        let observed = match self.runs {
            None => Observed::Absent,
            // What runs is gathered in full if the commit is needed, or if a request must be decided without it.
            Some(digit)
                if known == Some(image(digit))
                    && self.broken.is_none()
                    && (self.git || self.requests.is_empty()) =>
            {
                Observed::AsDeployed
            }
            Some(digit) => Observed::Running {
                revision: format!("r{digit}"),
                images: image(digit),
                description: Some(DESCRIPTION.replace("<hubtag>", sha(digit).as_str())),
                left: Vec::new(),
            },
        };
        let facts = Arc::new(CommitFacts {
            workflow: Arc::clone(&self.workflow),
            description: Some(self.description.to_owned()),
            roles: vec!["web".to_owned()],
            deployed_description: Some(DESCRIPTION.to_owned()),
            commits: Vec::new(),
            more_commits: 0,
            barrier: None,
            taints: self.taints.clone(),
            notes: Vec::new(),
        });
        let requests = self.requests.iter().enumerate().map(|(at, ask)| Request {
            id: RequestId(at.to_string()),
            link: "dev/web".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by: "ana".into(),
            why: None,
            ask: ask.clone(),
        });
        let link = LinkInput {
            changes: None,
            added: None,
            owed_reviews: Vec::new(),
            pipeline: None,
            waits: None,
            id: "dev/web".parse().unwrap(),
            head: Box::new(head),
            renamed: None,
            watched: None,
            holder: self.holder.clone(),
            damage: None,
            lease: (self.holder != Holder::Nobody).then(|| Box::new(Self::lease())),
            requests: requests.collect(),
            refused: Vec::new(),
            test: None,
            stops: None,
            held_tip: None,
            landing: None,
            want: Some(if self.git { Ok(sha(self.wants)) } else { Err(Box::new(unreachable().into())) }),
            observed,
            facts: self.git.then(|| self.broken.clone().map_or(Ok(facts), Err)),
            registry: self.registry.clone().map(|answer| {
                let image = image(self.wants).into_iter().map(|(_, image)| image);
                Box::new(image.map(|image| (image, answer.clone())).collect())
            }),
        };
        let digests = [("standard".parse().unwrap(), self.workflow.digest())].into();
        PlanInput {
            consents: Vec::new(),
            reviews: crate::policy::Reviews::default(),
            manifest: &self.loaded.manifest,
            now: self.now,
            links: vec![link],
            orphans: Vec::new(),
            workflow_digests: digests,
            unattended: self.unattended,
            refresh_only,
        }
    }

    pub(super) fn plan(&self) -> String {
        tell(&plan(&self.input(false)))
    }
}

fn unreachable() -> Problem {
    Problem { what: "the git host is unreachable".to_owned(), hint: None }
}

/// The steps and holds, one short line each.
pub(super) fn tell(plan: &Plan) -> String {
    let Some(link) = plan.links.first() else { return "nothing to do".to_owned() };
    let steps = link.steps.iter().map(|step| match step {
        Step::Accept { request } => format!("accept {}", request.ask.word()),
        Step::Refuse { why, .. } => format!("refuse: {why}"),
        Step::Withdraw { request, .. } => format!("withdraw {}", request.ask.word()),
        Step::Restore { phase, .. } => format!("restore {phase}"),
        Step::Recover { phase, attempt } => format!("recover {phase} {attempt}"),
        Step::Finalize { sha } => format!("finalize {}", &sha.short()[..1]),
        Step::ReleaseLease { owner } => format!("release lease: {owner}"),
        Step::EndRun { outcome, .. } => format!("end {outcome:?}"),
        Step::StartRun { sha, .. } => format!("start {}", &sha.short()[..1]),
        Step::Skip { phase, .. } => format!("skip {phase}"),
        Step::Run { phase, because } => format!("run {}: {because:?}", phase.name),
        Step::Deploy(step) => format!("{:?} to {}", step.purpose, &step.to.short()[..1]),
        Step::Adopt { sha, .. } => format!("adopt {}", &sha.short()[..1]),
        Step::Quarantine { sha, .. } => format!("quarantine {}", &sha.short()[..1]),
        Step::Forget => "forget".to_owned(),
        Step::Move { from, .. } => format!("move {from}"),
    });
    let holds = link.holds.iter().map(|hold| format!("! {}", hold.describe()));
    steps.chain(holds).collect::<Vec<_>>().join("\n")
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed { exit_code: Some(3), reason: String::new() }
}
