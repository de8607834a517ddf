//! The agent as its fleet starts it: the environment a phase's code gets, and the results it leaves.

mod artifacts;
mod commits;
mod inputs;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use katkit::blobs::Blobs;
use katkit::domain::{LostCause, Outcome};
use katkit::fleet::Fleet;

use crate::phase::{Phase, appears, eventually, lives, only};

fn failed(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { exit_code: None, reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn exit_code(code: i32) -> Outcome {
    Outcome::Failed { exit_code: Some(code), reason: String::new() }
}

#[tokio::test]
async fn a_script_that_exits_with_0_succeeds_and_logs_in_one_chunk() {
    let phase = Phase::running("#!/bin/sh\necho hello\necho world >&2\necho again\n").await;
    assert_eq!(phase.run().await, Outcome::Succeeded);
    assert_eq!(phase.log().await, "hello\nworld\nagain\n");
    let status = phase.status().await.unwrap();
    assert_eq!((status.chunks, status.artifacts), (1, 0));
    assert!(status.ended.unwrap() >= status.started);
}

/// A fleet may start a service twice for one token; the code still runs once.
#[tokio::test]
async fn a_replica_that_another_agent_started_is_left_alone() {
    let phase = Phase::running("echo ran").await;
    let theirs = r#"{ "version": 1, "agent": "another", "started": "2026-01-01T00:00:00Z",
        "heartbeat": "2026-01-01T00:00:00Z", "chunks": 0 }"#;
    let status = phase.replica().status_json();
    phase.blobs.put(&status, theirs.as_bytes()).await.unwrap();
    let handle = phase.launch().await;
    phase.fleet.gone(&handle).await.unwrap();
    assert_eq!(phase.blobs.get(&status).await.unwrap().unwrap(), theirs.as_bytes());
    assert!(phase.log_bytes().await.is_empty());
    phase.fleet.remove(&handle).await.unwrap();
}

#[tokio::test]
async fn a_script_without_a_shebang_runs_in_the_shell() {
    assert_eq!(Phase::running("exit 3\n").await.run().await, exit_code(3));
    assert_eq!(Phase::running("").await.run().await, Outcome::Succeeded);
}

#[tokio::test]
async fn a_manifest_command_runs_in_the_folder() {
    let mut phase = Phase::of(&[("services/web/name", "web")]).await;
    phase.spec.folder = "services/web".into();
    phase.spec.run = Some("cat name && git rev-parse HEAD".into());
    assert_eq!(phase.run().await, Outcome::Succeeded);
    assert_eq!(phase.log().await, format!("web{}\n", phase.spec.sha));
}

#[tokio::test]
async fn a_script_killed_by_a_signal_has_no_exit_code() {
    let outcome = Phase::running("kill -9 $$").await.run().await;
    assert_eq!(failed(&outcome), "killed by SIGKILL (often out of memory)");
}

#[tokio::test]
async fn a_script_that_cannot_run_fails_with_a_reason() {
    let said = async |files: &[(&str, &str)], folder: &str| {
        let mut phase = Phase::of(files).await;
        phase.spec.folder = folder.to_owned();
        failed(&phase.run().await).to_owned()
    };
    let missing = "there is no `ci.sh` in the commit; add the script, or set `run` in the phase";
    assert_eq!(said(&[("a", "")], "").await, missing);
    let missing = said(&[("web/a", "")], "web").await;
    assert!(missing.starts_with("there is no `web/ci.sh` in the commit"), "{missing}");
    assert_eq!(said(&[("a", "")], "web").await, "there is no folder `web` in the commit");
    assert_eq!(said(&[("web", "")], "web").await, "`web` is not a folder");
    let out = "the folder `web` is outside the repository";
    assert_eq!(said(&[("web", "-> /usr/bin")], "web").await, out);
    let out = "`ci.sh` is a symbolic link to a file outside the repository";
    assert_eq!(said(&[("ci.sh", "-> /bin/true")], "").await, out);
    assert_eq!(said(&[("ci.sh", "-> gone")], "").await, "`ci.sh` is a dangling symbolic link");
    assert_eq!(said(&[("ci.sh/a", "")], "").await, "`ci.sh` is not a file");
    let windows = "`ci.sh` needs the interpreter `/bin/sh`, which does not exist here; the file has Windows line endings";
    assert_eq!(said(&[("ci.sh", "#!/bin/sh\r\ntrue\r\n")], "").await, windows);
}

#[tokio::test]
async fn a_script_that_is_a_symlink_inside_the_repository_runs() {
    let phase = Phase::of(&[("web/ci.sh", "-> ../shared/ci.sh"), ("shared/ci.sh", "pwd")]).await;
    let mut phase = phase;
    phase.spec.folder = "web".into();
    assert_eq!(phase.run().await, Outcome::Succeeded);
    assert!(phase.log().await.ends_with("/checkout/web\n"));
}

#[tokio::test]
async fn the_environment_holds_exactly_the_documented_variables() {
    // The shell's initial environment, without what the shell adds.
    let phase = Phase::running("tr '\\0' '\\n' < /proc/$$/environ\n").await;
    let mut phase = phase.with_secret("TOKEN", "s3cret-value");
    phase.spec.peers = Some("{}".to_owned());
    phase.spec.variables.insert("ENV".into(), "DEV".into());
    phase.spec.variables.insert("GREETING".into(), "a b=c\"d".into());
    // Nothing of the controller's environment may leak through: this one's has its own HOME and PATH.
    assert_eq!(phase.run().await, Outcome::Succeeded);
    let service = phase.service();
    let work = |name: &str| service.join("work").join(name).display().to_string();
    let expected: BTreeMap<String, String> = [
        ("ENV", "DEV".to_owned()),
        ("GREETING", "a b=c\"d".to_owned()),
        ("HOME", work("home")),
        ("KATKIT_ARTIFACTS", work("artifacts")),
        ("KATKIT_INPUTS", work("inputs")),
        ("KATKIT_PEERS", work("peers.json")),
        ("KATKIT_SERVICE", service.display().to_string()),
        ("LOG_PATH", format!("{}/replica-0", phase.launch.log_path)),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("REPLICA_ID", "0".to_owned()),
        ("TMPDIR", work("tmp")),
        ("TOKEN", "***".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let log = phase.log().await;
    let seen: BTreeMap<String, String> = log
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_secret_is_masked_across_writes_and_stored_nowhere() {
    let script = "printf 'a hunter'; sleep 0.4; echo '22!'; cat /proc/$PPID/environ /proc/$PPID/cmdline | tr '\\0' '\\n';
        grep -r hunter22 \"$KATKIT_SERVICE\" --exclude-dir=checkout && echo found; true";
    let phase = Phase::running(script).await.with_secret("PASSWORD", "hunter22");
    assert_eq!(phase.run().await, Outcome::Succeeded);
    let log = phase.log().await;
    assert!(log.starts_with("a ***!\n"), "{log}");
    assert!(!log.contains("hunter") && !log.contains("found") && !log[8..].contains("***"), "{log}");
    let names: Vec<_> = log.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let environment = ["KATKIT_REPLICA", "KATKIT_SERVICE", "LOG_PATH", "PATH"];
    // The environment is readable by root only; the command line by everyone.
    let open = if rustix::process::geteuid().is_root() { &environment[..] } else { &[] };
    assert_eq!(names, [open, &["KATKIT_SERVICE"]].concat());
    let mut grep = std::process::Command::new("grep");
    let found = grep.arg("-rl").arg("hunter22").arg(phase.root().join("blobs/dev")).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "");
}

#[tokio::test]
async fn a_secret_in_a_failure_reason_is_masked() {
    let mut phase = Phase::running("").await.with_secret("FOLDER", "hunter22");
    phase.spec.folder = "hunter22".into();
    assert_eq!(failed(&phase.run().await), "there is no folder `***` in the commit");
}

/// Runs the phase to its end while polling its agent's memory. Returns the peak, in kB.
async fn high_water(phase: &Phase) -> u64 {
    let handle = phase.launch().await;
    let mut peak = 0;
    let mut gone = std::pin::pin!(phase.fleet.gone(&handle));
    loop {
        if let Some(agent) = phase.agent() {
            let status = fs::read_to_string(format!("/proc/{agent}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        }
        tokio::select! {
            _ = &mut gone => break,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    assert_eq!(phase.end(&handle).await, Outcome::Succeeded);
    peak
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_stored_with_little_memory() {
    let phase = Phase::running("head -c 104857600 /dev/zero | tr '\\0' x").await;
    let peak = high_water(&phase).await;
    let chunks = phase.blobs.list(&phase.replica().log(), None).await.unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.size).sum::<u64>(), 104_857_600);
    assert!((1..60_000).contains(&peak), "{peak} kB");
}

#[tokio::test]
async fn a_very_long_log_keeps_its_beginning_and_end_with_little_memory() {
    let phase =
        Phase::running("echo first; head -c 419430400 /dev/zero | tr '\\0' x; echo; echo FATAL: 401").await;
    let peak = high_water(&phase).await;
    let chunks = phase.blobs.list(&phase.replica().log(), None).await.unwrap();
    let kept = chunks.iter().map(|chunk| chunk.size).sum::<u64>();
    assert!((192 << 20..=300 << 20).contains(&kept), "{kept}");
    assert!((1..60_000).contains(&peak), "{peak} kB");
    let log = phase.log_bytes().await;
    assert!(log.starts_with(b"first\nxxx") && log.ends_with(b"x\nFATAL: 401\n"));
    let ours: Vec<_> = String::from_utf8_lossy(&log)
        .lines()
        .filter_map(|line| line.strip_prefix("katkit: ")?.split_once(" bytes of output are omitted here"))
        .map(|(bytes, _)| bytes.parse::<usize>().unwrap())
        .collect();
    // The kept bytes and the reported omissions add up to the whole output.
    let note = "\nkatkit:  bytes of output are omitted here: only the beginning and the end of a long log are kept\n";
    let notes: usize = ours.iter().map(|bytes| note.len() + bytes.to_string().len()).sum();
    assert_eq!(log.len() - notes + ours.iter().sum::<usize>(), 6 + 419_430_400 + 1 + 11);
    assert!(!ours.is_empty());
}

#[tokio::test]
async fn binary_output_is_kept_unchanged() {
    let phase = Phase::running(r"printf '\000\377\033[31mred\r\n'").await;
    assert_eq!(phase.run().await, Outcome::Succeeded);
    assert_eq!(phase.log_bytes().await, b"\0\xff\x1b[31mred\r\n");
}

#[tokio::test]
async fn output_can_be_read_while_the_phase_runs() {
    let mut phase = Phase::running(
        "echo early; touch \"$SIGNAL/printed\"; until [ -e \"$SIGNAL/go\" ]; do sleep 0.05; done",
    )
    .await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    let handle = phase.launch().await;
    eventually("the code prints", async || phase.signal("printed").exists().then_some(())).await;
    eventually("a chunk", async || (phase.log().await == "early\n").then_some(())).await;
    assert_eq!(phase.status().await.unwrap().outcome, None);
    fs::write(phase.signal("go"), "").unwrap();
    assert_eq!(phase.end(&handle).await, Outcome::Succeeded);
}

#[tokio::test]
async fn a_running_phase_sends_heartbeats() {
    let phase = Phase::running("sleep 60").await;
    let handle = phase.launch().await;
    eventually("a heartbeat after the first", async || {
        phase.status().await.filter(|status| status.heartbeat > status.started)
    })
    .await;
    phase.fleet.stop(&handle).await.unwrap();
    assert_eq!(phase.end(&handle).await, Outcome::Cancelled);
}

#[tokio::test]
async fn a_stop_signal_that_reaches_the_code_before_its_agent_still_counts_as_a_stop() {
    let mut phase = Phase::running("echo $$ > $SIGNAL/code; while :; do sleep 0.05; done").await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    let handle = phase.launch().await;
    let code = appears(&phase.signal("code")).await.trim().parse().unwrap();
    for pid in [code, phase.agent().unwrap()] {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
    assert_eq!(phase.end(&handle).await, Outcome::Cancelled);
}

/// Starts a background process, one in its own session and one that forks twice; each writes its pid.
const DAEMONS: &str = "
    sh -c 'echo $$ > $SIGNAL/1; exec sleep 1000' &
    setsid sh -c 'echo $$ > $SIGNAL/2; exec sleep 1000' &
    (setsid sh -c 'sh -c \"echo \\$\\$ > $SIGNAL/3; exec sleep 1000\" &' &)
    until [ -s $SIGNAL/1 ] && [ -s $SIGNAL/2 ] && [ -s $SIGNAL/3 ]; do sleep 0.01; done
    echo started
";

#[tokio::test]
async fn daemons_neither_delay_nor_outlive_a_phase() {
    let mut phase = Phase::running(DAEMONS).await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    assert_eq!(phase.run().await, Outcome::Succeeded);
    assert_eq!(phase.log().await, "started\n");
    for name in ["1", "2", "3"] {
        let pid = appears(&phase.signal(name)).await;
        assert!(!lives(&pid), "{name}: {pid}");
    }
}

#[tokio::test]
async fn a_phase_that_ignores_sigterm_is_killed_after_its_timeout() {
    let mut phase = Phase::running("trap '' TERM; echo on; while :; do sleep 0.1; done").await;
    phase.spec.timeout = Duration::from_secs(1);
    assert_eq!(phase.run().await, Outcome::TimedOut { after: Duration::from_secs(1) });
    assert_eq!(phase.log().await, "on\n");
}

/// Joins the process group of a child.
const MOVED: &str = "exec perl -e '
    my $child = fork; if (!$child) { setpgrp 0, 0; sleep 1000 }
    select undef, undef, undef, 0.01 until getpgrp($child) == $child;
    setpgrp 0, $child; $| = 1; print \"moved\\n\"; sleep 1000'";

#[tokio::test]
async fn code_that_moved_to_another_process_group_does_not_outlive_its_timeout() {
    for script in [MOVED.to_owned(), format!("trap '' TERM; {MOVED}")] {
        let mut phase = Phase::running(&script).await;
        let timeout = Duration::from_secs(2);
        phase.spec.timeout = timeout;
        let outcome = tokio::time::timeout(Duration::from_mins(1), phase.run()).await;
        assert_eq!(outcome.expect("the phase ends"), Outcome::TimedOut { after: timeout });
        assert_eq!(phase.log().await, "moved\n");
    }
}

#[tokio::test]
async fn a_cancelled_phase_gets_sigterm_before_it_is_killed() {
    let mut phase =
        Phase::running("trap 'echo asked' TERM; touch $SIGNAL/on; while :; do sleep 0.1; done").await;
    phase.spec.variables.insert("SIGNAL".into(), phase.root().display().to_string());
    let handle = phase.launch().await;
    eventually("it runs", async || phase.signal("on").exists().then_some(())).await;
    phase.fleet.stop(&handle).await.unwrap();
    assert_eq!(phase.end(&handle).await, Outcome::Cancelled);
    let log = phase.log().await;
    assert_eq!(log.matches("asked\n").count(), 1, "{log}");
}

#[tokio::test]
async fn missing_input_counts_as_lost_and_can_be_retried() {
    let never = |outcome: Outcome| match outcome {
        Outcome::Lost { cause: LostCause::NeverStarted, evidence } => evidence,
        other => panic!("{other:?}"),
    };
    let phase = Phase::running("").await;
    let handle = phase.fleet.launch(&phase.launch).await.unwrap();
    let evidence = never(phase.end(&handle).await);
    assert!(evidence.contains("phase.json"), "{evidence}");

    let mut phase = Phase::running("").await;
    phase.spec.source = katkit::domain::Source::Pack {
        key: "commits/gone.pack".into(),
        shallow: Vec::new(),
        tags: Vec::new(),
    };
    let evidence = never(phase.run().await);
    assert!(evidence.contains("there is no `commits/gone.pack`"), "{evidence}");

    let mut phase = Phase::running("").await;
    phase.spec.secrets.insert("TOKEN".into(), "env:TOKEN".into());
    assert_eq!(never(phase.run().await), "the secret `TOKEN` did not reach the agent");
}

#[test]
fn a_phase_that_fills_the_disk_fails_with_a_reason() {
    // On a private file system: mounted as root, or as the root of a user namespace.
    let root = rustix::process::geteuid().is_root();
    let wrapper: &[&str] =
        if root { &["unshare", "--mount"] } else { &["unshare", "--map-root-user", "--mount"] };
    let output =
        only("agent::inside_a_small_file_system_the_phase_fails_with_a_reason", wrapper).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

#[tokio::test]
#[ignore = "run by a_phase_that_fills_the_disk_fails_with_a_reason, where a small file system can be mounted"]
async fn inside_a_small_file_system_the_phase_fails_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs"];
    let mounted =
        std::process::Command::new(mount[0]).args(&mount[1..]).arg(directory.path()).status().unwrap();
    assert!(mounted.success());
    let script =
        "echo begin; head -c 1000000000 /dev/zero > big; echo full; head -c 3000000 /dev/zero | tr '\\0' x";
    let phase = Phase::within(directory, &[("ci.sh", script)]).await;
    let outcome = phase.run().await;
    let status = phase.status().await.unwrap();
    let reason = failed(&outcome);
    assert!(reason.starts_with("its output could not be stored: ") && reason.contains("full"), "{reason}");
    let log = phase.log().await;
    assert!(log.starts_with("begin\n") && log.contains("bytes of output are missing here"), "{}", log.len());
    assert!(status.chunks > 0);
    std::process::Command::new("umount").arg("-l").arg(phase.directory.path()).status().unwrap();
}
