//! The same commands with state and blobs in AWS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::audit::PEM;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::{Account, ENDPOINT};
use crate::world::{ONE_LINK, TELLS, World};

const PHASES: &str = r#"
[workflows.standard]
phases = [
  { name = "build", order = 0, artifacts = ["report.txt"] },
  { name = "deploy", order = 1, kind = "deployment" },
]
"#;

/// Bucket names are unique across accounts.
fn bucket(account: &str) -> String {
    format!("acme-deploys-{account}")
}

fn manifest(account: &str) -> String {
    let stores =
        "[state]\nbackend = \"dynamodb\"\ntable = \"deploys\"\n\n[blobs]\nurl = \"s3://@BUCKET@/kat kit\"\n";
    format!("{ONE_LINK}\n{stores}\n{PHASES}").replace("@BUCKET@", &bucket(account))
}

/// A world whose manifest keeps everything in an account of its own.
fn world(account: &Account) -> World {
    let script = format!("{TELLS}echo all good > report.txt\n");
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(&script).description("acme/web:<hubtag>").commit("first"))
        .manifest(&manifest(&account.number));
    for (name, value) in account.variables() {
        world = world.variable(name, &value);
    }
    world
}

fn account() -> Account {
    block_on(Account::new())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn from_bootstrap_to_a_retry_everything_works() {
    let account = account();
    let (world, bucket) = (world(&account), bucket(&account.number));
    let made = world.run(["bootstrap"]);
    assert_eq!(made.code, 0, "{made}");
    assert!(made.stdout.contains("created  DynamoDB table `deploys`"), "{made}");
    assert!(made.stdout.contains(&format!("created  S3 bucket `{bucket}`")), "{made}");
    let again = world.run(["bootstrap"]);
    let present = format!("present  DynamoDB table `deploys`\npresent  S3 bucket `{bucket}`\n");
    assert_eq!(again.stdout, present, "{again}");

    world.apply();
    assert_eq!(world.ran(), "dev/shop build <first> 1 0");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    let plan = world.run(["plan", "--detailed-exitcode", "--verbose"]);
    assert_eq!(plan.code, 0, "{plan}");
    assert!(plan.stderr.contains("calls to AWS: ") && plan.stderr.contains("DynamoDB.Query"), "{plan}");

    let logs = world.run(["logs", "-f", "dev/shop", "--attempt", "1"]);
    assert_eq!((logs.code, logs.stdout.as_str()), (0, "build in DEV\n"), "{logs}");
    let status = world.run(["status"]);
    assert!(status.code == 0 && status.stdout.contains("dev/shop"), "{status}");

    let artifacts = world.run(["artifacts", "dev/shop", "--url", "--expires", "5", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&artifacts.stdout).unwrap();
    let url = listed["files"][0]["url"].as_str().unwrap_or_else(|| panic!("{artifacts}"));
    assert!(url.starts_with(ENDPOINT) && url.contains("X-Amz-Expires=300"), "{url}");
    // Output has commits replaced by their messages.
    let url = url.replace("<first>", world.sha("first"));
    let fetched = std::process::Command::new("curl").args(["-fsS", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&fetched.stdout), "all good\n", "{fetched:?}");

    let retried = world.run(["retry", "dev/shop", "--phase", "build"]);
    assert_eq!(retried.code, 0, "{retried}");
    world.apply();
    assert_eq!(world.ran().lines().count(), 2, "{}", world.ran());
}

#[test]
fn an_approval_counts_for_the_identity_that_aws_verified_whatever_name_the_caller_takes() {
    let account = account();
    let world = world(&account).variable("KATKIT_ACTOR", "ben");
    world.edit("[tenants.dev]\n", "[tenants.dev]\npolicy = \"office\"\n");
    let manifest = world.read("katkit.toml");
    let rule = "approvals = [{ from = [\"ben\"], assurance = \"aws\" }]";
    world.write("katkit.toml", &format!("{manifest}\n[people]\nben = {{}}\n\n[policies.office]\n{rule}\n"));
    assert_eq!(world.run(["bootstrap"]).code, 0);
    let held = world.run(["apply", "--yes", "--strict"]);
    assert_eq!((held.code, world.ran()), (3, String::new()), "{held}");
    let approve = || world.run(["approve", "dev/shop", world.sha("first")]);
    let refused = approve();
    let arn = refused.stderr.split("the identity ").nth(1).and_then(|rest| rest.split(',').next());
    let arn = arn.filter(|arn| arn.starts_with("arn:aws:")).unwrap_or_else(|| panic!("{refused}"));
    world.edit("ben = {}", &format!("ben.aws = [\"{arn}\"]"));
    assert_eq!(world.run(["freeze", "dev", "--until", "1h", "--why", "audit"]).code, 0);
    let approved = approve();
    assert_eq!(approved.code, 0, "{approved}");
    // The phase runs, and the deployment waits for the end of the freeze.
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_eq!(world.ran(), "dev/shop build <first> 1 0");
    assert_eq!(world.run(["thaw", "1"]).code, 0);
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));

    // An audit finds the approval by that identity, and verifies the table.
    world.write("audit.pem", PEM);
    world.edit(
        "[people]",
        "[audit]\norigin = \"katkit.example.com\"\nsigning-key = \"file:audit.pem\"\n\n[people]",
    );
    let found = world.shell(&format!("katkit audit --who {arn} --kind approval,freeze,thaw"));
    for (number, kind) in ["freeze 1 of dev", "approval 2 of <first>", "ended freeze 1"].iter().enumerate() {
        assert!(found.stdout.lines().nth(number).is_some_and(|line| line.contains(kind)), "{found}");
    }
    let signed = world.shell("katkit audit checkpoint > kept.note; katkit audit key > audit.key");
    assert_eq!(signed.code, 0, "{signed}");
    assert_eq!(world.run(["audit", "export", "evidence"]).code, 0);
    let verify = |what: &str| {
        world.shell(&format!("katkit audit verify {what} --key audit.key --checkpoint kept.note"))
    };
    for what in ["", "evidence"] {
        let verified = verify(what);
        assert!(verified.code == 0 && verified.stdout.contains("covers all entries"), "{verified}");
    }
}

