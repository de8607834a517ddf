//! Selects the run, phase and attempt that a command is about.

use clap::Args;

use super::link;
use crate::blobs::{BlobKey, StatusFile};
use crate::cli::error::CommandError;
use crate::domain::{FormerName, Head, LinkId, PhaseName, ReplicaStatus};
use crate::estate::Estate;
use crate::journal::{PastAttempt, PastPhase, PastRun};
use crate::queries;
use crate::requests;
use crate::views::day;

/// Selects an attempt of the argument `link`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Which {
    /// Only this phase [default: the running, else the failed, else the last one]
    #[arg(short, long, requires = "link")]
    pub(in crate::cli) phase: Option<String>,
    /// Attempt number, from 1 [default: the last]
    #[arg(short, long, requires = "link", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) attempt: Option<u32>,
    /// Only this replica, from 0
    #[arg(short, long, requires = "link", value_name = "N")]
    pub(in crate::cli) replica: Option<u32>,
    /// Last run of this commit: its sha, or a prefix of it [default: the last run]
    #[arg(long, requires = "link")]
    pub(in crate::cli) sha: Option<String>,
}

/// The chosen run, or why there is none: a lowercase fragment.
pub(in crate::cli) type RunChoice = Result<ChosenRun, String>;

/// A run, and the phase in it that the command is about.
#[derive(Debug)]
pub(in crate::cli) struct ChosenRun {
    pub(in crate::cli) id: LinkId,
    /// The link's previous names.
    formerly: Vec<FormerName>,
    pub(in crate::cli) run: PastRun,
    /// `None` if no phase was named and none has begun.
    pub(in crate::cli) phase: Option<PhaseName>,
}

/// Chooses the run and the phase.
pub(in crate::cli) async fn choose(
    estate: &Estate,
    link: &str,
    which: &Which,
) -> Result<RunChoice, CommandError> {
    let (id, head) = link::recorded(estate, link).await?;
    let run = match &which.sha {
        None => match &head.run {
            Some(run) => queries::past_run(estate, &id, &run.id).await?,
            None => None,
        },
        Some(text) => {
            let mut runs = queries::past_runs(estate, &id).await?;
            let sha = requests::find_commit(text, &head, runs.iter().map(|run| &run.sha))?;
            runs.retain(|run| Some(&run.sha) == sha.as_ref());
            match runs.pop() {
                Some(run) => Some(run),
                None => return Ok(Err(none_for(&id, &head, text))),
            }
        }
    };
    match run {
        Some(run) => of_run(id, head.formerly, run, which),
        None => Ok(Err(format!("nothing has ever run for {id}"))),
    }
}

/// Chooses the phase in a run.
pub(in crate::cli) fn of_run(
    id: LinkId,
    formerly: Vec<FormerName>,
    run: PastRun,
    which: &Which,
) -> Result<RunChoice, CommandError> {
    let phase = match &which.phase {
        None => telling(&run).map(|phase| phase.name.clone()),
        Some(text) => {
            let phase = named(&id, &run, text)?;
            if phase.deployment {
                let name = &phase.name;
                return Ok(Err(format!(
                    "`{name}` is the deployment, which has no log; see `katkit why {id}`"
                )));
            }
            Some(phase.name.clone())
        }
    };
    Ok(Ok(ChosenRun { id, formerly, run, phase }))
}

/// Why there is no run for a commit: a lowercase fragment.
fn none_for(id: &LinkId, head: &Head, text: &str) -> String {
    match head.cut() {
        None => format!("no run of {id} was for {text}"),
        Some(cut) => format!(
            "no run of {id} on record was for {text}; events before {} were pruned on {}",
            cut.through.0 + 1,
            day(cut.at)
        ),
    }
}

impl ChosenRun {
    /// The chosen attempt, if it has begun.
    pub(in crate::cli) fn attempt(&self, number: Option<u32>) -> Result<Option<&PastAttempt>, CommandError> {
        let phase = self.phase.as_ref().and_then(|name| self.run.phase(name));
        let attempts = phase.map_or(&[][..], |phase| &phase.attempts);
        let Some(number) = number else { return Ok(attempts.last()) };
        let found = attempts.iter().find(|attempt| attempt.number.0 == number);
        match (found, attempts.len(), &self.phase) {
            (None, tries @ 1.., Some(name)) => {
                let tries = if tries == 1 { "1 attempt".to_owned() } else { format!("{tries} attempts") };
                Err(CommandError::refused(format!("`{name}` has {tries}, but no attempt {number}"), None))
            }
            _ => Ok(found),
        }
    }

    /// Why there is nothing to show: a lowercase fragment.
    pub(in crate::cli) fn nothing(&self) -> String {
        let (id, sha) = (&self.id, self.run.sha.short());
        match &self.phase {
            Some(phase) => format!("`{phase}` never ran for {sha} in {id}; `katkit why {id}` says why"),
            None => format!("no phase has run for {sha} in {id} yet; `katkit why {id}` says why"),
        }
    }

