//! How the commit reaches a phase: what the agent verifies, and the environment of the `git` that clones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use katkit::blobs::{BlobKey, Blobs};
use katkit::domain::{CommitSha, LostCause, Outcome, Source};

use crate::phase::{Phase, fleet_in};

#[tokio::test]
async fn a_clone_gets_the_phases_environment_and_none_of_the_agents() {
    let mut phase = Phase::running("#!/bin/sh\n").await.with_secret("TOKEN", "secret-of-the-tenant");
    let (ssh, seen) = (phase.signal("ssh"), phase.signal("seen"));
    let script = format!(
        "#!/bin/sh\nenv > {}\nfor command; do :; done\nexec /bin/sh -c \"$command\"\n",
        seen.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    phase.spec.variables.insert("GIT_SSH_COMMAND".into(), ssh.to_str().unwrap().into());
    let url = format!("host:{}", phase.root().join("repository").display());
    phase.spec.source = Source::Clone { url, depth: 1 };
    let operators = [("AWS_SECRET_ACCESS_KEY", "of-the-operator"), ("HOME", "/home/of-the-operator")];
    phase.fleet = fleet_in(&phase.root().join("services"))
        .with_environment(operators.map(|(name, value)| (name.into(), value.into())).to_vec());
    assert_eq!(phase.run().await, Outcome::Succeeded);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(!seen.contains("AWS_") && !seen.contains("of-the-operator"), "{seen}");
    for its_own in ["TOKEN=secret-of-the-tenant\n", "REPLICA_ID=0\n"] {
        assert!(seen.contains(its_own), "{its_own}: {seen}");
    }
    let home = seen.lines().find_map(|line| line.strip_prefix("HOME=")).unwrap();
    assert!(Path::new(home).starts_with(phase.root()), "{home}");
}

/// A pack index (version 2, gitformat-pack) that lists one object under the id of another.
fn forged(index: &[u8], from: &CommitSha, to: &CommitSha) -> Vec<u8> {
    let id = |sha: &CommitSha| git2::Oid::from_str(sha.as_str()).unwrap().as_bytes().to_vec();
    let count = usize::try_from(u32::from_be_bytes(index[1028..1032].try_into().unwrap())).unwrap();
    let column = |at: usize, width: usize| index[at..at + width * count].chunks(width);
    let (names, rest) = (column(1032, 20), 1032 + 20 * count);
    let mut entries: Vec<_> = names
        .zip(column(rest, 4))
        .zip(column(rest + 4 * count, 4))
        .map(|((name, sum), at)| (if name == id(from) { id(to) } else { name.to_vec() }, sum, at))
        .collect();
    entries.sort();
    let below = |byte: u8| entries.iter().filter(|(name, ..)| name[0] <= byte).count();
    let mut forged = index[..8].to_vec();
    forged.extend((0..=255).flat_map(|byte| u32::try_from(below(byte)).unwrap().to_be_bytes()));
    forged.extend(entries.iter().flat_map(|(name, ..)| name.clone()));
    forged.extend(entries.iter().flat_map(|(_, sum, _)| sum.to_vec()));
    forged.extend(entries.iter().flat_map(|(.., at)| at.to_vec()));
    forged.extend(&index[rest + 8 * count..]);
    forged
}

/// An attacker with write access to the blob store replaces a commit's code and forges a matching index.
#[tokio::test]
async fn a_pack_with_forged_object_ids_runs_nothing() {
    let phase = Phase::running("#!/bin/sh\n").await;
    let ran = phase.signal("ran");
    let theirs = Phase::running(&format!("#!/bin/sh\ntouch {}\n", ran.display())).await;
    let packs = fs::read_dir(theirs.root().join("repository/packs")).unwrap();
    for path in packs.map(|entry| entry.unwrap().path()) {
        let mut bytes = fs::read(&path).unwrap();
        let ending = path.extension().unwrap().to_str().unwrap();
        if ending == "idx" {
            bytes = forged(&bytes, &theirs.spec.sha, &phase.spec.sha);
        }
        let key = BlobKey::new(format!("commits/shop/{}-1.{ending}", phase.spec.sha)).unwrap();
        phase.blobs.put(&key, &bytes).await.unwrap();
    }
    let outcome = phase.run().await;
    let Outcome::Lost { cause: LostCause::NeverStarted, evidence } = outcome else { panic!("{outcome:?}") };
    let sentence = format!("the commit's pack is damaged: it does not contain commit {}", phase.spec.sha);
    assert!(evidence.contains(&sentence), "{evidence}");
    assert!(!ran.exists());
}
