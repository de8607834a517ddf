//! Counters and tokens that identify an effect, which tells one effect sent twice from two effects.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CommitSha, LinkId, Owner, PhaseName};

/// How often a link's record was written; 0 if never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// How often a link's lease was acquired. A write with an older epoch than the record's is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// The number of an attempt at one phase of one run, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

opaque! {
    /// One run of a link's workflow for one sha: the generation of the event that started it, and a few digits that
    /// identify the process that did. Unique in its link, even if its record was lost or restored from a copy: what
    /// runs of the old record left in the blob store is not mistaken for its own.
    RunId;
    /// Makes one effect idempotent: a client token, a container name, a directory name.
    /// Lowercase hex digits and `-` only, at most 64 bytes.
    Token;
    /// How a fleet finds an ephemeral service again: a directory, a container id, a task ARN.
    Handle;
    /// A platform's name for a deployment in flight.
    DeploymentName;
    /// One recorded request (retry, skip, …).
    RequestId;
}

impl RunId {
    /// How many digits identify the process that started it.
    const DIGITS: usize = 6;

    /// The run that `by` starts with the event of this generation.
    pub fn begun(generation: Generation, by: &Owner) -> Self {
        let by = Token::digest(&[&by.id, &generation.to_string()]);
        Self(format!("{generation}-{}", &by.0[..Self::DIGITS]))
    }

    /// The event that started it; `None` if katkit did not make this id.
    pub fn generation(&self) -> Option<Generation> {
        self.number().parse().ok().map(Generation)
    }

    /// The short form for display, unique within one record: `14` of `14-3f2a9c`.
    pub fn number(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(number, _)| number)
    }
}

impl Token {
    /// The token of one attempt: a digest of everything that identifies it. Every process computes the same one, and no
    /// other attempt of any link, run or phase has it.
    pub fn of_attempt(link: &LinkId, run: &RunId, phase: &PhaseName, attempt: AttemptNumber) -> Self {
        Self::digest(&[&link.to_string(), run.as_str(), phase.as_str(), &attempt.to_string()])
    }

    /// The token of one deployment within a run. `round` tells repeated deployments of the same sha apart.
    pub fn of_deployment(link: &LinkId, run: &RunId, sha: &CommitSha, round: u64) -> Self {
        Self::digest(&["deploy", &link.to_string(), run.as_str(), sha.as_str(), &round.to_string()])
    }

    /// The token of one replica of an attempt.
    #[must_use]
    pub fn replica(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    fn digest(parts: &[&str]) -> Self {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        for part in parts {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let digest = hasher.finalize();
        Self(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_recreated_record_get_other_ids() {
        let owner = |id: &str| Owner {
            id: id.to_owned(),
            host: "builder".to_owned(),
            boot: None,
            pid: 7,
            started_ticks: None,
            actor: "ana".to_owned(),
        };
        let run = |id, generation| RunId::begun(Generation(generation), &owner(id));
        assert_eq!(run("a", 14), run("a", 14));
        assert_ne!(run("a", 14), run("b", 14));
        assert_ne!(run("a", 14), run("a", 15));
        assert_eq!((run("a", 14).number(), run("a", 14).generation()), ("14", Some(Generation(14))));
        // The older format.
        assert_eq!(RunId("14".to_owned()).number(), "14");
    }

    #[test]
    fn only_the_same_attempt_has_the_same_token() {
        let link: LinkId = "dev/shop".parse().unwrap();
        let phase = PhaseName::new("build").unwrap();
        let token = |run: &str, n| Token::of_attempt(&link, &RunId(run.into()), &phase, AttemptNumber(n));
        assert_eq!(token("r1", 1), token("r1", 1));
        assert_ne!(token("r1", 1), token("r1", 2));
        assert_ne!(token("r1", 1), token("r2", 1));
        assert_eq!(token("r1", 1).replica(0).as_str().len(), 34);
    }
}