#[test]
fn missing_and_wrong_resources_are_reported_with_a_hint() {
    let account = account();
    let world = world(&account);
    let missing = world.run(["plan"]);
    assert_eq!(missing.code, 1);
    assert_eq!(
        missing.stderr,
        "error: there is no DynamoDB table `deploys`\n \
         hint: `katkit bootstrap` creates it; if it exists elsewhere, set `region` in `[state]`\n"
    );

    let wrong = world.variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let wrong = wrong.run(["plan"]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.stderr.contains("AWS did not answer `dynamodb:GetItem` on table deploys: ")
            && wrong.stderr.contains("Connection refused")
            && wrong.stderr.contains("hint: check the network"),
        "{wrong}"
    );
}

#[test]
fn an_error_of_aws_names_the_setting_or_permission_to_change() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let account = account();
    let world = world(&account);
    assert_eq!(world.run(["bootstrap"]).code, 0);
    let world = world.variable("AWS_ENDPOINT_URL_DYNAMODB", &proxy.endpoint);
    for (kind, message, said, hint) in [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/ana is not authorized to perform: dynamodb:GetItem on resource: \
             arn:aws:dynamodb:eu-central-1:1:table/deploys because no identity-based policy allows it",
            "access denied: `dynamodb:GetItem` on `arn:aws:dynamodb:eu-central-1:1:table/deploys` is not allowed to \
             arn:aws:iam::1:user/ana",
            "`katkit bootstrap --print` shows what katkit needs",
        ),
        ("ExpiredTokenException", "expired", "the AWS credentials have expired", "aws sso login"),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "AWS rejected the credentials: The security token included in the request is invalid.",
            "aws sts get-caller-identity",
        ),
        (
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z",
            "the clock of this machine is wrong: Signature expired",
            "NTP",
        ),
    ] {
        proxy.fault(move |_, _| Some(Fault::Error(kind, message)));
        let plan = world.run(["plan"]);
        assert_eq!(plan.code, 1, "{plan}");
        assert!(plan.stderr.contains(said), "{said:?} is not in {plan}");
        assert!(plan.stderr.contains("hint: ") && plan.stderr.contains(hint), "{hint:?} is not in {plan}");
    }
}

#[test]
fn a_bucket_in_another_region_is_reported_with_that_region() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let account = account();
    let world = world(&account);
    assert_eq!(world.run(["bootstrap"]).code, 0);
    let world = world.variable("AWS_ENDPOINT_URL_S3", &proxy.endpoint);
    proxy.fault(|_, _| Some(Fault::Elsewhere("us-west-2")));
    for command in ["verify", "apply", "bootstrap"] {
        let refused = world.run([command]);
        assert_eq!(refused.code, 1, "{refused}");
        let said = refused.unbroken().to_string();
        assert!(said.contains("is in us-west-2"), "{command}: {said}");
        assert!(said.contains("set `region = \"us-west-2\"` in the manifest"), "{command}: {said}");
    }
}

#[test]
fn missing_credentials_or_region_are_reported_with_what_to_set() {
    let world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&manifest("1"))
        .variable("AWS_EC2_METADATA_DISABLED", "true");
    let nowhere = world.run(["plan"]);
    assert!(nowhere.stderr.contains("no AWS region is set"), "{nowhere}");
    let world = world.variable("AWS_REGION", "eu-central-1");
    let nobody = world.run(["plan"]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.stderr.contains("no AWS credentials were found")
            && nobody.stderr.contains("hint: set AWS_PROFILE"),
        "{nobody}"
    );
    let mistaken = world.variable("AWS_PROFILE", "produktion").run(["plan"]);
    assert!(
        mistaken.stderr.contains("no AWS credentials were found in the profile `produktion`")
            && mistaken.stderr.contains("hint: `aws configure list-profiles` shows"),
        "{mistaken}"
    );
}

