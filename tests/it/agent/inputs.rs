//! The artifacts of earlier phases, as an agent fetches them.

use katkit::blobs::{BlobKey, Blobs};
use katkit::domain::{AttemptNumber, InputList, LostCause, Outcome, PhaseInput, PhaseName, PhaseSpec, RunId};

use super::failed;
use crate::phase::Phase;

/// A phase that gets what two replicas of `compile` stored: the first these paths, with themselves as content.
async fn phase(script: &str, stored: &[&str], listed: &[&str]) -> Phase {
    let mut phase = Phase::running(script).await;
    let compile = PhaseName::new("compile").unwrap();
    let key =
        BlobKey::attempt(&phase.spec.link, &phase.spec.sha, &compile, &RunId("1".into()), AttemptNumber(1));
    for path in stored {
        let key = key.replica(0).artifacts().join(path).unwrap();
        phase.blobs.put(&key, path.as_bytes()).await.unwrap();
    }
    let replicas = vec![listed.iter().map(|path| (*path).to_owned()).collect(), Vec::new()];
    let list =
        InputList { inputs: vec![PhaseInput { phase: compile.clone(), attempt: key.to_string(), replicas }] };
    phase.blobs.put(&phase.attempt.inputs_json(), &serde_json::to_vec(&list).unwrap()).await.unwrap();
    (phase.spec.version, phase.spec.inputs) = (PhaseSpec::WITH_INPUTS, vec![compile]);
    phase
}

#[tokio::test]
async fn inputs_are_plain_files_under_their_paths() {
    let paths: Vec<String> = (0..50).map(|number| format!("many/{number}")).collect();
    let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    paths.extend(["a b/ü", "top"]);
    let script = "cd $KATKIT_INPUTS; find -type d | sort; find -type f ! -perm -u=rw -o -type f -perm /111
        cat 'compile/0/a b/ü' compile/0/top; ls compile/0/many | wc -l; echo own > compile/0/top";
    let phase = phase(script, &paths, &paths).await;
    assert_eq!(phase.run().await, Outcome::Succeeded);
    let log = phase.log().await;
    assert_eq!(
        log,
        ".\n./compile\n./compile/0\n./compile/0/a b\n./compile/0/many\n./compile/1\na b/ütop50\n"
    );
    let stored = phase.blobs.list(&BlobKey::link(&phase.spec.link), None).await.unwrap();
    let top = stored.iter().find(|listed| listed.key.as_str().ends_with("/top")).unwrap();
    assert_eq!(phase.blobs.get(&top.key).await.unwrap().unwrap(), b"top", "the phase changed its own copy");
}

#[tokio::test]
async fn a_phase_does_not_start_without_all_of_its_inputs() {
    let missing = phase("echo ran", &["a"], &["a", "b"]).await;
    let reason = failed(&missing.run().await).to_owned();
    let (before, after) = reason.split_once(" is no longer in ").unwrap();
    assert_eq!(before, "the artifact `b` of `compile`");
    assert!(after.ends_with("; `katkit retry dev/shop --phase compile` makes it again"), "{reason}");
    assert_eq!(missing.log().await, "");

    let outcome = async |phase: Phase| match phase.run().await {
        Outcome::Lost { cause: LostCause::NeverStarted, evidence } => evidence,
        other => panic!("{other:?}"),
    };
    let unlisted = phase("echo ran", &[], &[]).await;
    unlisted.blobs.remove(&unlisted.attempt.inputs_json()).await.unwrap();
    let said = outcome(unlisted).await;
    assert!(
        said.contains("inputs.json` at file:") && said.ends_with("does not list the inputs of the phase"),
        "{said}"
    );
    let mut another = phase("echo ran", &[], &[]).await;
    another.spec.inputs.push(PhaseName::new("generate").unwrap());
    assert!(outcome(another).await.ends_with("does not list the inputs of the phase"));
}

#[tokio::test]
async fn inputs_never_lead_out_of_their_directory() {
    for path in ["../out", "a/../../out", "/etc/passwd", "a//b", "a\\b", ""] {
        let reason = failed(&phase("echo ran", &[], &[path]).await.run().await).to_owned();
        assert!(reason.starts_with("the artifacts of `compile` cannot be found: "), "{reason}");
    }
    let linked = phase("echo ran", &[], &["link"]).await;
    let place = linked
        .root()
        .join("blobs/dev/shop")
        .join(linked.spec.sha.as_str())
        .join("compile/1.1/replica-0/artifacts");
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.join("link")).unwrap();
    let Outcome::Lost { evidence, .. } = linked.run().await else { panic!("it started") };
    assert!(evidence.contains("the artifact `link` of `compile` is unavailable"), "{evidence}");
    assert!(evidence.contains("is a symbolic link, which katkit does not follow"), "{evidence}");
}
