//! The assumptions of a model run: durations, clock errors, possible events.

/// Times are whole *ticks* of true time. A monotonic clock counts *units*, from `slow` to `fast` of them in each tick.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Setting {
    /// Number of owners.
    pub owners: usize,
    /// D: the units that an observer waits on its own clock before it takes over an unchanged lease.
    pub duration: u8,
    /// Units that the slowest clock counts per tick. Zero: it stands still, as some clocks do while the machine is
    /// suspended.
    pub slow: u8,
    /// Units that the fastest clock counts per tick.
    pub fast: u8,
    /// F: a deployment is issued only if fewer units have passed on its owner's clock since it sent its last granted
    /// heartbeat. `None`: issued unconditionally.
    pub fresh: Option<u8>,
    /// Whether a granted append counts as a heartbeat. Observers cannot see it: it does not change the lease.
    pub appends_count: bool,
    /// R: the ticks within which a deployment takes effect after it is sent.
    pub delay: u8,
    /// How an observer detects an expired lease.
    pub expiry: Expiry,
    /// The wait, in units, after an owner is known to be dead (as on the same machine). `None`: death is never known.
    pub grave: Option<u8>,
    /// Whether owners die.
    pub crashes: bool,
    /// What happens to the lease when its owner stops waiting for the answer to a deployment.
    pub unanswered: Unanswered,
    /// Whether users break leases.
    pub unlocks: bool,
    /// Whether states that differ only by a permutation of owners count as one: fewer states, but owners lose their
    /// identity.
    pub alike: bool,
}

/// How an observer detects an expired lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// As katkit does: unchanged for its duration on the observer's monotonic clock.
    Unchanged,
    /// Unlike katkit: expired on the observer's wall clock, which is this many ticks ahead of the owner's.
    WallClock { ahead: u8 },
}

/// What happens to the lease when its owner stops waiting for the answer to a deployment that may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Owners wait for ever.
    Awaited,
    /// The lease is released.
    GivenBack,
    /// The lease is left to expire.
    LeftToExpire,
}

impl Setting {
    /// Clocks that run between three and five units a tick, as if between 3/4 and 5/4 of true time. The bound is tight
    /// to the tick: see [`Self::is_sound`].
    pub fn of(owners: usize) -> Self {
        Self {
            owners,
            duration: 20,
            slow: 3,
            fast: 5,
            fresh: Some(6),
            appends_count: false,
            delay: 2,
            expiry: Expiry::Unchanged,
            grave: None,
            crashes: false,
            unanswered: Unanswered::Awaited,
            unlocks: false,
            alike: false,
        }
    }

    /// The bound: `F / slow + R <= D / fast`. A deployment sent within F of a heartbeat on the slowest clock, and
    /// effective R later, takes effect before D has passed on the fastest clock.
    pub fn is_sound(&self) -> bool {
        let [duration, slow, fast, delay] = [self.duration, self.slow, self.fast, self.delay].map(u32::from);
        self.fresh.is_some_and(|fresh| u32::from(fresh) * fast + delay * slow * fast <= duration * slow)
    }
}
