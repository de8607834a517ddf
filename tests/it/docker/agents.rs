//! Agents killed at every stage of their work, in containers that keep their blobs in a bucket.

use crate::crash::{assert_once, at_each, stages::Stage};
use crate::engines::proxy::Proxy;
use crate::engines::{Account, REGION, SECRET, docker};
use crate::world::eventually;

use super::Yard;

#[test]
fn an_agent_killed_at_any_stage_is_lost_or_found_ended_and_its_code_runs_once_per_attempt() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    at_each(&Stage::ALL, 2, |&stage| {
        let (proxy, account) =
            runtime.block_on(async { (Proxy::start_for_containers().await, Account::new().await) });
        let number = &account.number;
        let seen = format!(
            "caches = [\"/marks\"]\nenv = {{ AWS_REGION = \"{REGION}\", AWS_ACCESS_KEY_ID = \"{number}\", \
             AWS_SECRET_ACCESS_KEY = \"{SECRET}\", AWS_ENDPOINT_URL = \"{}\" }}",
            proxy.endpoint
        );
        let build = r#"{ name = "build", order = 0 }"#;
        let mut yard = Yard::new(&stage.script("/marks/ran"), build, &seen);
        let bucket = format!("s3://acme-agents-{number}/katkit");
        yard.edit("version = 1", &format!("version = 1\nblobs.url = \"{bucket}\""));
        yard.bucket = Some(bucket);
        for (name, value) in account.variables() {
            yard.with_variable(name, &value);
        }
        assert_eq!(yard.run(["bootstrap"]).code, 0);
        stage.hold(&proxy);
        let apply = yard.start(["apply"]);
        stage.reached(&proxy);
        let listed = || yard.containers("label=katkit.phase").pop();
        docker(&["kill", &eventually("the agent's container is listed", listed)]);
        let applied = apply.wait();
        assert_eq!(applied.code, 0, "{stage:?}: {applied}");
        let journal = yard.journal().join("\n");
        assert_eq!(journal.matches("attempt-intended").count(), stage.attempts(), "{stage:?}: {journal}");
        let lost = applied.stderr.contains("its container was killed");
        assert_eq!(lost, stage.attempts() == 2, "{stage:?}: {applied}");
        let marks = yard.marks();
        assert_once(&marks, &["build"], &format!("{stage:?}"));
        assert_eq!(marks, stage.marks(), "{stage:?}");
        assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0, "{stage:?}");
        yard.phases_are_gone();
    });
}
