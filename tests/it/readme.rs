//! The README's first command, run in a clean clone as a newcomer would.

use std::fs;
use std::path::Path;
use std::process::Command;

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The text between two headlines of the tour.
fn chapter<'t>(text: &'t str, headline: &str) -> &'t str {
    let start = text.find(headline).unwrap_or_else(|| panic!("no {headline:?} in:\n{text}"));
    let rest = &text[start..];
    rest[1..].find("\n# ").map_or(rest, |end| &rest[..=end])
}

/// The text on one line, wherever it was wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tour_shows_a_newcomer_everything_and_leaves_nothing_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("```sh\nexamples/hello/tour\n```"), "the README's first command is another one");

    let directory = tempfile::tempdir().unwrap();
    let clone = directory.path().join("katkit");
    git(directory.path(), &["clone", "-q", root.to_str().unwrap(), clone.to_str().unwrap()]);
    git(&clone, &["checkout", "-q", "-B", "main"]);
    let output = Command::new(clone.join("examples/hello/tour"))
        .current_dir(directory.path())
        // The build is kept between test runs, apart from the tests' own, which is in use.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("tour"))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{stdout}\n--- standard error\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");

    let first = chapter(&stdout, "\n# Apply the manifest");
    assert!(first.contains("Applied: 2 links done"), "{said}");
    let broken = chapter(&stdout, "\n# Someone changes the service");
    let diff: Vec<_> = broken.lines().filter(|line| line.contains("DockerImage")).collect();
    assert_eq!(diff.len(), 1, "a line that changes is shown once: {said}");
    assert!(
        diff[0].trim_start().starts_with('~') && broken.contains("[-") && broken.contains("{+"),
        "{said}"
    );
    assert!(broken.contains("2 commits"), "{said}");
    assert!(broken.contains("say in the manifest which greeting is expected"), "{said}");
    assert!(broken.contains("retry: katkit retry dev/hello --phase verify --apply"), "{said}");
    assert!(stdout.contains("--why 'EXPECTED was missing'"), "it can be pasted: {said}");
    let ends = chapter(&stdout, "\n# Done");
    assert!(ends.contains("Nothing to do: 2 links are up to date."), "{said}");
    assert!(!stdout.contains('\u{1b}'), "{said}");
    let progress =
        String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains("/hello")).count();
    let lines = stdout.lines().count() + progress;
    assert!(lines <= 120, "{lines} lines: {said}");

    // Left behind: one edited manifest, a branch, and a git-ignored directory. No process, no service.
    assert_eq!(git(&clone, &["status", "--porcelain"]).trim(), "M examples/hello/katkit.toml");
    assert!(git(&clone, &["branch", "--list", "katkit-tour"]).contains("katkit-tour"));
    let services = clone.join("examples/hello/.katkit/services/process");
    assert_eq!(fs::read_dir(services).unwrap().count(), 0);
    for tenant in ["dev", "prod"] {
        let deployed = clone.join(format!("examples/hello/.katkit/platform/{tenant}/hello.json"));
        assert!(fs::read_to_string(deployed).unwrap().contains("\"redis:7\""));
    }
}

#[test]
fn the_tour_of_the_pipeline_ends_with_everything_in_production() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().unwrap();
    let clone = directory.path().join("katkit");
    git(directory.path(), &["clone", "-q", root.to_str().unwrap(), clone.to_str().unwrap()]);
    let output = Command::new(clone.join("examples/pipeline/tour"))
        .current_dir(directory.path())
        .env("KATKIT", env!("CARGO_BIN_EXE_katkit"))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{stdout}\n--- standard error\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let pushed = chapter(&stdout, "\n# Push");
    assert!(words(pushed).contains("live in sandbox/shop, beta/shop, prod-eu/shop, prod-us/shop"), "{said}");
    let landed = chapter(&stdout, "\n# It lands");
    assert!(words(landed).contains("tested in sandbox/shop; live in beta/shop, prod-eu/shop"), "{said}");
    assert!(
        !landed.contains("starting run for sandbox") && !landed.contains("sandbox/shop  build"),
        "{said}"
    );
    let bad = chapter(&stdout, "\n# A commit that beta likes");
    assert!(bad.contains("durians are not allowed here") && bad.contains("rolled back to"), "{said}");
    let later = chapter(&stdout, "\n# Neither");
    assert!(later.contains("contains") && later.contains("was rolled back in `prod-eu/shop` at"), "{said}");
    let done = chapter(&stdout, "\n# Done");
    assert_eq!(done.matches("live, the newest").count(), 3, "{said}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 120), "{said}");
    assert_eq!(git(&clone, &["status", "--porcelain"]), "", "it leaves only ignored files");
}

#[test]
fn the_picture_in_the_readme_matches_the_tour() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (tour, picture) = (read("examples/hello/tour"), read("docs/tour.svg").replace("&#160;", " "));
    assert!(read("README.md").contains("](docs/tour.svg)"));
    let headlines: Vec<_> = tour.lines().filter_map(|line| line.strip_prefix("say \"")).collect();
    assert!(headlines.len() >= 5, "{headlines:?}");
    for headline in headlines {
        let headline = headline.trim_end_matches('"');
        assert!(
            picture.contains(headline),
            "record it again (examples/hello/record): {headline:?} is not in it"
        );
    }
    for said in ["Applied: 2 links done", "failed for", "Nothing to do: 2 links are up to date."] {
        assert!(picture.contains(said), "{said:?} is not in the picture");
    }
    // Viewing the picture makes no requests, and it shows no local paths.
    assert!(!picture.contains("url(http") && !picture.contains("/tmp/") && !picture.contains("/home/"));
}

#[test]
fn every_example_manifest_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let manifest = entry.unwrap().path().join("katkit.toml");
        if !manifest.exists() {
            continue;
        }
        let mut katkit = Command::new(env!("CARGO_BIN_EXE_katkit"));
        let output = katkit.arg("--manifest").arg(&manifest).arg("validate").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", manifest.display());
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} examples");
}
