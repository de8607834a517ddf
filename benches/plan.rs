//! Plans of 100, 1 000 and 10 000 links, with nothing to do and with 1 % changed, against a minimal program that parses
//! the same TOML, loads the same SQLite rows and compares them.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use katkit::domain::{
    CommitSha, DeployOutcome, DeployPurpose, DeploymentName, Event, Generation, Head, LinkId, Owner,
    RecordedEvent, RunId, RunOutcome, RunPhase, RunReason, Token,
};
use katkit::journal;
use katkit::platform::{FilePlatform, Observation, Platform, Target};
use katkit::state::{Append, Leases, Links, SqliteState};
use measure::{git, in_turn, ms, ratio, run};

const RUNS: usize = 9;

/// Start-up time of every command.
fn start() {
    let (ours, nothing) = in_turn(
        100,
        || run(Command::new(env!("CARGO_BIN_EXE_katkit")).arg("--version")),
        || run(&mut Command::new("true")),
    );
    println!(
        "--version: katkit {:.1} ms (goal 5), a process that does nothing {:.1} ms, ratio {:.1}",
        ms(ours.wall),
        ms(nothing.wall),
        ratio(ours, nothing)
    );
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, word, directory] = arguments.as_slice()
        && word == "bare"
    {
        return bare(Path::new(directory));
    }
    start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let repository = directory.path().join("repository");
    let shas = commits(&repository);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(pipelines(directory.path()));
    let mut walls = Vec::new();
    for links in [100_usize, 1000, 10_000] {
        let place = directory.path().join(format!("of-{links}"));
        fs::create_dir(&place).expect("a directory");
        runtime.block_on(populate(&place, links, |_| &shas[0]));
        for (what, changed) in [("nothing to do", 0), ("1 % changed  ", links / 100)] {
            fs::write(place.join("katkit.toml"), manifest(links, changed, &shas)).expect("a file");
            let (ours, bare) = in_turn(
                RUNS,
                || {
                    run(Command::new(env!("CARGO_BIN_EXE_katkit"))
                        .arg("plan")
                        .arg("-m")
                        .arg(place.join("katkit.toml")))
                },
                || run(Command::new(std::env::current_exe().expect("a path")).arg("bare").arg(&place)),
            );
            println!(
                "{links:>6} links, {what}: katkit {:>5.1} ms {:>3.0} MiB, bare {:>5.1} ms {:>3.0} MiB, ratio {:.2} (goal 2.5)",
                ms(ours.wall),
                ours.peak,
                ms(bare.wall),
                bare.peak,
                ratio(ours, bare)
            );
            walls.push(ours.wall);
            if let Some(other) = measure::other() {
                let plan = |binary: &Path| {
                    run(Command::new(binary).arg("plan").arg("-m").arg(place.join("katkit.toml")))
                };
                let (ours, theirs) =
                    in_turn(RUNS, || plan(env!("CARGO_BIN_EXE_katkit").as_ref()), || plan(&other));
                println!(
                    "       against {}: {:.2} of its wall time, {:.2} of its memory",
                    other.display(),
                    ratio(ours, theirs),
                    ours.peak / theirs.peak
                );
            }
        }
    }
    println!(
        "10 000 links against 1 000: {:.1} times as long",
        walls[4].as_secs_f64() / walls[2].as_secs_f64()
    );
}

/// Two commits of a repository with a service.
fn commits(repository: &Path) -> Vec<String> {
    let description = repository.join("servicedescription");
    fs::create_dir_all(&description).expect("a directory");
    git(repository, &["init", "-q", "-b", "main"]);
    fs::write(repository.join("ci.sh"), "true\n").expect("a file");
    let text = "{ \"Roles\": [ { \"Name\": \"web\", \"DockerImage\": \"acme/web:<hubtag>\" } ] }\n";
    fs::write(description.join("servicedescription.js"), text).expect("a file");
    let mut shas = Vec::new();
    for number in 0..2 {
        fs::write(repository.join("number"), number.to_string()).expect("a file");
        git(repository, &["add", "-A"]);
        git(repository, &["commit", "-qm", "a commit"]);
        shas.push(git(repository, &["rev-parse", "HEAD"]));
    }
    shas
}

fn manifest(links: usize, changed: usize, shas: &[String]) -> String {
    let mut text = "version = 1\n[repos.app]\nurl = \"../repository\"\n[workflows.standard]\nphases = [\n  { name = \"build\", order = 0 },\n  { name = \"deploy\", order = 1, kind = \"deployment\" },\n  { name = \"verify\", order = 2 },\n]\n".to_owned();
    for link in 0..links {
        let sha = if link < changed { &shas[1] } else { &shas[0] };
        let id = id(link);
        let _ = write!(
            text,
            "[tenants.{}.links.{}]\nrepo = \"app\"\nworkflow = \"standard\"\nsha = \"{sha}\"\n",
            id.tenant, id.link
        );
    }
    text
}

fn id(link: usize) -> LinkId {
    format!("t{:03}/l{link:05}", link % 100).parse().expect("an id")
}

