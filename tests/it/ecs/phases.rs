//! Phases as tasks: concurrent, too long, cancelled, unobserved, killed.

use crate::engines::docker;
use crate::world::eventually;

use super::CLUSTER;
use super::estate::{Estate, WAITS, block_on};

#[test]
fn four_replicas_are_four_tasks_that_run_at_the_same_time() {
    // Each waits for all of them, through a directory of the instance.
    let ci = r"mkdir -p /shared/$GIT_SHA; touch /shared/$GIT_SHA/$REPLICA_ID
until [ $(ls /shared/$GIT_SHA | wc -l) = 4 ]; do sleep 0.02; done
echo replica $REPLICA_ID of $ENV
";
    let estate = Estate::new(ci, r#"{ name = "test", order = 0, parallelism = 4 }"#);
    estate.edit("docker-socket = true", "caches = [\"/shared\"]");
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    for replica in ["0", "1", "2", "3"] {
        let log = estate.run(["logs", "dev/shop", "--replica", replica]).stdout;
        assert!(log.contains(&format!("replica {replica} of DEV")), "{log}");
    }
    estate.all_is_done();
}

#[test]
fn tenants_do_not_share_caches() {
    let ci = "echo found: $(cat /shared/kept); echo $KATKIT_TENANT > /shared/kept";
    let mut estate = Estate::new(ci, r#"{ name = "build", order = 0 }"#);
    estate.edit("docker-socket = true", "caches = [\"/shared\"]");
    let links = r#"links.shop = { repo = "shop", workflow = "standard", branch = "main" }"#;
    estate.edit("[tenants.dev]", &format!("[tenants.prod]\n{links}\n\n[tenants.dev]"));
    assert_eq!(estate.run(["apply", "--target", "dev/*"]).code, 0);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    let found = |estate: &Estate, link: &str| {
        let log = estate.run(["logs", link]).stdout;
        log.lines().find_map(|line| line.strip_prefix("found:")).unwrap().trim().to_owned()
    };
    assert_eq!(found(&estate, "prod/shop"), "");
    estate.change("shop", |repo| repo.commit("second"));
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!([found(&estate, "dev/shop"), found(&estate, "prod/shop")], ["dev", "prod"]);
}

#[test]
fn a_phase_that_exceeds_its_timeout_is_ended_by_its_agent() {
    let estate = Estate::new("echo begins; sleep 300", r#"{ name = "build", order = 0, timeout = "1s" }"#);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("timed out after 1s"), "{applied}");
    assert_eq!(estate.phases(), Vec::<String>::new());
}

#[test]
fn a_cancelled_phase_is_ended_and_its_task_is_gone() {
    let estate = Estate::new(WAITS, r#"{ name = "build", order = 0 }"#);
    let apply = estate.start(["apply"]);
    estate.waiting();
    let cancelled = estate.run(["cancel", "dev/shop"]);
    assert_eq!(cancelled.code, 0, "{cancelled}");
    let applied = apply.wait();
    assert!(applied.to_string().contains("cancelled"), "{applied}");
    assert_eq!(estate.phases(), Vec::<String>::new());
}

#[test]
fn a_phase_outlives_its_controller_and_the_next_one_takes_it_over() {
    let estate = Estate::new(WAITS, r#"{ name = "build", order = 0 }"#);
    let apply = estate.start(["apply"]);
    let container = estate.waiting();
    apply.kill();
    let again = estate.start(["apply"]);
    Estate::release_in(&container);
    let again = again.wait();
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(estate.happened("attempt-intended"), 1);
    assert!(estate.run(["logs", "dev/shop"]).stdout.contains("went on"));
    estate.all_is_done();
}

#[test]
fn a_phase_is_taken_over_from_a_cluster_that_left_the_manifest() {
    let mut estate = Estate::new("", r#"{ name = "build", order = 0 }"#);
    let marks = estate.marked();
    estate.change("shop", |repo| repo.ci(&format!("echo ran >> {marks}\n{WAITS}")).commit("first"));
    let apply = estate.start(["apply"]);
    let container = estate.waiting();
    apply.kill();
    let other = estate.account.client.create_cluster().cluster_name("other");
    block_on(other.send()).unwrap();
    estate.edit(&format!("cluster = \"{CLUSTER}\"\nlaunch-type"), "cluster = \"other\"\nlaunch-type");
    // Only calls to the cluster that runs it can stop it.
    let again = estate.start(["apply"]);
    let cancelled = estate.run(["cancel", "dev/shop"]);
    assert_eq!(cancelled.code, 0, "{cancelled}");
    let again = again.wait();
    assert!(again.to_string().contains("cancelled"), "{again}");
    assert_eq!((estate.marks().as_str(), estate.happened("attempt-intended")), ("ran\n", 1));
    assert_eq!(estate.phases(), Vec::<String>::new());
    eventually("its container ends", || {
        (!docker(&["ps", "--quiet", "--no-trunc"]).contains(&container)).then_some(())
    });
}

/// Its agent cannot report its end; ECS's state of the container is the evidence.
#[test]
fn a_killed_container_is_lost_and_retried() {
    let ci = format!("[ $KATKIT_ATTEMPT = 1 ] || exit 0\n{WAITS}");
    let estate = Estate::new(&ci, r#"{ name = "build", order = 0 }"#);
    let apply = estate.start(["apply"]);
    docker(&["kill", &estate.waiting()]);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(estate.happened("attempt-intended"), 2);
    assert!(estate.history().contains("exited with code 137, killed by SIGKILL"), "{}", estate.history());
    estate.all_is_done();
}
