//! Statements as they are signed, and their signatures.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use insta::assert_snapshot;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::envelope::encoded;
use super::{Statement, provenance, seal, uri, verification};
use crate::audit::SigningKey;
use crate::domain::*;
use crate::journal::Build;

const ORIGIN: &str = "katkit.example.com/prod";

/// A key that OpenSSL wrote. OpenSSL derived the public half as well: `openssl pkey -pubout -outform DER | tail -c 32`.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

fn key() -> SigningKey {
    SigningKey::from_pem(ORIGIN, PEM).unwrap()
}

fn digest(digit: &str) -> ImageDigest {
    format!("sha256:{}", digit.repeat(64)).try_into().unwrap()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn phase(name: &str) -> PhaseName {
    PhaseName::new(name).unwrap()
}

fn build(images: impl IntoIterator<Item = (String, ImageDigest)>) -> Build {
    Build {
        run: RunId("14-3f2a9c".to_owned()),
        sha: CommitSha::new("c".repeat(40)).unwrap(),
        workflow: "85a9d1c2b3e4f506".to_owned(),
        phases: vec![phase("build"), phase("assets")],
        images: images.into_iter().collect(),
        time: Some((at("2026-11-30T09:00:00.9Z"), at("2026-11-30T10:01:02.000000003+01:00"))),
        found: ImageDigests::new(),
        reused: Vec::new(),
    }
}

fn provenance_of(build: &Build) -> Option<Statement> {
    provenance(ORIGIN, &"beta/shop".parse().unwrap(), "https://git.example.com/acme/shop.git", build)
}

fn evidence(images: &[(&str, String)]) -> Evidence {
    let sha = CommitSha::new("c".repeat(40)).unwrap();
    let at = at("2026-11-30T10:30:00.5Z");
    let images = images.iter().map(|(role, image)| ((*role).to_owned(), image.clone())).collect();
    let deployment =
        Deployment { sha: sha.clone(), at, images, revision: "7".to_owned(), token: None, barrier: None };
    let run = Some(RunId("14-3f2a9c".to_owned()));
    Evidence { sha, at, run, deployment: Some(deployment), clock: 0, built_by: Vec::new() }
}

fn verification_of(evidence: &Evidence) -> Option<Statement> {
    verification(ORIGIN, &"beta/shop".parse().unwrap(), evidence, Some("85a9d1c2b3e4f506"))
}

/// Over several lines, without the version of this build.
fn shown(statement: &Statement) -> String {
    let value: Value = serde_json::from_str(&statement.to_string()).unwrap();
    let version = format!("\"katkit\": \"{}\"", env!("CARGO_PKG_VERSION"));
    serde_json::to_string_pretty(&value).unwrap().replace(&version, "\"katkit\": \"<version>\"")
}

#[test]
fn provenance_names_the_commit_the_phases_and_the_images() {
    let images = [("acme/web:1".to_owned(), digest("b")), ("acme/api:1".to_owned(), digest("a"))];
    assert_snapshot!(shown(&provenance_of(&build(images)).unwrap()), @r#"
    {
      "_type": "https://in-toto.io/Statement/v1",
      "subject": [
        {
          "name": "acme/api:1",
          "digest": {
            "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          }
        },
        {
          "name": "acme/web:1",
          "digest": {
            "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          }
        }
      ],
      "predicateType": "https://slsa.dev/provenance/v1",
      "predicate": {
        "buildDefinition": {
          "buildType": "urn:katkit:build:v1",
          "externalParameters": {
            "repository": "https://git.example.com/acme/shop.git",
            "commit": "cccccccccccccccccccccccccccccccccccccccc",
            "link": "beta/shop",
            "phases": [
              "build",
              "assets"
            ]
          },
          "internalParameters": {
            "workflow": "85a9d1c2b3e4f506"
          },
          "resolvedDependencies": [
            {
              "uri": "git+https://git.example.com/acme/shop.git",
              "digest": {
                "gitCommit": "cccccccccccccccccccccccccccccccccccccccc"
              }
            }
          ]
        },
        "runDetails": {
          "builder": {
            "id": "https://katkit.example.com/prod",
            "version": {
              "katkit": "<version>"
            }
          },
          "metadata": {
            "invocationId": "beta/shop/14-3f2a9c",
            "startedOn": "2026-11-30T09:00:00Z",
            "finishedOn": "2026-11-30T09:01:02Z"
          }
        }
      }
    }
    "#);
}

#[test]
fn a_verification_summary_names_the_link_and_what_was_deployed() {
    let web = digest("b").pin("acme/web:1");
    let images = [("web", web.clone()), ("worker", web), ("cache", "redis:7".to_owned())];
    assert_snapshot!(shown(&verification_of(&evidence(&images)).unwrap()), @r#"
    {
      "_type": "https://in-toto.io/Statement/v1",
      "subject": [
        {
          "name": "acme/web:1",
          "digest": {
            "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
          }
        }
      ],
      "predicateType": "https://slsa.dev/verification_summary/v1",
      "predicate": {
        "verifier": {
          "id": "https://katkit.example.com/prod",
          "version": {
            "katkit": "<version>"
          }
        },
        "timeVerified": "2026-11-30T10:30:00Z",
        "resourceUri": "https://katkit.example.com/prod/links/beta/shop",
        "policy": {
          "uri": "https://katkit.example.com/prod/links/beta/shop/workflow",
          "annotations": {
            "workflow": "85a9d1c2b3e4f506"
          }
        },
        "verificationResult": "PASSED",
        "verifiedLevels": [
          "KATKIT_VERIFIED"
        ],
        "slsaVersion": "1.1",
        "urn:katkit:verification:v1:commit": "cccccccccccccccccccccccccccccccccccccccc",
        "urn:katkit:verification:v1:run": "14-3f2a9c"
      }
    }
    "#);
}

#[test]
fn nothing_is_said_of_no_images() {
    assert_eq!(provenance_of(&build([])), None);
    assert_eq!(verification_of(&evidence(&[("web", "acme/web:1".to_owned())])), None);
    let adopted = Evidence { run: None, ..evidence(&[("web", digest("b").pin("acme/web:1"))]) };
    assert_eq!(verification_of(&adopted), None);
}

#[test]
fn times_and_the_workflow_are_left_out_if_the_record_no_longer_has_them() {
    let images = [("acme/web:1".to_owned(), digest("b"))];
    let statement = provenance_of(&Build { time: None, ..build(images) }).unwrap();
    let value: Value = serde_json::from_str(&statement.to_string()).unwrap();
    let metadata = &value["predicate"]["runDetails"]["metadata"];
    assert_eq!(metadata.to_string(), r#"{"invocationId":"beta/shop/14-3f2a9c"}"#);
    let evidence = evidence(&[("web", digest("b").pin("acme/web:1"))]);
    let statement = verification(ORIGIN, &"beta/shop".parse().unwrap(), &evidence, None).unwrap();
    let value: Value = serde_json::from_str(&statement.to_string()).unwrap();
    let policy = &value["predicate"]["policy"];
    assert_eq!(policy.to_string(), r#"{"uri":"https://katkit.example.com/prod/links/beta/shop/workflow"}"#);
}

/// The example of the specification.
#[test]
fn what_is_signed_is_the_encoding_of_the_specification() {
    let example = encoded("http://example.com/HelloWorld", b"hello world");
    assert_eq!(example, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(encoded("", b""), b"DSSEv1 0  0 ");
    assert_eq!(encoded("é", "ü".as_bytes()), "DSSEv1 2 é 2 ü".as_bytes(), "lengths are those in bytes");
}

/// The payload and the signature in an envelope.
fn opened(envelope: &str) -> (Vec<u8>, Vec<u8>) {
    let value: Value = serde_json::from_str(envelope).unwrap();
    assert_eq!(value["payloadType"], "application/vnd.in-toto+json");
    assert_eq!(value["signatures"].as_array().unwrap().len(), 1);
    let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap()).unwrap();
    (bytes(&value["payload"]), bytes(&value["signatures"][0]["sig"]))
}

#[test]
fn an_envelope_is_one_line_that_the_public_key_verifies() {
    let statement = verification_of(&evidence(&[("web", digest("b").pin("acme/web:1"))])).unwrap();
    let envelope = seal(&statement, &key());
    assert!(!envelope.contains('\n'));
    let (payload, signature) = opened(&envelope);
    assert_eq!(payload, statement.to_string().as_bytes());
    let public = UnparsedPublicKey::new(&ED25519, BASE64.decode(PUBLIC).unwrap());
    let message = encoded("application/vnd.in-toto+json", &payload);
    assert!(public.verify(&message, &signature).is_ok());
    assert!(public.verify(&[&message, &b" "[..]].concat(), &signature).is_err());
    assert!(public.verify(&encoded("application/json", &payload), &signature).is_err());
    assert_eq!(seal(&statement, &key()), envelope, "Ed25519 signs the same message alike");
}

/// `openssl pkey -pubin -outform DER | sha256sum`.
#[test]
fn other_tools_find_the_key_by_its_fingerprint() {
    let verifier = key().verifier().clone();
    assert_snapshot!(verifier.pem(), @"
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=
    -----END PUBLIC KEY-----
    ");
    assert_snapshot!(verifier.fingerprint(), @"a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5");
}

/// A signed note begins with the name of its key: no envelope can be passed off as a note, and no note as an envelope.
#[test]
fn no_key_has_a_name_that_begins_like_an_envelope() {
    assert!(SigningKey::from_pem("DSSEv1 28 x", PEM).is_err());
}

#[test]
fn repositories_are_written_as_git_uris() {
    for (url, expected) in [
        ("https://git.example.com/acme/shop.git", "git+https://git.example.com/acme/shop.git"),
        ("ssh://git@git.example.com:2222/acme/shop", "git+ssh://git@git.example.com:2222/acme/shop"),
        ("git@github.com:acme/shop.git", "git+ssh://git@github.com/acme/shop.git"),
        ("git.example.com:/srv/shop", "git+ssh://git.example.com/srv/shop"),
        ("git+ssh://git.example.com/shop", "git+ssh://git.example.com/shop"),
        ("file:///srv/a%20b", "git+file:///srv/a%20b"),
        ("https://git.example.com/a b/ü", "git+https://git.example.com/a%20b/%C3%BC"),
    ] {
        assert_eq!(uri::repository(url), expected, "{url}");
    }
    assert_eq!(uri::installation("a.example/\"<ü>\"/"), "https://a.example/%22%3C%C3%BC%3E%22");
}

proptest! {
    /// Whatever images are called, a verifier reads the same names and digests.
    #[test]
    fn odd_names_arrive_unchanged(names in prop::collection::btree_set("[^@]{1,20}", 1..5)) {
        let images = names.iter().map(|name| (name.clone(), digest("a")));
        let (payload, _) = opened(&seal(&provenance_of(&build(images)).unwrap(), &key()));
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        let subjects = statement["subject"].as_array().unwrap();
        let found: Vec<_> = subjects.iter().map(|subject| subject["name"].as_str().unwrap()).collect();
        prop_assert_eq!(found, names.iter().collect::<Vec<_>>());
        prop_assert!(subjects.iter().all(|subject| subject["digest"]["sha256"] == "a".repeat(64)));
    }
}