/// Plans of 1 000 links in 200 pipelines over one repository with 50 000 commits, against as many links that follow its
/// branch. Nothing is left to do: the first stage has the tip, and the others are a thousand commits behind.
async fn pipelines(directory: &Path) {
    const LINKS: usize = 1000;
    let repository = directory.join("long");
    let (tip, behind) = long_history(&repository);
    let (with, without) = (directory.join("pipelines"), directory.join("branches"));
    for place in [&with, &without] {
        fs::create_dir(place).expect("a directory");
    }
    let is_first = |link: usize| link.is_multiple_of(5);
    populate(&with, LINKS, |link| if is_first(link) { &tip } else { &behind }).await;
    populate(&without, LINKS, |_| &tip).await;
    let head = manifest(0, 0, &[]).replace("../repository", "../long");
    let (mut staged, mut plain) = (head.clone(), head);
    for link in 0..LINKS {
        let LinkId { tenant, link: name } = id(link);
        let table = format!("[tenants.{tenant}.links.{name}]\nrepo = \"app\"\nworkflow = \"standard\"\n");
        let _ = writeln!(staged, "{table}pipeline = \"p{:03}\"", link / 5);
        let _ = writeln!(plain, "{table}branch = \"main\"");
    }
    for pipeline in 0..LINKS / 5 {
        let of = |number: usize| format!("\"{}\"", id(5 * pipeline + number));
        let _ = write!(
            staged,
            "[pipelines.p{pipeline:03}]\nrepo = \"app\"\nstages = [{{ name = \"beta\", links = [{}] }}, {{ name = \"prod\", waves = [[{}, {}], [{}, {}]] }}]\n",
            of(0),
            of(1),
            of(2),
            of(3),
            of(4)
        );
    }
    for (place, text) in [(&with, staged), (&without, plain)] {
        fs::write(place.join("katkit.toml"), text).expect("a file");
    }
    let plan = |place: &Path| {
        run(Command::new(env!("CARGO_BIN_EXE_katkit")).arg("plan").arg("-m").arg(place.join("katkit.toml")))
    };
    let (ours, plain) = in_turn(RUNS, || plan(&with), || plan(&without));
    println!(
        "  1000 links in 200 pipelines: {:.1} ms, following a branch {:.1} ms, ratio {:.2} (goal 2)",
        ms(ours.wall),
        ms(plain.wall),
        ratio(ours, plain)
    );
}

/// A repository with 50 000 commits; returns its tip, and the commit a thousand before it.
fn long_history(repository: &Path) -> (String, String) {
    use std::io::Write as _;
    use std::process::Stdio;
    fs::create_dir(repository).expect("a directory");
    git(repository, &["init", "-q", "-b", "main"]);
    let mut import = Command::new("git")
        .args(["-C", repository.to_str().expect("a path"), "fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git");
    let mut input = std::io::BufWriter::new(import.stdin.take().expect("its input"));
    for number in 0..50_000 {
        let at = 1_700_000_000 + number;
        let text = format!("{number}\n");
        write!(
            input,
            "commit refs/heads/main\ncommitter A <a@example.com> {at} +0000\ndata 1\nx\nM 644 inline number\ndata {}\n{text}\n",
            text.len()
        )
        .expect("a commit");
    }
    drop(input);
    assert!(import.wait().expect("git").success());
    (git(repository, &["rev-parse", "main"]), git(repository, &["rev-parse", "main~1000"]))
}

/// The record and the deployed files of links that completed their workflow for the commit that is `live`.
async fn populate<'s>(place: &Path, links: usize, live: impl Fn(usize) -> &'s str) {
    let state = SqliteState::open(&place.join(".katkit/state.db")).expect("a state");
    let owner = Owner {
        id: "bench".into(),
        host: "bench".into(),
        boot: None,
        pid: 1,
        started_ticks: None,
        actor: "bench".into(),
    };
    let state = Arc::new(state);
    let mut writes = tokio::task::JoinSet::new();
    for link in 0..links {
        let sha = CommitSha::new(live(link)).expect("a sha");
        let (state, owner, place) = (Arc::clone(&state), owner.clone(), place.to_owned());
        writes.spawn(async move {
            let link = id(link);
            let revision = deploy_file(&place, &link, &sha).await;
            let lease = state.acquire(&link, &owner, Duration::from_secs(30), None).await.expect("a lease");
            let (events, head) = history(&link, &sha, &revision);
            let write = Append {
                link: &link,
                expected: Generation(0),
                epoch: lease.epoch,
                events: &events,
                head: &head,
                consumes: &[],
                consents: None,
            };
            state.append(write).await.expect("a write");
            state.release(&link, lease.epoch).await.expect("a release");
        });
    }
    while let Some(done) = writes.join_next().await {
        done.expect("a write");
    }
}

