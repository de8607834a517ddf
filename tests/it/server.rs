//! One long-lived process, as a server would be: a hundred passes over two revisions of the manifest, for two actors at
//! once, and without a terminal.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::future::join;
use katkit::app::{Access, Host, Opened};
use katkit::apply::{self, Executor, FailureLimit, Listener, Session};
use katkit::config::Config;
use katkit::domain::{CommitSha, LinkId, RecordedEvent};
use katkit::inventory::{Scope, Targets};
use katkit::plan::{self, LinkPlan};
use katkit::report::Progress;
use tokio_util::sync::CancellationToken;

use crate::world::{Repo, World};

const PASSES: usize = 100;
/// Caches and pools have their usual size by then.
const WARM: usize = 50;

/// The manifest's first revision.
const FIRST: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"
[workflows.standard]
phases = [{ name = "build", order = 0 }, { name = "deploy", order = 1, kind = "deployment" }]
[tenants.dev]
fleet = "local"
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
[tenants.prod]
fleet = "local"
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

#[test]
fn a_process_without_a_terminal_serves_two_revisions_and_two_actors_without_leaks() {
    let world =
        World::new().repo("shop", |repo| repo.ci("true\n").description("acme/web:<hubtag>").commit("first"));
    // The agent is found beside the executable.
    let beside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let executable = beside.path().join("katkit");
    fs::hard_link(std::env::current_exe().unwrap(), &executable).unwrap();
    fs::hard_link(env!("CARGO_BIN_EXE_katkit-agent"), beside.path().join("katkit-agent")).unwrap();
    // In a session of its own, it has no controlling terminal either.
    let output = Command::new("setsid")
        .arg("--wait")
        .arg(executable)
        .args(["--exact", "server::a_hundred_passes", "--ignored", "--nocapture"])
        .env("KATKIT_TEST_ROOT", world.path(""))
        .env("HOME", world.path("home"))
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test beside it, in a process of its own"]
async fn a_hundred_passes() {
    let root = PathBuf::from(std::env::var_os("KATKIT_TEST_ROOT").unwrap());
    let second = FIRST.replace("fleets.local", "fleets.spare.kind = \"process\"\nfleets.local");
    let host = Host::new(&Config::from_environment());
    let (mut last, mut warm) = (None, None);
    for pass in 0..PASSES {
        let wanted = commit(&root, pass);
        let opened = (open(&host, &root, FIRST).await, open(&host, &root, &second).await);
        let done = join(
            applied(&opened.0, "ana", "dev/shop".parse().unwrap()),
            applied(&opened.1, "ben", "prod/shop".parse().unwrap()),
        );
        assert_eq!(done.await, (Some(wanted.clone()), Some(wanted)), "pass {pass}");
        let fleet = |opened: &Opened, name: &str| Arc::clone(&opened.estate.fleets[name]);
        assert!(Arc::ptr_eq(&fleet(&opened.0, "local"), &fleet(&opened.1, "local")));
        if let Some((first, second)) = &last {
            assert!(Arc::ptr_eq(&fleet(first, "local"), &fleet(&opened.0, "local")), "it did not change");
            assert!(Arc::ptr_eq(&fleet(second, "spare"), &fleet(&opened.1, "spare")), "it did not change");
        }
        last = Some(opened);
        if pass == WARM {
            warm = Some(Usage::now(&host));
        }
    }
    let (warm, end) = (warm.unwrap(), Usage::now(&host));
    assert!(end.open_files <= warm.open_files, "{warm:?} {end:?}");
    assert!(end.threads <= warm.threads + 2, "{warm:?} {end:?}");
    assert_eq!(end.children, warm.children);
    assert!(end.kilobytes < warm.kilobytes + 4_000, "{warm:?} {end:?}");
    assert!(end.remembered.abs_diff(warm.remembered) < 500, "{warm:?} {end:?}");
    let (first, second) = last.unwrap();
    for (link, actor) in [("dev/shop", "ana"), ("prod/shop", "ben")] {
        let journal = first.estate.state.own_journal(&link.parse().unwrap(), None, 10_000).await.unwrap();
        assert!(journal.len() > PASSES && journal.iter().all(|event: &RecordedEvent| event.by.name == actor));
    }
    let spare = Arc::downgrade(&second.estate.fleets["spare"]);
    drop(second);
    assert!(spare.upgrade().is_none(), "no revision in use names it any more");
}

/// What a process may leak.
#[derive(Debug)]
struct Usage {
    open_files: usize,
    threads: usize,
    children: String,
    kilobytes: u64,
    /// The size of everything that the host and its adapters remember, as text.
    remembered: usize,
}

impl Usage {
    fn now(host: &Host) -> Self {
        let entries = |path| fs::read_dir(path).unwrap().count();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            open_files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            children: fs::read_to_string("/proc/thread-self/children").unwrap(),
            kilobytes: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            remembered: format!("{host:?}").len(),
        }
    }
}

#[derive(Debug)]
struct Nobody;

impl Listener for Nobody {
    fn hear(&self, _: &Progress) {}

    fn wants_log(&self) -> bool {
        false
    }
}

fn commit(root: &Path, pass: usize) -> CommitSha {
    let name = format!("pass {pass}");
    let repo = Repo::open(&root.join("repos/shop"), &root.join("out"));
    let commits = repo.file("pass", &name).commit(&name).commits();
    CommitSha::new(commits[&name].clone()).unwrap()
}

async fn open(host: &Host, root: &Path, manifest: &str) -> Opened {
    let path = root.join("katkit.toml");
    fs::write(&path, manifest).unwrap();
    host.open(&path, Access::Write).await.unwrap()
}

/// Plans and applies one link on behalf of an actor. Returns the deployed commit.
async fn applied(opened: &Opened, actor: &str, link: LinkId) -> Option<CommitSha> {
    let targets = Targets::default().and_only(BTreeSet::from([link.clone()]));
    let plan = plan::plan(&opened.estate.inventory(&Scope { targets, ..Scope::default() }).await.unwrap());
    let [plan]: [LinkPlan; 1] = plan.links.try_into().unwrap();
    let executor: Executor = opened.executor();
    let session = Arc::new(Session {
        executor: Arc::new(executor),
        actor: actor.into(),
        listener: Arc::new(Nobody),
        interrupt: CancellationToken::new(),
        saved_plan: None,
        failure_limit: FailureLimit::default(),
    });
    let report = apply::apply_link(&session, &plan).await;
    assert!(!report.result.is_failure(), "{report:?}");
    let heads = opened.estate.state.heads(Some(&[link])).await.unwrap();
    heads.into_iter().next()?.1.deployed.map(|deployed| deployed.sha)
}
