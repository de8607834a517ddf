//! Agents killed at every stage of their work, as processes on this machine.

use std::fs;

use rustix::process::{Signal, kill_process};

use super::stages::Stage;
use crate::engines::Account;
use crate::engines::proxy::Proxy;
use crate::world::{ONE_LINK, World};

#[test]
fn an_agent_killed_at_any_stage_is_lost_or_found_ended_and_its_code_runs_once_per_attempt() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for stage in Stage::ALL {
        let (proxy, account) = runtime.block_on(async { (Proxy::start().await, Account::new().await) });
        let blobs = format!("[blobs]\nurl = \"s3://acme-agents-{}/katkit\"", account.number);
        let build = "[workflows.standard]\nphases = [ { name = \"build\", order = 0 } ]";
        let mut world = World::new()
            .repo("shop", |repo| repo.ci(&stage.script("@OUT@/ran")).commit("first"))
            .manifest(&format!("{ONE_LINK}\n{blobs}\n\n{build}\n"));
        for (name, value) in account.variables() {
            world = world.variable(name, &value);
        }
        assert_eq!(world.run(["bootstrap"]).code, 0);
        let world = world.variable("AWS_ENDPOINT_URL_S3", &proxy.endpoint);
        stage.hold(&proxy);
        let apply = world.start(["apply"]);
        stage.reached(&proxy);
        kill_process(super::agent(&world), Signal::KILL).unwrap();
        let applied = apply.wait();
        assert_eq!(applied.code, 0, "{stage:?}: {applied}");
        let journal = world.journal().join("\n");
        assert_eq!(journal.matches("attempt-intended").count(), stage.attempts(), "{stage:?}: {journal}");
        let lost = applied.stderr.contains("lost (") && applied.stderr.contains("; retrying");
        assert_eq!(lost, stage.attempts() == 2, "{stage:?}: {applied}");
        let ran = fs::read_to_string(world.path("out/ran")).unwrap();
        assert_eq!(ran.trim(), stage.marks(), "{stage:?}");
        super::is_over(&world);
    }
}