async fn deploy_file(place: &Path, link: &LinkId, sha: &CommitSha) -> String {
    let directory = place.join(".katkit/platform").join(link.tenant.as_str());
    fs::create_dir_all(&directory).expect("a directory");
    let text = format!("{{ \"Roles\": [ {{ \"Name\": \"web\", \"DockerImage\": \"acme/web:{sha}\" }} ] }}\n");
    fs::write(directory.join(format!("{}.json", link.link)), text).expect("a file");
    let platform =
        FilePlatform::new(directory, |text| katkit::description::images(text).map_err(|e| e.to_string()));
    match platform
        .observe(&[Target { link, formerly: &[], roles: Vec::new(), images: Cow::default(), known: None }])
        .await
        .pop()
    {
        Some(Ok(Observation::Running(running))) => running.revision,
        other => panic!("{other:?}"),
    }
}

fn history(link: &LinkId, sha: &CommitSha, revision: &str) -> (Vec<RecordedEvent>, Head) {
    use katkit::domain::{AttemptNumber, Handle, Outcome, PhaseName};
    let name = |name: &str| PhaseName::new(name).expect("a name");
    let phase = |text: &str, order, deployment| RunPhase {
        name: name(text),
        order,
        deployment,
        skipped: false,
        kept: false,
        reused: None,
    };
    let workflow: katkit::domain::Workflow = workflow();
    let attempt = |text: &str| {
        let (phase, number) = (name(text), AttemptNumber(1));
        let token = Token::of_attempt(link, &RunId("1".into()), &phase, number);
        vec![
            Event::AttemptIntended {
                phase: phase.clone(),
                attempt: number,
                token: token.clone(),
                replicas: 1,
                fleet: "process".parse().expect("a name"),
                saved_plan: None,
            },
            Event::AttemptLaunched {
                phase: phase.clone(),
                attempt: number,
                handles: vec![Handle(token.replica(0).0)],
            },
            Event::AttemptEnded { phase: phase.clone(), attempt: number, outcome: Outcome::Succeeded },
            Event::ServiceRemoved { phase, attempt: number },
        ]
    };
    let token = Token::of_deployment(link, &RunId("1".into()), sha, 5);
    let images = [("web".to_owned(), format!("acme/web:{sha}"))].into_iter().collect();
    let mut events = vec![Event::RunStarted {
        run: RunId("1".into()),
        sha: sha.clone(),
        reason: RunReason::NewSha,
        phases: vec![phase("build", 0, false), phase("deploy", 1, true), phase("verify", 2, false)],
        workflow: workflow.digest(),
        test: None,
        authorization: None,
        saved_plan: None,
    }];
    events.extend(attempt("build"));
    events.push(Event::DeployIntended {
        token: token.clone(),
        purpose: DeployPurpose::Upgrade,
        sha: sha.clone(),
        images,
        barrier: None,
        authorization: None,
        saved_plan: None,
    });
    events.push(Event::DeployIssued { token: token.clone(), deployment: DeploymentName(token.to_string()) });
    events.push(Event::DeployEnded {
        token,
        outcome: DeployOutcome::Deployed,
        revision: revision.to_owned(),
    });
    events.extend(attempt("verify"));
    events.push(Event::RunEnded { run: RunId("1".into()), outcome: RunOutcome::Succeeded, because: None });
    let recorded = (1..).zip(events).map(|(generation, event)| RecordedEvent {
        generation: Generation(generation),
        at: Timestamp::UNIX_EPOCH,
        by: "bench".into(),
        event,
        previous: None,
    });
    let recorded: Vec<_> = recorded.collect();
    let head = journal::fold(&recorded).expect("a legal history");
    (recorded, head)
}

fn workflow() -> katkit::domain::Workflow {
    use katkit::domain::{Deploy, Execution, Phase, PhaseKind, PhaseName, Workflow};
    let phase = |name: &str, order, kind| Phase { name: PhaseName::new(name).expect("a name"), order, kind };
    Workflow::new(vec![
        phase("build", 0, PhaseKind::Execution(Execution::default())),
        phase("deploy", 1, PhaseKind::Deployment(Deploy::default())),
        phase("verify", 2, PhaseKind::Execution(Execution::default())),
    ])
    .expect("a workflow")
}

/// The minimum for any program: parse, load, read the deployment, compare.
fn bare(place: &Path) {
    let text = fs::read_to_string(place.join("katkit.toml")).expect("a manifest");
    let manifest: toml::Table = toml::from_str(&text).expect("TOML");
    let database = rusqlite::Connection::open(place.join(".katkit/state.db")).expect("a database");
    let mut statement = database.prepare("SELECT tenant, link, head FROM link").expect("a table");
    let rows = statement.query_map((), |row| {
        Ok(((row.get::<_, String>(0)?, row.get::<_, String>(1)?), row.get::<_, String>(2)?))
    });
    let heads: BTreeMap<_, _> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    let mut changed = 0;
    for (tenant, it) in manifest["tenants"].as_table().expect("tenants") {
        for (link, it) in it["links"].as_table().expect("links") {
            let head = &heads[&(tenant.clone(), link.clone())];
            let head: serde_json::Value = serde_json::from_str(head).expect("a head");
            let deployed = place.join(".katkit/platform").join(tenant).join(format!("{link}.json"));
            let is_there = fs::symlink_metadata(deployed).is_ok();
            changed += usize::from(!is_there || head["deployed"]["sha"].as_str() != it["sha"].as_str());
        }
    }
    println!("{changed}");
}
