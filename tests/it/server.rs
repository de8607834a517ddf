//! One long-lived process, as a server would be: a hundred passes over two revisions of the manifest, for two actors at
//! once, and without a terminal.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

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

#[test]
#[ignore = "run by the test beside it, in a process of its own"]
fn a_hundred_passes() {
    // Few threads, which end soon when they are idle, so that leaks can be told from pools.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).max_blocking_threads(8).thread_keep_alive(Duration::from_millis(100));
    runtime.enable_all().build().unwrap().block_on(passes());
}

async fn passes() {
    let root = PathBuf::from(std::env::var_os("KATKIT_TEST_ROOT").unwrap());
    let second = FIRST.replace("fleets.local", "fleets.spare.kind = \"process\"\nfleets.local");
    let host = Host::new(&Config::from_environment());
    let (mut last, mut warm) = (None::<(Opened, Opened)>, None);
    for pass in 0..PASSES {
        let wanted = commit(&root, pass);
        if pass % 10 == 0 {
            last = None;
        }
        let opened = (open(&host, &root, FIRST).await, open(&host, &root, &second).await);
        // By turns, each actor uses an executor alone, or both use one.
        let executors = match pass % 2 {
            0 => [&opened.0, &opened.1].map(|opened| Arc::new(opened.executor())),
            _ => [(); 2].map({
                let shared = Arc::new(opened.1.executor());
                move |()| Arc::clone(&shared)
            }),
        };
        let [ana, ben] = executors;
        let done = join(
            applied(&opened.0, ana, "ana", "dev/shop".parse().unwrap()),
            applied(&opened.1, ben, "ben", "prod/shop".parse().unwrap()),
        );
        assert_eq!(done.await, (Some(wanted.clone()), Some(wanted)), "pass {pass}");
        let fleet = |opened: &Opened, name: &str| Arc::clone(&opened.estate.fleets[name]);
        assert!(Arc::ptr_eq(&fleet(&opened.0, "local"), &fleet(&opened.1, "local")));
        if let Some((first, second)) = &last {
            assert!(Arc::ptr_eq(&fleet(first, "local"), &fleet(&opened.0, "local")), "it did not change");
            assert!(Arc::ptr_eq(&fleet(second, "spare"), &fleet(&opened.1, "spare")), "it did not change");
        }
        if pass == WARM {
            warm = Some(Usage::of((&host, &opened)).await);
        }
        last = Some(opened);
    }
    let last = last.unwrap();
    let (warm, end) = (warm.unwrap(), Usage::of((&host, &last)).await);
    assert!(end.open_files <= warm.open_files && end.threads <= warm.threads, "{warm:?} {end:?}");
    assert_eq!((warm.children, end.children), (0, 0));
    assert!(end.kilobytes < warm.kilobytes + 4_000, "{warm:?} {end:?}");
    assert!(end.remembered.abs_diff(warm.remembered) < 2_000, "{warm:?} {end:?}");
    let (first, second) = last;
    for (link, actor) in [("dev/shop", "ana"), ("prod/shop", "ben")] {
        let journal = first.estate.state.own_journal(&link.parse().unwrap(), None, 10_000).await.unwrap();
        assert!(journal.len() > PASSES && journal.iter().all(|event: &RecordedEvent| event.by.name == actor));
    }
    let spare = Arc::downgrade(&second.estate.fleets["spare"]);
    drop(second);
    assert!(spare.upgrade().is_none(), "no revision in use names it");
}

/// What a process may leak, as little as it shows within a second.
#[derive(Debug)]
struct Usage {
    open_files: usize,
    threads: usize,
    /// Processes that were not waited for.
    children: usize,
    kilobytes: u64,
    /// The size of everything that the host, the estates and their adapters remember, as text.
    remembered: usize,
}

impl Usage {
    async fn of(holders: (&Host, &(Opened, Opened))) -> Self {
        let mut least = Self::now(holders);
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = Self::now(holders);
            least = Self {
                open_files: least.open_files.min(now.open_files),
                threads: least.threads.min(now.threads),
                children: least.children.min(now.children),
                kilobytes: least.kilobytes.min(now.kilobytes),
                remembered: least.remembered.min(now.remembered),
            };
        }
        least
    }

    fn now(holders: (&Host, &(Opened, Opened))) -> Self {
        let entries = |path| fs::read_dir(path).unwrap().count();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        // A thread may have ended meanwhile.
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        Self {
            open_files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            children: children.map(|children| children.split_whitespace().count()).sum(),
            kilobytes: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            remembered: format!("{holders:?}").len(),
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

/// Plans one link, and applies it on behalf of an actor. Returns the deployed commit.
async fn applied(opened: &Opened, executor: Arc<Executor>, actor: &str, link: LinkId) -> Option<CommitSha> {
    let targets = Targets::default().and_only(BTreeSet::from([link.clone()]));
    let plan = plan::plan(&opened.estate.inventory(&Scope { targets, ..Scope::default() }).await.unwrap());
    let [plan]: [LinkPlan; 1] = plan.links.try_into().unwrap();
    let session = Arc::new(Session {
        executor,
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
