//! Phases as containers: what they see, what they may do, and how they end.

use crate::engines::{Host, on_hosts};
use crate::world::eventually;

use super::{SERVICE, WAITS, Yard};

on_hosts! {
    docker(Docker) {
        a_failing_phase_reports_its_exit_code_and_log_and_leaves_nothing
        any_image_works_even_without_a_c_library
        replicas_run_at_the_same_time_and_see_only_their_own_work
        a_phase_has_the_variables_of_its_image_and_manifest_and_none_of_katkits
        a_phase_that_exceeds_its_timeout_is_ended
        a_cancelled_phase_is_ended
        a_phase_outlives_its_controller_and_the_next_one_takes_it_over
        a_killed_container_is_lost_and_retried
        a_phases_limits_override_those_of_the_fleet
        a_phase_that_runs_out_of_memory_says_so
        secrets_reach_the_phase_and_nothing_else
        a_phase_gets_the_artifacts_of_an_earlier_one_and_the_list_of_its_peers
        the_socket_is_mounted_on_request_and_privileges_only_with_it
        a_phase_creates_no_device_with_or_without_the_socket
        the_next_phase_finds_the_contents_of_a_cache
        tenants_do_not_share_caches
        an_orphan_is_swept_and_a_service_of_another_katkit_is_not
    }
    // Not on Podman: depends only on the agent and on katkit, not on the engine.
    podman(Podman) {
        a_failing_phase_reports_its_exit_code_and_log_and_leaves_nothing
        any_image_works_even_without_a_c_library
        replicas_run_at_the_same_time_and_see_only_their_own_work
        a_phase_has_the_variables_of_its_image_and_manifest_and_none_of_katkits
        a_cancelled_phase_is_ended
        a_phase_outlives_its_controller_and_the_next_one_takes_it_over
        a_killed_container_is_lost_and_retried
        a_phases_limits_override_those_of_the_fleet
        a_phase_that_runs_out_of_memory_says_so
        secrets_reach_the_phase_and_nothing_else
        a_phase_gets_the_artifacts_of_an_earlier_one_and_the_list_of_its_peers
        the_socket_is_mounted_on_request_and_privileges_only_with_it
        a_phase_creates_no_device_with_or_without_the_socket
        the_next_phase_finds_the_contents_of_a_cache
        an_orphan_is_swept_and_a_service_of_another_katkit_is_not
    }
}

fn a_failing_phase_reports_its_exit_code_and_log_and_leaves_nothing(host: Host) {
    let yard = Yard::on(host, "echo one\necho two >&2\nexit 3", r#"{ name = "build", order = 0 }"#, "");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    for said in ["`build` failed for <first> (attempt 1): exit code 3", "| one", "| two"] {
        assert!(applied.stdout.contains(said), "{said:?} is not in {applied}");
    }
    yard.phases_are_gone();
}

