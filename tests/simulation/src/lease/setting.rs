//! What a run of the model takes for granted: how long things take, how far clocks are wrong, what may happen.

/// Times are whole *ticks* of true time. A monotonic clock counts *units*, from `slow` to `fast` of them in each tick.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Setting {
    /// How many owners there are.
    pub owners: usize,
    /// D: the units that an observer waits on its own clock before it takes a lease over that did not change.
    pub duration: u8,
    /// The units that the slowest clock counts in a tick. Zero: it stands still, as some do while the machine is
    /// suspended.
    pub slow: u8,
    /// The units that the fastest clock counts in a tick.
    pub fast: u8,
    /// F: a deployment is issued only if, on its owner's clock, fewer units have passed since it sent its last sign of
    /// life that was granted. `None`: it is issued without looking.
    pub fresh: Option<u8>,
    /// Whether an append that was granted counts as a sign of life. No observer sees it: it does not change the lease.
    pub appends_count: bool,
    /// R: the ticks within which a deployment takes effect once it is sent.
    pub delay: u8,
    /// How an observer tells that a lease has expired.
    pub expiry: Expiry,
    /// Whether an owner can be known to be dead, as one on the same machine is: the units that are then waited.
    pub grave: Option<u8>,
    /// Whether owners die.
    pub crashes: bool,
    /// What becomes of the lease when its owner stops waiting for the answer to a deployment.
    pub unanswered: Unanswered,
    /// Whether people take leases away.
    pub unlocks: bool,
    /// Whether moments that differ only in who is who are taken for one: fewer to look at, and nobody's names stay.
    pub alike: bool,
}

/// How an observer tells that a lease has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// As katkit does: it stayed the same for its duration on the observer's monotonic clock.
    Unchanged,
    /// As katkit does not: its time is up on the observer's wall clock, which is so many ticks ahead of the owner's.
    WallClock { ahead: u8 },
}

/// What becomes of the lease when its owner stops waiting for the answer to a deployment, which may yet take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Owners wait for ever.
    Awaited,
    /// It is given back.
    GivenBack,
    /// It is left to expire.
    LeftToExpire,
}

impl Setting {
    /// Clocks that run between three and five units a tick, as if between 3/4 and 5/4 of true time. The bound is met to
    /// the tick: see [`Self::is_sound`].
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

    /// The bound: `F / slow + R <= D / fast`. What is sent within F of a sign of life, on the slowest clock there is,
    /// and takes R to take effect, does so before D has passed on the fastest.
    pub fn is_sound(&self) -> bool {
        let [duration, slow, fast, delay] = [self.duration, self.slow, self.fast, self.delay].map(u32::from);
        self.fresh.is_some_and(|fresh| u32::from(fresh) * fast + delay * slow * fast <= duration * slow)
    }
}
