//! `attest`: signed statements about images, which other tools verify.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use insta::assert_snapshot;
use regex::Regex;
use serde_json::Value;

use super::audit::PEM;
use super::pinning::{ALONE, LISTED, PIPELINE, beta_is_live, stable, world};
use crate::engines;
use crate::image_registry::ImageRegistry;
use crate::world::{Output, World};

/// What [`world`] builds, with a key that signs.
fn signing(registry: &ImageRegistry, links: &str, build: &str) -> World {
    let world = world(registry, links, build);
    let audit = "[audit]\norigin = \"katkit.example.com/prod\"\nsigning-key = \"file:audit.pem\"\n";
    world.edit("version = 1\n", &format!("version = 1\n\n{audit}"));
    world.write("audit.pem", PEM);
    world
}

/// Writes a statement to a file.
fn attest(world: &World, arguments: &str, file: &str) -> Output {
    let made =
        world.shell(&format!("katkit attest {arguments} > {file}; katkit audit key --pem > audit.pub"));
    assert_eq!(world.read(file).lines().count(), 1, "{made}");
    made
}

/// The statement in an envelope.
fn statement(world: &World, file: &str) -> Value {
    let envelope: Value = serde_json::from_str(&world.read(file)).unwrap();
    let payload = BASE64.decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// The same in every run.
fn shown(world: &World, statement: &Value, registry: &ImageRegistry, digest: &str) -> String {
    let text = serde_json::to_string_pretty(statement).unwrap();
    let text = text.replace(&digest["sha256:".len()..], "<digest>").replace(world.sha("first"), "<first>");
    let text = text.replace(world.path(".").to_str().unwrap().trim_end_matches("/."), "<world>");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "<version>").replace(&registry.host(), "<registry>");
    let filters = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"\b\d+-[0-9a-f]{6}\b", "<run>"),
        (r#""workflow": "[0-9a-f]{16}""#, r#""workflow": "<workflow>""#),
    ];
    let replaced = |text: String, (from, to): &(&str, &str)| {
        Regex::new(from).unwrap().replace_all(&text, *to).into_owned()
    };
    filters.iter().fold(text, replaced)
}

fn subject_digest(statement: &Value) -> String {
    format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap())
}

