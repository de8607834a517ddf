//! A model run as readable text.

use std::fmt::Write;

use stateright::Path;

use super::Event;
use super::owner::{Owner, Step};
use super::setting::Setting;
use super::state::State;

/// One line per event; consecutive ticks share a line.
pub fn tell(setting: &Setting, path: Path<State, Event>) -> String {
    let moments = path.into_vec();
    let mut text = String::new();
    // Units counted by each owner's clock since the last other event; and the ticks that took.
    let mut counted = vec![0u32; setting.owners];
    let mut ticks = 0;
    for (moment, after) in moments.iter().zip(moments.iter().skip(1)) {
        let (before, Some(event)) = moment else { continue };
        if let Event::Tick { fast } = event {
            ticks += 1;
            for (who, count) in counted.iter_mut().enumerate() {
                *count += u32::from(if fast >> who & 1 == 1 { setting.fast } else { setting.slow });
            }
            continue;
        }
        time(&mut text, &mut ticks, &mut counted);
        line(&mut text, &sentence(before, *event, &after.0));
    }
    time(&mut text, &mut ticks, &mut counted);
    text
}

fn line(text: &mut String, sentence: &str) {
    writeln!(text, "  {sentence}").expect("writing to a string cannot fail");
}

fn time(text: &mut String, ticks: &mut u32, counted: &mut [u32]) {
    if *ticks > 0 {
        let clocks = counted.iter().enumerate();
        let clocks: Vec<_> = clocks.map(|(who, count)| format!("{count} on {}'s clock", name(who))).collect();
        let s = if *ticks == 1 { "" } else { "s" };
        line(text, &format!("... {ticks} tick{s} ({}) ...", clocks.join(", ")));
    }
    *ticks = 0;
    counted.fill(0);
}

fn name(who: usize) -> char {
    char::from(b'A' + u8::try_from(who).expect("a few owners"))
}

fn sentence(before: &State, event: Event, after: &State) -> String {
    let holder = |state: &State| state.lease.and_then(|lease| lease.owner).map(|who| name(who.into()));
    let holds = holder(before).map_or_else(|| "nobody".to_owned(), String::from);
    match event {
        Event::Tick { .. } => String::new(),
        Event::Acts(who) => acts(name(who), &before.owners[who], &after.owners[who], &holds),
        Event::Arrives(who) => {
            let refused = after.owners[who].step == Step::Away;
            let who_ = name(who);
            match before.owners[who].step {
                Step::Acquiring { .. } if refused && holder(after) != Some(who_) => {
                    format!("{who_} does not get the lease: it changed since {who_} read it")
                }
                Step::Acquiring { .. } if holds == "nobody" => format!("{who_} has the lease"),
                Step::Acquiring { .. } => format!("{who_} takes the lease over from {holds}"),
                Step::Releasing => format!("{who_}'s lease is free"),
                _ if refused => format!("{who_} may not write: its lease is lost"),
                Step::Intending { .. } => format!("{who_}'s intent is on record"),
                _ => format!("{who_}'s result is on record"),
            }
        }
        Event::DeploymentArrives(who) => {
            format!("{}'s deployment takes effect; the lease is {holds}'s", name(who))
        }
        Event::GivesUp(who) => format!("{} stops waiting for the answer to its deployment", name(who)),
        Event::Renews(who) => format!("{} sends a renewal", name(who)),
        Event::RenewalArrives(who) if before.owners[who].renewal.is_some_and(|it| it.epoch == 1) => {
            format!("{}'s renewal is granted", name(who))
        }
        Event::RenewalArrives(who) => format!("{}'s renewal is refused", name(who)),
        Event::Dies(who) => format!("{} dies", name(who)),
        Event::Unlock => format!("a user takes the lease away from {holds}"),
    }
}

fn acts(who: char, before: &Owner, after: &Owner, holds: &str) -> String {
    match (before.step, after.step) {
        (Step::Away, Step::Watching { waited: 0, .. }) => {
            format!("{who} sees that {holds} holds the lease, and waits")
        }
        (Step::Away, Step::Watching { .. }) => format!("{who} sees that {holds} holds the lease and is dead"),
        (Step::Away, Step::Ready { takes_over: None }) => format!("{who} sees that the lease is free"),
        (Step::Away, _) => format!("{who} sees that {holds}'s lease has expired"),
        (Step::Watching { .. }, Step::Ready { .. }) => {
            format!("{who} sees the lease unchanged: {holds} counts as dead")
        }
        (Step::Watching { .. }, _) => format!("{who} sees that the lease has changed"),
        (Step::Ready { .. }, _) => format!("{who} requests the lease"),
        (Step::Holding, _) => format!("{who} sends its intent"),
        (Step::Intended, _) => format!("{who} sends its deployment"),
        (Step::Deployed, _) => format!("{who} sends its result"),
        _ => format!("{who} sends the release of its lease"),
    }
}
