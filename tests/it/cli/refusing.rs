//! A bucket that refuses writes: before a phase, at its start, and for its log or its final status.

use crate::engines::Account;
use crate::engines::proxy::{Fault, Proxy};
use crate::world::{ONE_LINK, Output, TELLS, World};

/// S3's answer without permission.
const DENIED: Fault = Fault::Error(
    "AccessDenied",
    "User: arn:aws:iam::1:role/x is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/k",
);

/// A world with its blobs in a bucket that refuses every path containing this.
struct Refusing {
    world: World,
    proxy: Proxy,
    _runtime: tokio::runtime::Runtime,
}

impl Refusing {
    fn new(part: &'static str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (proxy, account) = runtime.block_on(async { (Proxy::start().await, Account::new().await) });
        let blobs = format!("[blobs]\nurl = \"s3://acme-refuses-{}/katkit\"", account.number);
        let build = "[workflows.standard]\nphases = [ { name = \"build\", order = 0 } ]";
        let mut world = World::new()
            .repo("shop", |repo| repo.ci(TELLS).commit("first"))
            .manifest(&format!("{ONE_LINK}\n{blobs}\n\n{build}\n"));
        for (name, value) in account.variables() {
            world = world.variable(name, &value);
        }
        assert_eq!(world.run(["bootstrap"]).code, 0);
        proxy.fault_of(move |call| (call.name == "PUT" && call.path.contains(part)).then_some(DENIED));
        let world = world.variable("AWS_ENDPOINT_URL_S3", &proxy.endpoint);
        Self { world, proxy, _runtime: runtime }
    }

    /// The output of an `apply` that fails.
    fn refused(&self, said: &[&str]) -> Output {
        let applied = self.world.run(["apply"]);
        assert_eq!(applied.code, 1, "{applied}");
        let all = applied.to_string();
        for said in said.iter().chain(&["access denied: `s3:PutObject`"]) {
            assert!(all.contains(said), "{said:?} is not in {applied}");
        }
        applied
    }

    /// Once the bucket accepts writes, this completes the work.
    fn goes_on<const N: usize>(&self, arguments: [&str; N], ran: &str) {
        self.proxy.fault(|_, _| None);
        let applied = self.world.run(arguments);
        assert_eq!(applied.code, 0, "{applied}");
        assert_eq!(self.world.ran(), ran);
        assert_eq!(self.world.run(["plan", "--detailed-exitcode"]).code, 0);
        self.world.nothing_is_left();
    }

    fn attempts(&self) -> usize {
        self.world.journal().join("\n").matches("attempt-intended").count()
    }
}

#[test]
fn a_refused_commit_pack_holds_the_link_before_anything_begins() {
    let refusing = Refusing::new("/commits/");
    refusing.refused(&["dev/shop", "could not be written", "allow it in a policy"]);
    assert_eq!(refusing.attempts(), 0);
    refusing.goes_on(["apply"], "dev/shop build <first> 1 0");
}

#[test]
fn a_refused_phase_spec_holds_the_link_before_the_phase_begins() {
    let refusing = Refusing::new("/phase.json");
    refusing.refused(&["dev/shop", "phase.json", "could not be written", "allow it in a policy"]);
    assert_eq!(refusing.attempts(), 0);
    refusing.goes_on(["apply"], "dev/shop build <first> 1 0");
}

/// The agent has other permissions than the controller. Its code never runs.
#[test]
fn an_agent_that_may_not_write_to_the_bucket_says_so_and_runs_no_code() {
    let refusing = Refusing::new("/status.json");
    refusing.refused(&["dev/shop  build  lost (", "cannot be used for logs and status"]);
    assert_eq!(refusing.world.ran(), "");
    let attempt = refusing.attempts() + 1;
    refusing.goes_on(["retry", "dev/shop", "--apply"], &format!("dev/shop build <first> {attempt} 0"));
}

#[test]
fn a_phase_whose_log_is_refused_fails_with_the_reason() {
    let refusing = Refusing::new("/replica-0/log/");
    refusing.refused(&["`build` failed", "its output could not be stored"]);
    refusing
        .goes_on(["retry", "dev/shop", "--apply"], "dev/shop build <first> 1 0\ndev/shop build <first> 2 0");
}