fn any_image_works_even_without_a_c_library(host: Host) {
    let ci = "ls / ; echo $ENV $GIT_SHA in $PWD; cat /proc/self/mountinfo | grep katkit";
    let yard = Yard::on(host, ci, &format!(r#"{{ name = "build", order = 0, image = "{SERVICE}" }}"#), "");
    yard.applied();
    let logs = yard.run(["logs", "dev/shop"]).stdout;
    assert!(logs.contains("DEV <first> in /katkit/work/checkout"), "{logs}");
    yard.phases_are_gone();
}

fn replicas_run_at_the_same_time_and_see_only_their_own_work(host: Host) {
    // Each waits for all of them, through a cache, which they share.
    let ci = r#"touch /shared/$REPLICA_ID
until [ $(ls /shared | wc -l) = 4 ]; do sleep 0.02; done
place=${LOG_PATH#file://}; attempt=${place%/*}
echo "sees: $(ls $attempt | tr '\n' ' ')"
echo "writes: $(touch $place/own && echo own) $(touch $attempt/replica-$(( (REPLICA_ID + 1) % 4 ))/x 2>&1 | grep -o 'Read-only.*')"
echo "store: $(ls ${attempt%/dev/shop/*} | tr '\n' ' ')"
rm $place/own
"#;
    let yard =
        Yard::on(host, ci, r#"{ name = "test", order = 0, parallelism = 4 }"#, r#"caches = ["/shared"]"#);
    yard.applied();
    for replica in ["0", "1", "2", "3"] {
        let log = yard.run(["logs", "dev/shop", "--replica", replica]).stdout;
        assert!(log.contains("sees: phase.json replica-0 replica-1 replica-2 replica-3"), "{log}");
        assert!(log.contains("writes: own Read-only file system"), "{log}");
        assert!(log.contains("store: commits dev"), "{log}");
    }
    yard.phases_are_gone();
}

fn a_phase_has_the_variables_of_its_image_and_manifest_and_none_of_katkits(host: Host) {
    let mut yard = Yard::on(host, "env", r#"{ name = "build", order = 0 }"#, r#"env = { PROXY = "here" }"#);
    let name = yard.image_name("environment");
    yard.build(&name, "FROM katkit-test/builder:1\nENV JAVA_HOME=/opt/java HOME=/root\nUSER 1000\n", "first");
    let image = format!("{name}:{}", yard.sha("first"));
    yard.edit(r#"{ name = "build","#, &format!(r#"{{ image = "{image}", name = "build","#));
    yard.applied();
    let log = yard.run(["logs", "dev/shop"]).stdout;
    for said in ["JAVA_HOME=/opt/java", "HOME=/root", "PROXY=here", "ENV=DEV", "KATKIT_TENANT=dev"] {
        assert!(log.contains(said), "{said:?} is not in {log}");
    }
    for hidden in ["KATKIT_ACTOR", "KATKIT_CONTAINER", "KATKIT_REPLICA=", "SSL_CERT_FILE"] {
        assert!(!log.contains(hidden), "{hidden:?} is in {log}");
    }
}

fn a_phase_that_exceeds_its_timeout_is_ended(host: Host) {
    let yard =
        Yard::on(host, "echo begins; sleep 300", r#"{ name = "build", order = 0, timeout = "1s" }"#, "");
    let applied = yard.run(["apply"]);
    assert!(applied.stdout.contains("timed out after 1s"), "{applied}");
    yard.phases_are_gone();
}

fn a_cancelled_phase_is_ended(host: Host) {
    let yard = Yard::on(host, WAITS, r#"{ name = "build", order = 0 }"#, "");
    let apply = yard.start(["apply"]);
    yard.waiting();
    assert_eq!(yard.run(["cancel", "dev/shop"]).code, 0);
    let applied = apply.wait();
    assert!(applied.to_string().contains("cancelled"), "{applied}");
    yard.phases_are_gone();
}

fn a_phase_outlives_its_controller_and_the_next_one_takes_it_over(host: Host) {
    let yard = Yard::on(host, WAITS, r#"{ name = "build", order = 0 }"#, "");
    let apply = yard.start(["apply"]);
    let container = yard.waiting();
    apply.kill();
    let again = yard.start(["apply"]);
    yard.release_in(&container);
    let again = again.wait();
    assert_eq!(again.code, 0, "{again}");
    let journal = yard.journal().join("\n");
    assert_eq!(journal.matches("attempt-intended").count(), 1, "{journal}");
    yard.phases_are_gone();
}

fn a_killed_container_is_lost_and_retried(host: Host) {
    let ci = format!("[ $KATKIT_ATTEMPT = 1 ] || exit 0\n{WAITS}");
    let yard = Yard::on(host, &ci, r#"{ name = "build", order = 0 }"#, "");
    let apply = yard.start(["apply"]);
    let container = yard.waiting();
    yard.docker(&["kill", &container]);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    let journal = yard.journal().join("\n");
    assert!(journal.contains("its container was killed"), "{journal}");
    assert_eq!(journal.matches("attempt-intended").count(), 2, "{journal}");
    yard.phases_are_gone();
}

fn a_phases_limits_override_those_of_the_fleet(host: Host) {
    let phases = r#"{ name = "build", order = 0, cpu = 0.5 }"#;
    let yard = Yard::on(host, WAITS, phases, "cpu = 2\nmemory = \"512MiB\"");
    let apply = yard.start(["apply"]);
    let container = yard.waiting();
    let host = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.SecurityOpt}}";
    let said = yard.inspect(&container, host);
    assert_eq!(said, format!("500000000 {} [no-new-privileges]", 512 << 20));
    yard.release_in(&container);
    assert_eq!(apply.wait().code, 0);
}

fn a_phase_that_runs_out_of_memory_says_so(host: Host) {
    let ci = "[ $KATKIT_ATTEMPT = 1 ] || exit 0\ntail /dev/zero";
    let yard = Yard::on(host, ci, r#"{ name = "build", order = 0, memory = "96MiB" }"#, "");
    let applied = yard.applied();
    let said = "build  lost (out of memory): its code was killed at the memory limit of 96 MiB; retrying";
    assert!(applied.stderr.contains(said), "{applied}");
    yard.phases_are_gone();
}

fn secrets_reach_the_phase_and_nothing_else(host: Host) {
    const SECRET: &str = "s3cr3t-of-the-shop";
    let ci = format!("[ \"$TOKEN\" = {} ] && echo it is $TOKEN\n{WAITS}", "s3cr3t-of-the-shop");
    let ci = ci.replace(SECRET, "\"s3cr3t\"-of-the-shop");
    let mut yard = Yard::on(host, &ci, r#"{ name = "build", order = 0 }"#, "");
    yard.edit("environment = \"DEV\"", "environment = \"DEV\"\nsecrets = { TOKEN = \"file:token\" }");
    yard.write("token", SECRET);
    yard.change("shop", |repo| repo.commit("second"));
    let apply = yard.start(["apply"]);
    let container = yard.waiting();
    let inspected = yard.docker(&["inspect", &container]);
    assert!(inspected.contains("LOG_PATH=") && !inspected.contains(SECRET));
    assert!(!yard.docker(&["logs", &container]).contains(SECRET));
    yard.release_in(&container);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    let log = yard.run(["logs", "dev/shop"]).stdout;
    assert!(log.contains("it is ***"), "{log}");
    yard.phases_are_gone();
}

fn a_phase_gets_the_artifacts_of_an_earlier_one_and_the_list_of_its_peers(host: Host) {
    let ci = r#"case $KATKIT_PHASE in
build) echo "made by $REPLICA_ID" > $KATKIT_ARTIFACTS/app ;;
test)
  cat $KATKIT_INPUTS/build/*/app; grep tenant $KATKIT_PEERS
  place=${LOG_PATH#file://}; cd ${place%/test/*}/build/*/replica-0/artifacts
  touch own 2>&1 | grep -o 'Read-only.*' ;;
esac
"#;
    let phases = r#"{ name = "build", order = 0, parallelism = 2 },
        { name = "test", order = 1, inputs = ["build"] }"#;
    let yard = Yard::on(host, ci, phases, "");
    yard.applied();
    let log = yard.run(["logs", "dev/shop", "--phase", "test"]).stdout;
    assert_eq!(log, "made by 0\nmade by 1\n  \"tenant\": \"dev\",\nRead-only file system\n");
    yard.phases_are_gone();
}

fn the_socket_is_mounted_on_request_and_privileges_only_with_it(host: Host) {
    let ci = "docker version --format '{{.Server.Os}}' || exit 9";
    let yard = Yard::on(host, ci, r#"{ name = "build", order = 0 }"#, "");
    assert!(yard.run(["apply"]).stdout.contains("exit code 9"));
    let yard = Yard::on(host, ci, r#"{ name = "build", order = 0 }"#, "docker-socket = true");
    yard.applied();
    assert!(yard.run(["logs", "dev/shop"]).stdout.contains("linux"));
}

fn a_phase_creates_no_device_with_or_without_the_socket(host: Host) {
    // The capability is the 28th (capabilities(7)).
    let ci = "while read name set; do [ $name = CapBnd: ] && break; done < /proc/self/status\n\
              [ -n \"$set\" ] || exit 8\n[ $(( 0x$set >> 27 & 1 )) = 0 ] || exit 9";
    for socket in ["", "docker-socket = true"] {
        Yard::on(host, ci, r#"{ name = "build", order = 0 }"#, socket).applied();
    }
}

fn the_next_phase_finds_the_contents_of_a_cache(host: Host) {
    let ci = "echo found: $(cat /root/.cache/kept); echo $GIT_SHA > /root/.cache/kept";
    let mut yard = Yard::on(host, ci, r#"{ name = "build", order = 0 }"#, r#"caches = ["/root/.cache"]"#);
    yard.applied();
    yard.change("shop", |repo| repo.commit("second"));
    yard.applied();
    let log = yard.run(["logs", "dev/shop"]).stdout;
    assert!(log.contains("found: <first>"), "{log}");
}

fn tenants_do_not_share_caches(host: Host) {
    let ci = "echo found: $(cat /root/.cache/kept); echo $KATKIT_TENANT > /root/.cache/kept";
    let mut yard = Yard::on(host, ci, PHASE, r#"caches = ["/root/.cache"]"#);
    let links = r#"links.shop = { repo = "shop", workflow = "standard", branch = "main" }"#;
    yard.edit("[workflows.standard]", &format!("[tenants.prod]\n{links}\n\n[workflows.standard]"));
    assert_eq!(yard.run(["apply", "--target", "dev/*"]).code, 0);
    yard.applied();
    let found = |yard: &Yard, link: &str| {
        let log = yard.run(["logs", link]).stdout;
        log.lines().find_map(|line| line.strip_prefix("found:")).unwrap().trim().to_owned()
    };
    assert_eq!(found(&yard, "prod/shop"), "");
    yard.change("shop", |repo| repo.commit("second"));
    yard.applied();
    assert_eq!([found(&yard, "dev/shop"), found(&yard, "prod/shop")], ["dev", "prod"]);
}

fn an_orphan_is_swept_and_a_service_of_another_katkit_is_not(host: Host) {
    let (mine, other) = (Yard::on(host, WAITS, PHASE, ""), Yard::on(host, WAITS, PHASE, ""));
    let (first, second) = (mine.start(["apply"]), other.start(["apply"]));
    let (lost, kept) = (mine.waiting(), other.waiting());
    first.kill();
    // Its record is gone: no record accounts for the service.
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(mine.path(".katkit").join(file));
    }
    mine.edit("name = \"build\"", "name = \"other\", run = \"true\"");
    mine.applied();
    eventually("what nobody owns is gone", || mine.containers("label=katkit.phase").is_empty().then_some(()));
    assert_ne!(lost, kept);
    assert_eq!(other.containers("label=katkit.phase"), std::slice::from_ref(&kept));
    other.release_in(&kept);
    assert_eq!(second.wait().code, 0);
}

const PHASE: &str = r#"{ name = "build", order = 0 }"#;