    /// The prefix of everything stored for an attempt.
    pub(in crate::cli) fn key(&self, phase: &PhaseName, attempt: &PastAttempt) -> BlobKey {
        let made = (attempt.number, &attempt.token);
        let link = FormerName::of_attempt(&self.formerly, &self.id, (&self.run.id, phase), made);
        BlobKey::attempt(link, &self.run.sha, phase, &self.run.id, attempt.number)
    }
}

/// The chosen replicas.
pub(in crate::cli) fn replicas(which: &Which, attempt: &PastAttempt) -> Result<Vec<u32>, CommandError> {
    match which.replica {
        None => Ok((0..attempt.replicas).collect()),
        Some(replica) if replica < attempt.replicas => Ok(vec![replica]),
        Some(replica) => {
            let hint = match attempt.replicas {
                1 => "it ran as a single replica, number 0".to_owned(),
                replicas => format!("it ran as {replicas} replicas, 0 to {}", replicas - 1),
            };
            Err(CommandError::refused(format!("there is no replica {replica}"), hint))
        }
    }
}

/// Fails if part of an ended attempt is missing: `found` counts what is stored of each replica, and `said` what its
/// final status reported. If the missing part was pruned, returns a lowercase fragment that says so.
pub(in crate::cli) async fn is_whole(
    estate: &Estate,
    chosen: &ChosenRun,
    (phase, attempt): (&PhaseName, &PastAttempt),
    found: &[(u32, u32)],
    said: impl Fn(&ReplicaStatus) -> u32,
) -> Result<Option<String>, CommandError> {
    let Some((_, outcome)) = &attempt.ended else { return Ok(None) };
    let key = chosen.key(phase, attempt);
    for &(replica, found) in found {
        let lost = match status(estate, &key.replica(replica)).await? {
            Some(status) => found < said(&status),
            // An agent that never started left no status. Its phase spec was stored before the attempt was recorded.
            None => outcome.is_success() || !estate.blobs.exists(&key.phase_json()).await?,
        };
        if lost {
            if let Some(at) = attempt.pruned {
                let number = attempt.number.0;
                return Ok(Some(format!(
                    "the logs and artifacts of `{phase}` attempt {number} were pruned on {}",
                    day(at)
                )));
            }
            let part = if found > 0 { "a part of " } else { "" };
            let (number, store) = (attempt.number.0, estate.blobs.url());
            let what = format!("{part}the output of attempt {number} of `{phase}` is missing from {store}");
            return Err(CommandError::refused(what, format!("`katkit doctor {}` shows details", chosen.id)));
        }
    }
    Ok(None)
}

/// The last status of a replica's agent.
pub(in crate::cli) async fn status(
    estate: &Estate,
    replica: &BlobKey,
) -> Result<Option<ReplicaStatus>, CommandError> {
    // An unreadable status counts as none; the record decides in the end.
    Ok(StatusFile::read(&*estate.blobs, replica).await?.status())
}

/// The phase whose log the user most likely wants: the running one, else the last to fail, else the last.
pub(in crate::cli) fn telling(run: &PastRun) -> Option<&PastPhase> {
    let tried = || run.phases.iter().filter_map(|phase| Some((phase, phase.attempts.last()?)));
    let running = tried().filter(|(_, last)| last.ended.is_none()).max_by_key(|(_, last)| last.started);
    let failed = || {
        let ended = tried().filter_map(|(phase, last)| Some((phase, last.ended.as_ref()?)));
        let failed = ended.filter(|(_, (_, outcome))| !outcome.is_success());
        failed.max_by_key(|(_, (at, _))| *at).map(|(phase, _)| phase)
    };
    let last = || tried().max_by_key(|(_, last)| last.started).map(|(phase, _)| phase);
    running.map(|(phase, _)| phase).or_else(failed).or_else(last)
}

fn named<'a>(id: &LinkId, run: &'a PastRun, text: &str) -> Result<&'a PastPhase, CommandError> {
    let alike = |phase: &&PastPhase| phase.name.as_str().eq_ignore_ascii_case(text);
    let exact = run.phases.iter().find(|phase| phase.name.as_str() == text);
    exact.or_else(|| run.phases.iter().find(alike)).ok_or_else(|| {
        let names: Vec<_> = run.phases.iter().map(|phase| format!("`{}`", phase.name)).collect();
        let likeness = |phase: &PastPhase| {
            strsim::jaro_winkler(&text.to_lowercase(), &phase.name.as_str().to_lowercase())
        };
        let best = run.phases.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = match best.filter(|best| likeness(best) > 0.8) {
            Some(best) => format!("did you mean `{}`?", best.name),
            None => format!("its phases are {}", names.join(", ")),
        };
        CommandError::refused(
            format!("the run of `{id}` for {} has no phase `{text}`", run.sha.short()),
            hint,
        )
    })
}
