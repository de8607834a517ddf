//! `audit`: searching the record, signing it, and noticing every change to it.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use katkit::audit::KINDS;

use crate::engines;
use crate::world::{Output, TELLS, World};

const MANIFEST: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]

[templates]
shop = { repo = "shop", workflow = "standard", branch = "main" }

[tenants]
beta.use = ["shop"]
prod.use = ["shop"]

[audit]
origin = "katkit.example.com/prod"
signing-key = "file:audit.pem"
"#;

/// A key as `openssl genpkey -algorithm ed25519` writes it.
pub const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";

/// Both links are live, and nothing else was recorded.
fn live() -> World {
    let world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(MANIFEST);
    world.write("audit.pem", PEM);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    world
}

/// Makes a checkpoint and keeps its note in a file.
fn checkpoint(world: &World, file: &str) {
    let made = world.shell(&format!("katkit audit checkpoint > {file}; katkit audit key > audit.key"));
    assert_eq!(made.code, 0, "{made}");
}

fn verify(world: &World, arguments: &str) -> Output {
    world.shell(&format!("katkit audit verify {arguments} --key audit.key"))
}

#[test]
fn a_record_is_signed_and_a_changed_entry_is_named() {
    let world = live();
    checkpoint(&world, "first.note");
    assert_snapshot!(world.run(["audit", "key"]), @"
    katkit.example.com/prod+848f49fe+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4
    ----- exit 0
    ");
    world.shell("KATKIT_ACTOR=ben katkit freeze prod --until 2099-01-01 --why 'the sale'");
    assert_snapshot!(verify(&world, "--checkpoint first.note"), @"
    3 journals with 21 entries: nothing was changed.
    1 checkpoint; the last, of <date> <hour> UTC by ana, covers all but 1 entry.
    ----- exit 0
    ");
    checkpoint(&world, "second.note");
    assert_snapshot!(world.run(["audit", "verify"]), @"
    3 journals with 21 entries: nothing was changed.
    2 checkpoints; the last, of <date> <hour> UTC by ana, covers all entries.
    No `--key` was given, so signatures were not verified.
    No `--checkpoint` was given: anyone who can write to the record could have removed checkpoints, and anyone who also has the signing key could have rewritten all of it.
    ----- exit 0
    ");
    world
        .state()
        .execute("UPDATE event SET author = 'eve' WHERE tenant = 'prod' AND generation = 3", [])
        .unwrap();
    world.state().execute("UPDATE consent SET consent = replace(consent, 'sale', 'flu')", []).unwrap();
    world.state().execute("DELETE FROM event WHERE tenant = 'beta' AND generation > 8", []).unwrap();
    assert_snapshot!(verify(&world, "--checkpoint first.note"), @"
      BAD beta/shop: entries 9 to 10 are missing, which checkpoint 1 covers
      BAD consents: entry 1 was rewritten after checkpoint 2
      BAD prod/shop: entry 3 was changed: entry 4 carries another digest for it
    3 journals with 19 entries: 3 problems.
    2 checkpoints; the last, of <date> <hour> UTC by ana.
    ----- exit 1
    ");
}

#[test]
fn what_the_head_does_not_know_and_what_lost_its_head_is_noticed() {
    let world = live();
    let insert = "INSERT INTO event (tenant, link, generation, at, author, event) VALUES ('prod', 'shop', 11, \
                  '2026-01-02T09:00:00.000000000Z', 'eve', '{\"event\":\"forgotten\"}')";
    world.state().execute(insert, []).unwrap();
    world.state().execute("DELETE FROM link WHERE tenant = 'beta'", []).unwrap();
    assert_snapshot!(world.run(["audit", "verify"]), @"
      BAD beta/shop: its head ends before entry 10: the head was changed or removed, or the entry inserted
      BAD prod/shop: its head ends before entry 11: the head was changed or removed, or the entry inserted
    1 journal with 10 entries: 2 problems.
    No checkpoint was made yet: a record that was rewritten completely would not be noticed.
    ----- exit 1
    ");
    // A checkpoint covers what the head of a journal knows.
    let signed = world.shell("katkit audit checkpoint >/dev/null");
    assert_snapshot!(signed, @"
    ----- stderr -----
    checkpoint 1 covers 1 journal that changed
    ----- exit 0
    ");
}

#[test]
fn removed_checkpoints_are_noticed_with_a_key_and_not_replaced_after_a_kept_one() {
    let world = live();
    checkpoint(&world, "kept.note");
    world.state().execute("DELETE FROM checkpoint", []).unwrap();
    assert_snapshot!(verify(&world, ""), @"
      BAD log of checkpoints: there is no checkpoint: none was made yet, or all were removed
    2 journals with 20 entries: 1 problem.
    ----- exit 1
    ");
    assert_snapshot!(world.run(["audit", "checkpoint", "--after", "kept.note"]), @"
    ----- stderr -----
    error: the log of checkpoints cannot be extended: the checkpoint of 3 leaves that you kept does not belong to this log: the log has 0 leaves
     hint: `katkit audit verify` shows all that is wrong
    ----- exit 1
    ");
    assert_eq!(world.run(["audit", "checkpoint"]).code, 0);
    assert_eq!(verify(&world, "").code, 0, "only the kept one tells");
    assert_eq!(verify(&world, "--checkpoint kept.note").code, 1);
}

#[test]
fn an_unreadable_entry_is_told_beside_all_others() {
    let world = live();
    world.shell("katkit freeze prod --until 2099-01-01 --why 'the sale'");
    checkpoint(&world, "kept.note");
    world
        .state()
        .execute("UPDATE event SET event = '{' WHERE tenant = 'beta' AND generation = 5", [])
        .unwrap();
    world.state().execute("UPDATE consent SET consent = '{'", []).unwrap();
    world
        .state()
        .execute("UPDATE event SET author = 'eve' WHERE tenant = 'prod' AND generation = 3", [])
        .unwrap();
    assert_snapshot!(verify(&world, "--checkpoint kept.note"), @"
      BAD beta/shop: the state at <world>/.katkit/state.db, link `beta/shop` is damaged: event 5 of its journal cannot be parsed: EOF while parsing an object at line 1 column 1
      BAD consents: the state at <world>/.katkit/state.db is damaged: consent 1 cannot be parsed: EOF while parsing an object at line 1 column 1
      BAD prod/shop: entry 3 was changed: entry 4 carries another digest for it
    1 journal with 10 entries: 3 problems.
    1 checkpoint; the last, of <date> <hour> UTC by ana.
    ----- exit 1
    ");
    assert_snapshot!(world.run(["audit", "export", "evidence"]), @"
    Wrote 10 entries to evidence.
    ----- stderr -----
    not exported: consents: the state at <world>/.katkit/state.db is damaged: consent 1 cannot be parsed: EOF while parsing an object at line 1 column 1
    not exported: beta/shop: the state at <world>/.katkit/state.db, link `beta/shop` is damaged: event 5 of its journal cannot be parsed: EOF while parsing an object at line 1 column 1
    ----- exit 1
    ");
}

#[test]
fn only_a_kept_checkpoint_shows_that_everything_was_rewritten() {
    let world = live();
    checkpoint(&world, "kept.note");
    fs::remove_dir_all(world.path(".katkit")).unwrap();
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    checkpoint(&world, "forged.note");
    let forged = verify(&world, "");
    assert_eq!(forged.code, 0, "{forged}");
    assert_snapshot!(verify(&world, "--checkpoint kept.note"), @"
      BAD log of checkpoints: the checkpoint of 3 leaves that you kept does not belong to this log: its leaves were changed since
    2 journals with 20 entries: 1 problem.
    1 checkpoint; the last, of <date> <hour> UTC by ana.
    ----- exit 1
    ");
}

#[test]
fn an_export_is_verified_without_manifest_and_record() {
    let world = live();
    checkpoint(&world, "kept.note");
    assert_snapshot!(world.run(["audit", "export", "evidence"]), @"
    Wrote 20 entries to evidence.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["audit", "export", "evidence"]), @"
    ----- stderr -----
    error: evidence is not empty
     hint: export to a new directory
    ----- exit 1
    ");
    for gone in [".katkit", "repos"] {
        fs::remove_dir_all(world.path(gone)).unwrap();
    }
    fs::remove_file(world.path("katkit.toml")).unwrap();
    assert_eq!(verify(&world, "evidence --checkpoint kept.note").code, 0);
    let journal = world.path("evidence/journals/prod/shop.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    let without: Vec<_> =
        lines.lines().enumerate().filter(|(at, _)| *at != 4).map(|(_, line)| line).collect();
    fs::write(&journal, without.join("\n")).unwrap();
    fs::remove_file(world.path("evidence/journals/beta/shop.jsonl")).unwrap();
    assert_snapshot!(verify(&world, "evidence --checkpoint kept.note"), @"
      BAD beta/shop: entries 1 to 10 are missing, which checkpoint 1 covers
      BAD prod/shop: entry 5 is missing
    1 journal with 9 entries: 2 problems.
    1 checkpoint; the last, of <date> <hour> UTC by ana.
    ----- exit 1
    ");
    fs::remove_file(world.path("evidence/log.jsonl")).unwrap();
    assert_snapshot!(verify(&world, "evidence"), @"
    ----- stderr -----
    error: evidence is not an export: it has no `log.jsonl`
     hint: name the directory that `katkit audit export` wrote
    ----- exit 1
    ");
}

fn push(world: &mut World, message: &str) {
    world.change("shop", |repo| repo.file("code", message).commit(message));
    world.apply();
}

fn prune(world: &World) {
    let pruned = world.run(["prune", "--older-than", "0s", "--history", "--yes"]);
    assert_eq!(pruned.code, 0, "{pruned}");
}

/// Renames `beta` to `qa`.
fn rename(world: &World) {
    world.edit("beta.use", "qa.use");
    world.edit("[audit]", "[[moved]]\nfrom = \"beta\"\nto = \"qa\"\n\n[audit]");
    world.apply();
}

fn rename_back(world: &World) {
    world.edit("qa.use", "beta.use");
    world.edit("from = \"beta\"\nto = \"qa\"", "from = \"qa\"\nto = \"beta\"");
    world.apply();
}

/// Verifies the record, and makes another checkpoint.
fn sound(world: &World, when: &str) {
    let verified = verify(world, "--checkpoint kept.note");
    assert_eq!(verified.code, 0, "{when}: {verified}");
    checkpoint(world, "last.note");
}

#[test]
fn what_an_older_katkit_recorded_is_chained_from_the_next_event_on() {
    let mut world = live();
    // Removes what an older katkit does not write.
    let older = |world: &World| {
        world.state().execute("UPDATE event SET previous = NULL", []).unwrap();
        world.state().execute("UPDATE link SET head = json_remove(head, '$.chain')", []).unwrap();
    };
    rename(&world);
    rename_back(&world);
    push(&mut world, "second");
    older(&world);
    checkpoint(&world, "kept.note");
    assert_snapshot!(verify(&world, "--checkpoint kept.note"), @"
    3 journals with 47 entries: nothing was changed.
    1 checkpoint; the last, of <date> <hour> UTC by ana, covers all entries.
    44 entries of an older katkit had no digest of their own: a change to one of them is shown at the last.
    ----- exit 0
    ");
    prune(&world);
    sound(&world, "after a prune of what is older");
    push(&mut world, "third");
    sound(&world, "after the first chained run");
    prune(&world);
    sound(&world, "after a prune of all that is older");
    let strip = "UPDATE event SET previous = NULL WHERE tenant = 'prod' AND generation = \
                 (SELECT max(generation) FROM event WHERE tenant = 'prod')";
    world.state().execute(strip, []).unwrap();
    let stripped = verify(&world, "").to_string();
    assert!(stripped.contains("carries no digest of the entry before it"), "{stripped}");
}

#[test]
fn renames_and_prunes_are_no_tampering() {
    let mut world = live();
    checkpoint(&world, "kept.note");
    push(&mut world, "second");
    prune(&world);
    sound(&world, "after a prune");
    rename(&world);
    sound(&world, "after a rename");
    push(&mut world, "third");
    push(&mut world, "fourth");
    prune(&world);
    sound(&world, "after a prune under the new name");
    rename_back(&world);
    sound(&world, "after it was renamed back");
    push(&mut world, "fifth");
    prune(&world);
    sound(&world, "after a prune under the first name");
    assert_eq!(world.run(["audit", "export", "evidence"]).code, 0);
    assert_eq!(verify(&world, "evidence --checkpoint kept.note").code, 0);
}

#[test]
fn entries_are_found_by_actor_kind_and_link() {
    let world = live();
    world.shell("KATKIT_ACTOR=ben katkit freeze prod --until 2099-01-01 --why 'the sale'");
    world.shell("KATKIT_ACTOR=cleo katkit thaw 1 --why 'it is over'");
    world.shell("KATKIT_ACTOR=ben katkit retry beta/shop --phase build --why 'a test' --apply");
    let found = |arguments: &str| {
        let times = "sed -E 's/ [0-9]{2}(:[0-9]{2}){2} / <second> /'";
        world.shell(&format!("katkit audit {arguments} 2>&1 | {times}"))
    };
    assert_snapshot!(found("--kind freeze,thaw,requested"), @"
      <date> <second>  ben   freeze 1 of prod until Thu <date> <hour> UTC (the sale)
      <date> <second>  cleo  ended freeze 1 (it is over)
      <date> <second>  ben   beta/shop: ben asked to retry <first> from `build` (a test)

    Times are in UTC.
    ----- exit 0
    ");
    assert_snapshot!(found("--who ben --kind requested,freeze --tenant prod"), @"
      <date> <second>  ben  freeze 1 of prod until Thu <date> <hour> UTC (the sale)

    Times are in UTC.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["audit", "--kind", "frozen"]), @"
    ----- stderr -----
    error: invalid value 'frozen' for '--kind <KIND>'
      [possible values: adopted, approval, attempt-ended, attempt-intended, attempt-launched, deploy-ended, deploy-intended, deploy-issued, forgiveness, forgotten, freeze, images-recorded, moved-from, moved-to, override, phase-restored, phase-skipped, pruned, quarantined, refused, rejection, release, requested, run-ended, run-started, service-removed, service-swept, taken-over, thaw, unlocked, verified, withdrawal, withdrawn]

      tip: a similar value exists: 'forgotten'

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["audit", "--who", "nobody"]), @"
    No entries match.
    ----- exit 0
    ");
    assert_snapshot!(found("-n 1"), @"
    … earlier entries: use `-n` to show more

      <date> <second>  ben  beta/shop: <first> was verified

    Times are in UTC.
    ----- exit 0
    ");
}

#[test]
fn what_cannot_be_signed_or_verified_says_why() {
    let world = live();
    assert_snapshot!(world.run(["audit", "verify", "--key", "audit.pem"]), @"
    ----- stderr -----
    error: audit.pem does not hold a public key: it is not of the form `NAME+ID+KEY`
     hint: give a file with what `katkit audit key` printed on a machine that has the signing key
    ----- exit 1
    ");
    // Whatever was given may be the private key, so no message repeats it.
    for given in ["--key \"$(cat audit.pem)\"", "--key=\"$(cat audit.pem)\"", "--key \"$(katkit audit key)\""]
    {
        let refused = world.shell(&format!("katkit audit verify {given}"));
        let expected = "error: `--key` takes the path of a file, not a key\n hint: write what `katkit audit key` prints \
                        to a file, and give its path\n";
        assert_eq!((refused.code, refused.stderr.as_str()), (64, expected), "{given}");
    }
    assert_snapshot!(world.run(["audit", "verify", "--checkpoint", "katkit.toml"]), @"
    ----- stderr -----
    error: katkit.toml does not count as a checkpoint: it is not a signed note
     hint: give a file with what `katkit audit checkpoint` printed, and the key that signed it
    ----- exit 1
    ");
    assert_snapshot!(world.run(["audit", "verify", "nowhere"]), @"
    ----- stderr -----
    error: nowhere is not an export: it has no `log.jsonl`
     hint: name the directory that `katkit audit export` wrote
    ----- exit 1
    ");
    world.write("audit.pem", "no key");
    assert_snapshot!(world.run(["audit", "checkpoint"]), @"
    ----- stderr -----
    error: the signing key in file:<world>/audit.pem cannot be used: it is not an Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` writes it
     hint: `openssl genpkey -algorithm ed25519 -out audit.pem` creates one
    ----- exit 1
    ");
    fs::remove_file(world.path("audit.pem")).unwrap();
    assert_snapshot!(world.run(["audit", "checkpoint"]), @"
    ----- stderr -----
    error: the signing key: <world>/audit.pem cannot be read: No such file or directory (os error 2)
     hint: set the variable or write the file on the machine that makes checkpoints
    ----- exit 1
    ");
    world.edit("[audit]\norigin = \"katkit.example.com/prod\"\nsigning-key = \"file:audit.pem\"\n", "");
    assert_snapshot!(world.run(["audit", "checkpoint"]), @r#"
    ----- stderr -----
    error: the manifest has no key to sign checkpoints with
     hint: create a key with `openssl genpkey -algorithm ed25519 -out audit.pem`, and add `[audit]` with `origin` and `signing-key = "file:audit.pem"`
    ----- exit 1
    "#);
}

#[test]
fn two_processes_make_one_checkpoint() {
    let world = live();
    let start = || world.start(["audit", "checkpoint"]);
    let running: Vec<_> = (0..4).map(|_| start()).collect();
    let notes: Vec<_> = running.into_iter().map(|process| process.wait().stdout).collect();
    assert!(
        notes.iter().all(|note| *note == notes[0] && note.starts_with("katkit.example.com/prod\n3\n")),
        "{notes:?}"
    );
}

/// Every kind that a record can hold can be searched for.
#[test]
fn every_kind_of_entry_is_known() {
    let world = World::new();
    let schema =
        |of: &str| -> serde_json::Value { serde_json::from_str(&world.run(["schema", of]).stdout).unwrap() };
    let schema = schema("history");
    let kinds = schema["$defs"]["EventJson"]["oneOf"].as_array().unwrap();
    let events = kinds.iter().map(|kind| kind["properties"]["kind"]["const"].as_str().unwrap());
    let events = events.map(|kind| kind.replace('_', "-"));
    let consents =
        ["approval", "forgiveness", "freeze", "override", "rejection", "release", "thaw", "withdrawal"];
    let mut all: Vec<_> = events.chain(consents.map(str::to_owned)).collect();
    all.sort_unstable();
    assert_eq!(all, KINDS);
}

/// The commands of `docs/audit.md` that need no katkit, run as they stand there.
#[test]
fn other_tools_verify_an_export() {
    let world = live();
    checkpoint(&world, "kept.note");
    assert_eq!(world.run(["audit", "export", "evidence"]).code, 0);
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, docs) = docs.split_once("### Without katkit").unwrap();
    let blocks = |language: &str| {
        let fence = format!("```{language}\n");
        docs.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect::<Vec<_>>()
    };
    let [chain, signature] = blocks("sh").try_into().unwrap();
    let chained = world.shell(chain);
    let [digest] = chained.stdout.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(
        world
            .read("evidence/log.jsonl")
            .contains(&format!("\"digest\":\"{digest}\",\"journal\":\"prod/shop\""))
    );
    let signed = world.shell(signature);
    assert!(signed.code == 0 && signed.stdout.contains("Signature Verified Successfully"), "{signed}");
    let [tree] = blocks("python").try_into().unwrap();
    let run = |code: &str| {
        let output =
            Command::new(engines::python()).args(["-c", code]).current_dir(world.path(".")).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    assert_eq!(run(tree), (true, "3 leaves of katkit.example.com/prod\n".to_owned()));
    // And they notice what was changed.
    let edit = |path: &str, from: &str, to: &str| {
        let text = world.read(path);
        assert!(text.contains(from), "{text}");
        world.write(path, &text.replacen(from, to, 1));
    };
    edit("evidence/log.jsonl", "\"length\":", "\"length\":1");
    let (verified, said) = run(tree);
    assert!(!verified && said.contains("the leaves are not those that were signed"), "{said}");
    edit("evidence/checkpoints/00000001.note", "\n3\n", "\n4\n");
    assert_ne!(world.shell(signature).code, 0);
    edit("evidence/journals/prod/shop.jsonl", "run-started", "run-invented");
    assert!(world.shell(chain).stdout.starts_with("the entry before this one was changed: "), "{chained}");
}
