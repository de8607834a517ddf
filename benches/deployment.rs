//! A deployment of one role on ECS, against five bare calls to the same service on one connection.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_sdk_ecs::types::ContainerDefinition;
use katkit::aws::ecs::{Cluster, Tasks};
use katkit::aws::{Aws, AwsLocation};
use katkit::domain::{DeployOutcome, NameTemplate, Strategy, Token};
use katkit::platform::ecs::{EcsPlatform, POLL, Services};
use katkit::platform::{NoFencing, Platform, Upgrade};
use measure::engines::{self, ADDRESS};
use measure::{Cost, in_turn, ms, ratio};

const RUNS: usize = 40;

fn main() {
    engines::up();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let number = engines::number();
    let aws = runtime.block_on(engines::account(&number));
    let cluster = Cluster::new(aws.clone(), AwsLocation::default(), "bench".to_owned());
    let services = Services::new(cluster.clone(), POLL);
    let names = NameTemplate::new("{role}").expect("a template");
    let platform = EcsPlatform::new(services, Tasks::new(cluster, POLL), names);
    // A service without tasks is stable at once: this measures katkit, not the start of a container.
    runtime.block_on(create(&aws));

    let mut version = 0;
    let mut ours = || {
        version += 1;
        let upgrade = Upgrade {
            token: Token(format!("{version:032x}")),
            link: "dev/shop".parse().expect("a link"),
            formerly: Vec::new(),
            images: vec![("web".to_owned(), format!("acme/web:{version}"))],
            description: String::new(),
            known: None,
            strategy: Strategy::Ordered,
            timeout: Duration::from_mins(1),
        };
        let (before, tidied) = (aws.calls().total().sent, tidied(&aws));
        let began = Instant::now();
        let ended = runtime.block_on(async {
            let deployment = platform.upgrade(&upgrade, &NoFencing).await.expect("it begins");
            platform.watch(&upgrade, &deployment, &NoFencing).await.expect("it ends")
        });
        let wall = began.elapsed();
        assert_eq!(ended.outcome, DeployOutcome::Deployed);
        let calls = aws.calls().total().sent - before;
        assert!(calls == 5 || self::tidied(&aws) > tidied, "{}", aws.calls());
        Cost { wall, system: Duration::ZERO, peak: 0.0 }
    };
    let mut bare = Bare::connect(&number);
    let mut theirs = || {
        let began = Instant::now();
        for _ in 0..5 {
            bare.describe();
        }
        Cost { wall: began.elapsed(), system: Duration::ZERO, peak: 0.0 }
    };
    // A warm-up: both have their connections.
    ours();
    theirs();
    let (ours, theirs) = in_turn(RUNS, &mut ours, &mut theirs);
    println!(
        "deployment of one role, 5 calls: katkit {:.1} ms, five bare calls {:.1} ms, ratio {:.2} (goal 3)",
        ms(ours.wall),
        ms(theirs.wall),
        ratio(ours, theirs)
    );
}

/// How often old revisions were deregistered, which happens after every tenth and is not part of a deployment.
fn tidied(aws: &Aws) -> u64 {
    aws.calls().by_name().get("ECS.ListTaskDefinitions").map_or(0, |count| count.sent)
}

async fn create(aws: &Aws) {
    let client = aws.ecs(&AwsLocation::default()).await.expect("a client");
    client.create_cluster().cluster_name("bench").send().await.expect("a cluster");
    let container = ContainerDefinition::builder().name("web").image("acme/web:0").memory(32).build();
    let register = client.register_task_definition().family("bench-web").container_definitions(container);
    register.send().await.expect("a task definition");
    let create = client.create_service().cluster("bench").service_name("web").task_definition("bench-web");
    create.desired_count(0).send().await.expect("a service");
}

/// One connection with minimal requests.
struct Bare {
    stream: BufReader<TcpStream>,
    account: String,
}

impl Bare {
    fn connect(account: &str) -> Self {
        let stream = TcpStream::connect(ADDRESS).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream: BufReader::new(stream), account: account.to_owned() }
    }

    fn describe(&mut self) {
        let body = r#"{"cluster":"bench","services":["web"]}"#;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {ADDRESS}\r\nContent-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeServices\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/eu-central-1/ecs/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.account,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the request is sent");
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("an answer");
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("a body");
        assert!(answer.windows(6).any(|six| six == b"ACTIVE"), "{}", String::from_utf8_lossy(&answer));
    }
}
