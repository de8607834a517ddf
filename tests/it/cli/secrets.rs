//! Secrets reach the phase, and nothing else.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::world::World;

const PASSWORD: &str = "correct-horse-battery";
const TOKEN: &str = "tok_9f8e7d6c5b4a";

fn world(phases: &str) -> World {
    let world = World::shop_with(phases).variable("DOCKER_PASS", PASSWORD);
    world.write("token.txt", &format!("{TOKEN}\n"));
    world.edit(
        "[tenants.dev]",
        "[tenants.dev]\nsecrets = { PASS = \"env:DOCKER_PASS\", TOKEN = \"file:token.txt\" }",
    );
    world
}

/// Every file below a directory that contains the text.
fn files_with(directory: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn secrets_reach_the_code_and_are_masked_wherever_it_prints_them() {
    let world = world(
        r#"{ name = "build", order = 0, artifacts = ["out.txt"], run = """
        test "$PASS" = "correct-horse-battery" && test "$TOKEN" = tok_9f8e7d6c5b4a && touch @OUT@/arrived
        echo "login with $PASS and $TOKEN"
        printf 'correct-'; sleep 0.05; printf 'horse-battery\n'
        echo kept > out.txt
        exit 1""" }"#
            .replace("\"$PASS\" = \"correct-horse-battery\"", "$(printf '%s' \"$PASS\" | wc -c) = 21")
            .replace("\"$TOKEN\" = tok_9f8e7d6c5b4a", "$(printf '%s' \"$TOKEN\" | wc -c) = 16")
            .as_str(),
    );
    let applied = world.run(["apply"]);
    assert_snapshot!(applied.stdout, @r"
    dev/shop  → <first>
      + run build  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `build` failed for <first> (attempt 1): exit code 1
      | login with *** and ***
      | ***
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    Applied: 0 links done, 1 failed in <time>.
    ");
    assert!(world.path("out/arrived").exists());
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    for secret in [PASSWORD, TOKEN] {
        let mut found = Vec::new();
        files_with(&world.path(".katkit"), secret, &mut found);
        assert_eq!(found, Vec::<String>::new());
        assert!(!world.read("saved.plan").contains(secret));
    }
}

/// Longer than a line of base64.
const LONG: &str =
    "correct horse/battery\"staple, and more words than a line of base64 holds, so that it is broken";

fn with_long(phases: &str) -> World {
    let world = World::shop_with(phases).variable("LONG", LONG);
    world.edit("[tenants.dev]", "[tenants.dev]\nsecrets = { PASS = \"env:LONG\" }");
    world
}

#[test]
fn secrets_are_masked_in_every_encoding_that_tools_print() {
    let world = with_long(
        r#"{ name = "build", order = 0, run = '''
        printf %s "$PASS" | base64
        printf "user:$PASS@host" | base64
        printf "x$PASS" | base64 -w0 | tr '+/' '-_'; echo
        hex=$(printf %s "$PASS" | od -An -v -tx1 | tr -d ' \n')
        printf %.50s "$hex"; sleep 0.4; printf '%s\n' "${hex#$(printf %.50s "$hex")}"
        echo "$hex" | tr a-f A-F
        printf '{"pass": "%s"}\n' "$(printf %s "$PASS" | sed 's/"/\\"/g')"
        printf 'https://host/?pass=%s\n' "$(printf %s "$PASS" | sed 's/ /%20/g; s/"/%22/g; s/,/%2C/g; s,/,%2F,g')"
        ''' }"#,
    );
    world.apply();
    assert_snapshot!(world.run(["logs", "dev/shop"]).stdout, @r#"
    ***g==
    dXNlcjp***QGhvc3Q=
    eG***4=
    ***
    ***
    {"pass": "***"}
    https://host/?pass=***
    "#);
}

#[test]
fn artifacts_with_a_secret_are_named_and_kept_unchanged() {
    let world = with_long(
        r#"{ name = "build", order = 0, artifacts = ["*.txt"], run = '''
        echo "nothing" > clean.txt
        printf %s "$PASS" > plain.txt
        head -c 100000 /dev/zero > encoded.txt; printf %s "$PASS" | base64 >> encoded.txt
        ''' }"#,
    );
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    let warning = "warning: artifacts of `build` contain the value of a secret: `encoded.txt`, `plain.txt`";
    assert!(applied.stderr.contains(&format!("dev/shop  {warning}\n")), "{applied}");
    assert_snapshot!(world.run(["logs", "dev/shop"]).stdout, @r#"
    katkit: artifacts: warning: "encoded.txt" contains the value of a secret, and is stored unmasked
    katkit: artifacts: warning: "plain.txt" contains the value of a secret, and is stored unmasked
    "#);
    let replica = world.attempt("first", "build").join("replica-0");
    assert_eq!(fs::read_to_string(replica.join("artifacts/plain.txt")).unwrap(), LONG);
    let status: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(replica.join("status.json")).unwrap()).unwrap();
    assert_eq!(status["exposed"], serde_json::json!(["encoded.txt", "plain.txt"]));
}

#[test]
fn the_secrets_of_another_tenant_are_not_even_read() {
    let world = World::shop_with(r#"{ name = "build", order = 0 }"#);
    world.write(
        "katkit.toml",
        &world.read("katkit.toml").replace(
            "[tenants.dev]",
            "[tenants.prod]\nsecrets = { PASS = \"file:pipe\" }\nlinks.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n\n[tenants.dev]",
        ),
    );
    // Opening it would block for ever.
    rustix::fs::mkfifoat(rustix::fs::CWD, world.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let applied = world.run(["apply", "--target", "dev/shop"]);
    assert_eq!(applied.code, 0, "{applied}");
    let refused = world.run(["apply", "--target", "prod/shop"]);
    let why =
        "prod/shop  secret `PASS`: <world>/pipe is not a regular file, but it is read for every attempt";
    assert!(refused.code == 1 && refused.stdout.contains(why), "{refused}");
}

#[test]
fn an_unavailable_secret_is_reported_and_nothing_runs() {
    let world = world(r#"{ name = "build", order = 0 }"#).variable("DOCKER_PASS", "");
    fs::remove_file(world.path("token.txt")).unwrap();
    let plan = world.run(["plan"]);
    assert_eq!(plan.code, 0, "planning needs no secrets: {plan}");
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      + run build  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  secret `TOKEN`: <world>/token.txt cannot be read: No such file or directory (os error 2)
      hint: secrets are read where `apply` runs: set the variable or write the file

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
    world.nothing_is_left();
    world.write("token.txt", TOKEN);
    world.apply();
}

#[test]
fn a_secret_too_large_for_a_variable_is_refused_by_name_before_anything_begins() {
    let world = world(r#"{ name = "build", order = 0 }"#);
    // Linux allows 131072 bytes for a variable, including its name, the `=` and the trailing NUL.
    world.write("token.txt", &format!("{}\n", "x".repeat(131_072 - "TOKEN=".len())));
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      + run build  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  secret `TOKEN`: its value has 131066 bytes, but Linux allows 131065 in a variable of that name
      hint: keep it in a store that the phase reads from, or split it into several secrets

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
    world.nothing_is_left();
    world.write("token.txt", &format!("{}\n", "x".repeat(131_072 - "TOKEN=".len() - 1)));
    world.apply();
}

#[test]
fn secrets_too_large_for_one_process_are_refused_and_the_largest_is_named() {
    let world = world(r#"{ name = "build", order = 0 }"#);
    world.write("part.txt", &"x".repeat(120_000));
    world.write("large.txt", &"x".repeat(130_000));
    let parts: String = (0..60).map(|part| format!("P{part} = \"file:part.txt\", ")).collect();
    world.edit("secrets = {", &format!("secrets = {{ LARGE = \"file:large.txt\", {parts}"));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1);
    let why = "dev/shop  `build` cannot be run: its variables and secrets together take 73";
    let largest = "in total; the largest is `LARGE` with 130000\n";
    assert!(applied.stdout.contains(why) && applied.stdout.contains(largest), "{applied}");
    assert_eq!(world.ran(), "");
    world.nothing_is_left();
}