/// Runs the code of a document in a world.
fn python(world: &World, code: &str) -> (bool, String) {
    let python = Command::new(engines::python()).args(["-c", code]).current_dir(world.path(".")).output();
    let output = python.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The commands of `docs/attestations.md` in one language.
fn documented(language: &str) -> Vec<String> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/attestations.md");
    let docs = fs::read_to_string(docs).unwrap();
    let fence = format!("```{language}\n");
    docs.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn a_build_and_what_it_passed_are_attested_and_other_tools_verify_it() {
    let registry = ImageRegistry::start();
    let world = signing(&registry, PIPELINE, LISTED);
    beta_is_live(&world);
    let made = attest(&world, "provenance beta/shop", "provenance.json");
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    let provenance = statement(&world, "provenance.json");
    let digest = subject_digest(&provenance);
    assert!(world.deployed("beta/shop").contains(&digest), "it is what runs");
    assert_snapshot!(shown(&world, &provenance, &registry, &digest), @r#"
    {
      "_type": "https://in-toto.io/Statement/v1",
      "subject": [
        {
          "name": "<registry>/acme/web:<first>",
          "digest": {
            "sha256": "<digest>"
          }
        }
      ],
      "predicateType": "https://slsa.dev/provenance/v1",
      "predicate": {
        "buildDefinition": {
          "buildType": "urn:katkit:build:v1",
          "externalParameters": {
            "repository": "file://<world>/repos/shop",
            "commit": "<first>",
            "link": "beta/shop",
            "phases": [
              "build"
            ]
          },
          "internalParameters": {
            "workflow": "<workflow>"
          },
          "resolvedDependencies": [
            {
              "uri": "git+file://<world>/repos/shop",
              "digest": {
                "gitCommit": "<first>"
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
            "invocationId": "beta/shop/<run>",
            "startedOn": "<time>",
            "finishedOn": "<time>"
          }
        }
      }
    }
    "#);
    attest(&world, &format!("verification beta/shop {}", &world.sha("first")[..7]), "passed.json");
    let passed = statement(&world, "passed.json");
    assert_eq!(subject_digest(&passed), digest);
    assert_snapshot!(shown(&world, &passed, &registry, &digest), @r#"
    {
      "_type": "https://in-toto.io/Statement/v1",
      "subject": [
        {
          "name": "<registry>/acme/web:<first>",
          "digest": {
            "sha256": "<digest>"
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
        "timeVerified": "<time>",
        "resourceUri": "https://katkit.example.com/prod/links/beta/shop",
        "policy": {
          "uri": "https://katkit.example.com/prod/links/beta/shop/workflow",
          "annotations": {
            "workflow": "<workflow>"
          }
        },
        "verificationResult": "PASSED",
        "verifiedLevels": [
          "KATKIT_VERIFIED"
        ],
        "slsaVersion": "1.1",
        "urn:katkit:verification:v1:commit": "<first>",
        "urn:katkit:verification:v1:run": "<run>"
      }
    }
    "#);

    let mut commands = documented("sh").into_iter();
    let openssl = commands.find(|commands| commands.contains("openssl pkeyutl")).unwrap();
    let [securesystemslib] = documented("python").try_into().unwrap();
    let verified = world.shell(&openssl);
    assert!(verified.stdout.contains("Signature Verified Successfully"), "{verified}");
    assert_eq!(python(&world, &securesystemslib), (true, String::new()));
    // The digest of an image is that of its manifest, which is a file like any other.
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
    let manifest = format!("http://{}/v2/acme/web/manifests/{}", registry.host(), world.sha("first"));
    let fetched = world.shell(&format!("curl -fs -H '{accept}' {manifest} | sha256sum"));
    assert!(fetched.stdout.starts_with(&digest["sha256:".len()..]), "{fetched}");

    // Another payload under the same signature.
    let envelope = world.read("provenance.json");
    let payload = provenance.to_string();
    let changed = BASE64.encode(payload.replace("beta/shop", "prod/shop"));
    world.write("provenance.json", &envelope.replace(&BASE64.encode(&payload), &changed));
    assert_ne!(world.read("provenance.json"), envelope);
    assert_ne!(world.shell(&openssl).code, 0);
    let (accepted, said) = python(&world, &securesystemslib);
    assert!(!accepted && said.contains("VerificationError"), "{said}");
}

#[test]
fn a_stage_that_reused_a_build_attests_only_what_it_passed_there() {
    let registry = ImageRegistry::start();
    let world = signing(&registry, PIPELINE, LISTED);
    beta_is_live(&world);
    assert_snapshot!(world.run(["attest", "verification", "prod/shop"]), @"
    ----- stderr -----
    error: nothing is live in `prod/shop`, and nothing was verified there
     hint: name a commit
    ----- exit 1
    ");
    assert_eq!(world.run(["promote", "prod/shop"]).code, 0);
    world.apply();
    assert_snapshot!(world.run(["attest", "provenance", "prod/shop"]), @"
    ----- stderr -----
    error: `prod/shop` did not build <first>: `build` did not run there, since `beta/shop` had built its images
     hint: use `katkit attest provenance beta/shop <first>`
    ----- exit 1
    ");
    let hinted = world.shell(&format!("katkit attest provenance beta/shop {}", world.sha("first")));
    assert_eq!(hinted.code, 0, "{hinted}");
    attest(&world, "verification prod/shop", "prod.json");
    attest(&world, "verification beta/shop", "beta.json");
    let [prod, beta] = ["prod.json", "beta.json"].map(|file| statement(&world, file));
    assert_eq!(prod["subject"], beta["subject"]);
    assert_ne!(prod["predicate"]["resourceUri"], beta["predicate"]["resourceUri"]);
}

#[test]
fn only_what_is_on_record_is_attested() {
    let registry = ImageRegistry::start();
    let mut world = signing(&registry, ALONE, "build");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop"]), @"
    ----- stderr -----
    error: nothing is live in `dev/shop`, and nothing was verified there
     hint: name a commit
    ----- exit 1
    ");
    world.apply();
    // Pushed, but not listed: the digest is that of the registry.
    assert_snapshot!(stable(&world.run(["attest", "provenance", "dev/shop"]), &registry, &[]), @"
    ----- stderr -----
    error: no phase of `dev/shop` listed an image that it built for <first>: the digest of `<registry>/acme/web:<first>` is that of its registry, which does not say what built it
     hint: let the phase that builds an image list it in `katkit-images.txt`, and build a new commit
    ----- exit 1
    ");
    assert_eq!(world.run(["attest", "verification", "dev/shop"]).code, 0);

    world.change("shop", |repo| repo.file("code", "2").commit("second"));
    world.apply();
    let second = world.sha("second").to_owned();
    assert_eq!(world.run(["rollback", "dev/shop", "--why", "slow", "--apply"]).code, 0);
    assert_snapshot!(world.run(["attest", "verification", "dev/shop", &second]), @"
    ----- stderr -----
    error: <second> was rolled back in `dev/shop`: slow
     hint: `katkit why dev/shop <second>` explains it
    ----- exit 1
    ");
    assert_eq!(world.run(["attest", "verification", "dev/shop"]).code, 0, "the first is live again");

    for unknown in ["abcdef1", &"f".repeat(40)] {
        assert_eq!(world.run(["attest", "verification", "dev/shop", unknown]).code, 1);
    }
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop", "abcdef1"]), @"
    ----- stderr -----
    error: no commit that begins with `abcdef1` ran in `dev/shop`
     hint: `katkit history dev/shop` shows its runs
    ----- exit 1
    ");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop", &"f".repeat(40)]), @"
    ----- stderr -----
    error: no run of `dev/shop` for ffffffffff is on record
     hint: `katkit history dev/shop` shows its runs
    ----- exit 1
    ");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop", "main"]), @"
    ----- stderr -----
    error: `main` is not a commit
     hint: name a commit by its sha, or by a prefix of at least four digits
    ----- exit 64
    ");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shpo"]), @"
    ----- stderr -----
    error: there is no link `dev/shpo`
     hint: did you mean `dev/shop`?
    ----- exit 64
    ");
    world.edit("signing-key = \"file:audit.pem\"", "signing-key = \"env:AUDIT_KEY\"");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop"]), @"
    ----- stderr -----
    error: the signing key: the environment variable `AUDIT_KEY` is not set
     hint: set the variable or write the file on the machine that makes attestations
    ----- exit 1
    ");
    world.edit("[audit]\norigin = \"katkit.example.com/prod\"\nsigning-key = \"env:AUDIT_KEY\"\n", "");
    assert_snapshot!(world.run(["attest", "provenance", "dev/shop"]), @r#"
    ----- stderr -----
    error: the manifest has no key to sign attestations with
     hint: create a key with `openssl genpkey -algorithm ed25519 -out audit.pem`, and add `[audit]` with `origin` and `signing-key = "file:audit.pem"`
    ----- exit 1
    "#);
}

#[test]
fn an_image_that_was_deployed_by_tag_was_built_but_not_verified() {
    let registry = ImageRegistry::start();
    let world = signing(&registry, ALONE, LISTED);
    world.edit("policy = \"pinned\"\n", "");
    world.apply();
    assert_eq!(world.run(["attest", "provenance", "dev/shop"]).code, 0);
    assert_snapshot!(stable(&world.run(["attest", "verification", "dev/shop"]), &registry, &[]), @r#"
    ----- stderr -----
    error: `dev/shop` deployed <first> by tag, and nothing says what `<registry>/acme/web:<first>` contained
     hint: add `digest = "pinned"` to the policy of the tenant, and deploy a new commit
    ----- exit 1
    "#);
}

#[test]
fn a_statement_survives_a_rename_and_says_less_after_a_prune() {
    let registry = ImageRegistry::start();
    let mut world = signing(&registry, ALONE, LISTED);
    world.apply();
    world.change("shop", |repo| repo.file("code", "2").commit("second"));
    world.apply();
    let first = world.sha("first").to_owned();
    let predicate = |world: &World, arguments: &str| {
        let made = attest(world, arguments, "statement.json");
        assert_eq!(made.code, 0, "{made}");
        statement(world, "statement.json")["predicate"].clone()
    };
    let before = predicate(&world, &format!("verification dev/shop {first}"));
    world.edit("tenants.dev", "tenants.qa");
    world.edit("[audit]", "[[moved]]\nfrom = \"dev\"\nto = \"qa\"\n\n[audit]");
    world.apply();
    let built = predicate(&world, &format!("provenance qa/shop {first}"));
    assert_eq!(built["buildDefinition"]["externalParameters"]["commit"], first);
    let renamed = predicate(&world, &format!("verification qa/shop {first}"));
    assert_eq!(renamed["timeVerified"], before["timeVerified"]);
    assert_eq!(renamed["policy"]["annotations"], before["policy"]["annotations"]);
    world.change("shop", |repo| repo.file("code", "3").commit("third"));
    world.apply();
    assert_eq!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]).code, 0);
    let pruned = predicate(&world, &format!("verification qa/shop {first}"));
    assert_eq!(pruned["timeVerified"], before["timeVerified"]);
    assert_eq!(pruned["policy"]["annotations"], Value::Null, "its run is no longer on record");
    assert_snapshot!(world.run(["attest", "provenance", "qa/shop", &first]), @"
    ----- stderr -----
    error: no run of `qa/shop` for <first> is on record
     hint: `katkit history qa/shop` shows its runs
    ----- exit 1
    ");
    predicate(&world, "provenance qa/shop");
}

#[test]
fn an_image_that_no_phase_listed_is_left_out_of_provenance_and_named() {
    let registry = ImageRegistry::start();
    let mut world = signing(&registry, ALONE, LISTED);
    let host = registry.host();
    let description = format!(
        "{{ \"Roles\": [{{ \"Name\": \"web\", \"DockerImage\": \"{host}/acme/web:<hubtag>\" }},\n\
         {{ \"Name\": \"cache\", \"DockerImage\": \"{host}/acme/cache:<hubtag>\" }}] }}"
    );
    let file = "servicedescription/servicedescription.js";
    world.change("shop", |repo| repo.file(file, &description).commit("second"));
    registry.push("acme/cache", world.sha("second"), "cache");
    world.apply();
    let made = attest(&world, "provenance dev/shop", "provenance.json");
    assert_eq!(
        stable(&made.stderr, &registry, &[]),
        "left out: <registry>/acme/cache:<second>, which no phase listed\n"
    );
    let made = attest(&world, "verification dev/shop", "passed.json");
    assert_eq!(made.stderr, "");
    let subjects = ["provenance.json", "passed.json"].map(|file| statement(&world, file)["subject"].clone());
    assert_eq!(subjects.map(|subjects| subjects.as_array().unwrap().len()), [1, 2]);
}