#[test]
fn bootstrap_print_shows_what_it_would_create_without_calling_aws() {
    let world = World::new().manifest(&manifest("1")).variable("AWS_REGION", "eu-central-1");
    let shown = world.run(["bootstrap", "--print", "--account", "123456789012"]);
    assert_eq!(shown.code, 0, "{shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["table"]["TableName"], "deploys");
    assert_eq!(shown["bucket"]["name"], "acme-deploys-1");
    assert_eq!(
        shown["policies"]["reader"]["Statement"][0]["Resource"][0],
        "arn:aws:dynamodb:eu-central-1:123456789012:table/deploys"
    );
    // The agents of a process fleet act as the user who runs katkit.
    assert!(shown["policies"].get("agent").is_none(), "{shown}");
    assert!(shown["notes"].to_string().contains("as the user who runs katkit"), "{shown}");
}

#[test]
fn bootstrap_reports_changed_settings_and_leaves_them() {
    let account = account();
    let world = world(&account);
    assert_eq!(world.run(["bootstrap"]).code, 0);
    block_on(async {
        let client = account.aws.dynamodb(&katkit::aws::AwsLocation::default()).await.unwrap();
        let unprotected = client.update_table().table_name("deploys").deletion_protection_enabled(false);
        unprotected.send().await.unwrap();
    });
    for _ in 0..2 {
        let again = world.run(["bootstrap"]);
        assert!(
            again.code == 0
                && again.stdout.contains("differs  DynamoDB table `deploys`: deletion protection is off"),
            "{again}"
        );
    }
}

/// How long the bucket is unreachable.
const AWAY: Duration = Duration::from_mins(1);

/// The agent keeps running while the bucket is unreachable, and loses none of its code's output.
#[test]
fn a_bucket_outage_of_a_minute_loses_no_output() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let account = runtime.block_on(Account::new());
    let lines = 400_000;
    let script = format!(
        "echo good > report.txt\necho begun > @OUT@/begun\nwhile [ ! -e @OUT@/away ]; do sleep 0.05; done\nseq 1 {lines}\necho printed > @OUT@/printed\n"
    );
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(&script).description("acme/web:<hubtag>").commit("first"))
        .manifest(&manifest(&account.number));
    for (name, value) in account.variables() {
        world = world.variable(name, &value);
    }
    assert_eq!(world.run(["bootstrap"]).code, 0);
    // Only S3 goes through the proxy.
    let world = world.variable("AWS_ENDPOINT_URL_S3", &proxy.endpoint);
    let applying = world.start(["apply"]);
    world.appears("begun");
    // From now on nothing the agent stores arrives; reads are still answered.
    proxy.fault(|name, _| (name == "PUT").then_some(Fault::Refuse));
    world.release("away");
    // Two and a half megabytes: more than the pipe and the agent's memory hold.
    world.appears("printed");
    let away = Instant::now();
    crate::world::eventually("the agent is refused again and again, for all of the time", || {
        let refused = proxy.calls().get("PUT").copied().unwrap_or(0);
        (refused > 15 && away.elapsed() >= AWAY).then_some(())
    });
    proxy.fault(|_, _| None);
    let applied = applying.wait();
    assert_eq!(applied.code, 0, "{applied}");
    let logs = world.run(["logs", "dev/shop"]);
    let printed: String = (1..=lines).map(|line| format!("{line}\n")).collect();
    assert!(logs.stdout == printed, "{} bytes instead of {}", logs.stdout.len(), printed.len());
}

/// Longer than the heartbeat interval, and shorter than the SDK's time-out for an answer.
const SLOW: Duration = Duration::from_secs(12);

/// The controller declares an agent dead when its heartbeat stops, and its artifacts may take longer to store than
/// that.
#[test]
fn an_agent_sends_heartbeats_while_it_stores_the_rest_of_a_phase() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let account = runtime.block_on(Account::new());
    let world = world(&account);
    assert_eq!(world.run(["bootstrap"]).code, 0);
    let (storing, beats) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (begun, beat) = (Arc::clone(&storing), Arc::clone(&beats));
    proxy.fault_of(move |call| {
        if call.name == "PUT" && call.path.contains("/artifacts/") {
            begun.store(true, Ordering::Relaxed);
            return Some(Fault::Delay(SLOW));
        }
        if call.name == "PUT" && call.path.contains("/status.json") && begun.load(Ordering::Relaxed) {
            beat.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let world = world.variable("AWS_ENDPOINT_URL_S3", &proxy.endpoint);
    world.apply();
    assert!(storing.load(Ordering::Relaxed));
    // One of them is the final status.
    let written = beats.load(Ordering::Relaxed);
    assert!(written >= 3, "{written}");
    assert_eq!(world.ran(), "dev/shop build <first> 1 0");
}
