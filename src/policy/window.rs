//! Windows of civil time: once, or every week.

use std::fmt;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{DateTime, Time, Weekday};

use super::zone::Zone;

/// A window of civil time in one zone, from its start up to but without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) times: Times,
    zone: Zone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// On these days from `from` to `to`, which is `nights` days later. An occurrence belongs to the day it starts on.
    Weekly {
        days: Weekdays,
        from: Time,
        to: Time,
        nights: i8,
    },
    Once {
        start: DateTime,
        end: DateTime,
    },
    Exact {
        start: Timestamp,
        end: Timestamp,
    },
}

/// Days of the week.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Weekdays(u8);

/// A time of day to the minute, from `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilTime {
    minutes: u16,
}

/// Why a window cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It has no length.
    #[error("it ends when it starts")]
    Empty,
    /// It ends before it starts.
    #[error("it ends before it starts")]
    Reversed,
    /// It starts on no day.
    #[error("it has no days")]
    NoDays,
}

impl Window {
    /// On `days`, from one time of day to another: on the same day or, if `to` is not later than `from`, on the next.
    pub fn daily(days: Weekdays, from: CivilTime, to: CivilTime, zone: Zone) -> Result<Self, WindowError> {
        if days == Weekdays::default() {
            return Err(WindowError::NoDays);
        }
        if from == to || from.minutes == CivilTime::MIDNIGHT {
            return Err(WindowError::Empty);
        }
        let nights = i8::from(to < from) + to.days();
        let times = Times::Weekly { days, from: from.of_day(), to: to.of_day(), nights };
        Ok(Self { times, zone })
    }

    /// Every week, from a time on one day to a time on another. Shorter than a week.
    pub fn weekly(
        (start, from): (Weekday, CivilTime),
        (end, to): (Weekday, CivilTime),
        zone: Zone,
    ) -> Result<Self, WindowError> {
        let (first, from_time) = from.on(start);
        let (last, to_time) = to.on(end);
        if (first, from_time) == (last, to_time) {
            return Err(WindowError::Empty);
        }
        let nights = match first.until(last) {
            0 if to_time < from_time => 7,
            nights => nights,
        };
        let times = Times::Weekly { days: first.into(), from: from_time, to: to_time, nights };
        Ok(Self { times, zone })
    }

    /// Once, from one civil time to another.
    pub fn once(start: DateTime, end: DateTime, zone: Zone) -> Result<Self, WindowError> {
        match start.cmp(&end) {
            std::cmp::Ordering::Less => Ok(Self { times: Times::Once { start, end }, zone }),
            std::cmp::Ordering::Equal => Err(WindowError::Empty),
            std::cmp::Ordering::Greater => Err(WindowError::Reversed),
        }
    }

    /// Once, from one instant to another; never, if it ends before it starts. Shown in `zone`.
    pub(super) fn between(start: Timestamp, end: Timestamp, zone: Zone) -> Self {
        Self { times: Times::Exact { start, end }, zone }
    }

    /// The zone of its times.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether it comes again every week.
    pub fn is_weekly(&self) -> bool {
        matches!(self.times, Times::Weekly { .. })
    }
}

/// `mon-thu 09:00-17:00 Europe/Berlin`, `fri 16:00 to mon 08:00 Europe/Berlin`, or two dates with times.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: Time| time.strftime("%H:%M").to_string();
        match &self.times {
            Times::Weekly { days, from, to, nights: 0 } => {
                write!(f, "{days} {}-{}", clock(*from), clock(*to))?;
            }
            Times::Weekly { days, from, to, nights: 1 } if *to == Time::midnight() => {
                write!(f, "{days} {}-24:00", clock(*from))?;
            }
            Times::Weekly { days, from, to, nights } => match days.only() {
                Some(day) => {
                    let end = Weekdays::from(day.wrapping_add(*nights));
                    write!(f, "{days} {} to {end} {}", clock(*from), clock(*to))?;
                }
                None => write!(f, "{days} {} to {} the next day", clock(*from), clock(*to))?,
            },
            Times::Once { start, end } => {
                let shown = |at: &DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
                write!(f, "{} to {}", shown(start), shown(end))?;
            }
            Times::Exact { start, end } => {
                let shown = |at: &Timestamp| self.zone.at(*at).civil();
                write!(f, "{} to {}", shown(start), shown(end))?;
            }
        }
        write!(f, " {}", self.zone)
    }
}

impl CivilTime {
    const MIDNIGHT: u16 = 24 * 60;

    /// Reads `HH:MM`, where `24:00` is the end of the day.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |text: &str| {
            let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= Self::MIDNIGHT).then_some(Self { minutes: total })
    }

    /// 1 for the end of the day, which is the start of the next; else 0.
    fn days(self) -> i8 {
        i8::from(self.minutes == Self::MIDNIGHT)
    }

    fn of_day(self) -> Time {
        let minutes = i64::from(self.minutes % Self::MIDNIGHT);
        Time::midnight().wrapping_add(minutes.minutes())
    }

    fn on(self, day: Weekday) -> (Weekday, Time) {
        (day.wrapping_add(self.days()), self.of_day())
    }
}

impl Weekdays {
    /// Every day, from Monday to Sunday.
    pub const ORDER: [(&'static str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];

    /// The whole names, in the same order.
    pub const LONG: [&'static str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

    /// Reads the name of a day: three letters or all of them, in any case.
    pub fn day(text: &str) -> Option<Weekday> {
        let text = text.to_ascii_lowercase();
        let at = Self::ORDER
            .iter()
            .zip(Self::LONG)
            .position(|((short, _), long)| text == *short || text == long)?;
        Some(Self::ORDER[at].1)
    }

    /// Reads a day, or a span of days such as `mon-thu` or `fri-mon`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once('-') else { return Self::day(text).map(Self::from) };
        let (first, last) = (Self::day(first)?, Self::day(last)?);
        Some(
            (0..=first.until(last)).fold(Self::default(), |days, on| days.and(first.wrapping_add(on).into())),
        )
    }

    /// These days and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a day is one of them.
    pub fn contain(self, day: Weekday) -> bool {
        self.0 & Self::from(day).0 != 0
    }

    /// The day, if it is only one.
    fn only(self) -> Option<Weekday> {
        let mut days = Self::ORDER.iter().filter(|(_, day)| self.contain(*day));
        days.next().filter(|_| days.next().is_none()).map(|(_, day)| *day)
    }
}

impl From<Weekday> for Weekdays {
    fn from(day: Weekday) -> Self {
        Self(1 << day.to_monday_zero_offset())
    }
}

/// `mon-thu`, `sat,sun`: spans of three and more days are joined.
impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < 7 {
            let length = Self::ORDER[at..].iter().take_while(|(_, day)| self.contain(*day)).count();
            match length {
                0 => {}
                1 | 2 => {
                    parts.extend(Self::ORDER[at..at + length].iter().map(|(name, _)| (*name).to_owned()))
                }
                _ => parts.push(format!("{}-{}", Self::ORDER[at].0, Self::ORDER[at + length - 1].0)),
            }
            at += length.max(1);
        }
        f.write_str(&parts.join(","))
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
