//! Agents killed at every stage of their work, in ECS tasks.

use crate::crash::{assert_once, at_each, stages::Stage};
use crate::engines::docker;
use crate::engines::proxy::Proxy;
use crate::world::eventually;

use super::estate::Estate;

#[test]
fn an_agent_killed_at_any_stage_is_lost_or_found_ended_and_its_code_runs_once_per_attempt() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    at_each(&Stage::ALL, 3, |&stage| {
        let proxy = runtime.block_on(Proxy::start_for_containers());
        let mut estate = Estate::new("", r#"{ name = "build", order = 0 }"#);
        let ci = stage.script(&estate.marked());
        estate.change("shop", |repo| repo.ci(&ci).commit("first"));
        // The emulator gives tasks an endpoint of its own; one for S3 alone takes precedence.
        estate.edit("env = {", &format!("env = {{ AWS_ENDPOINT_URL_S3 = \"{}\",", proxy.endpoint));
        stage.hold(&proxy);
        let apply = estate.start(["apply"]);
        stage.reached(&proxy);
        // The engine may list a container only after its program has begun.
        let container = eventually("the agent's container is listed", || estate.containers().pop());
        docker(&["kill", &container]);
        let applied = apply.wait();
        assert_eq!(applied.code, 0, "{stage:?}: {applied}");
        let history = estate.history();
        assert_eq!(estate.happened("attempt-intended"), stage.attempts(), "{stage:?}: {history}");
        let lost = history.contains("exited with code 137, killed by SIGKILL");
        assert_eq!(lost, stage.attempts() == 2, "{stage:?}: {history}");
        let marks = estate.marks();
        assert_once(&marks, &["build"], &format!("{stage:?}"));
        assert_eq!(marks.trim(), stage.marks(), "{stage:?}");
        assert_eq!(estate.containers(), Vec::<String>::new(), "{stage:?}");
        estate.all_is_done();
    });
}
