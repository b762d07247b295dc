//! The live screen: waits for a key, an answer, the clock or a signal, and paints after each.

use std::time::Duration;

use tokio::{
    sync::mpsc::Receiver,
    time::{Interval, MissedTickBehavior},
};

use super::{
    super::{client::Client, failure::Failure},
    draw::{Theme, draw},
    feed::{Answer, Feed},
    picture::Picture,
    terminal::{Endings, Screen, Told, read},
    view::{Listing, View, Wish},
};
use crate::clock;

/// How often ages are painted anew when nothing else happens.
const AGES_EVERY: Duration = Duration::from_secs(1);

/// Shows the tree until the user or a signal ends it.
///
/// # Errors
/// If the server does not give a first answer; later silence is shown on the screen. If the terminal
/// cannot be written.
pub(super) async fn show(
    client: Client,
    listing: Listing,
    every: Duration,
    colors: bool,
) -> Result<(), Failure> {
    let server = client.base().to_owned();
    let mut feed = Feed::start(client)?;
    feed.ask();
    let first = feed.answer().await.ok_or_else(feed_gone)?;
    let picture = Picture::new(first.tree?, first.at, None);
    let mut show = Show {
        view: View::new(&server, listing, picture),
        theme: Theme::new(colors),
        feed,
        endings: Endings::listen()?,
        screen: Screen::open()?,
        keys: read()?,
        questions: unhurried(every),
        ages: unhurried(AGES_EVERY),
    };
    while show.step().await? == Going::On {}
    Ok(())
}

struct Show {
    view: View,
    theme: Theme,
    feed: Feed,
    endings: Endings,
    screen: Screen,
    keys: Receiver<Told>,
    questions: Interval,
    ages: Interval,
}

#[derive(PartialEq, Eq)]
enum Going {
    On,
    Home,
}

impl Show {
    /// Paints, and waits for one thing to happen.
    async fn step(&mut self) -> Result<Going, Failure> {
        let (view, theme) = (&mut self.view, self.theme);
        self.screen
            .draw(|frame| draw(frame, view, clock::now_ms(), theme))?;
        tokio::select! {
            told = self.keys.recv() => return Ok(self.told(told)),
            answer = self.feed.answer() => self.answered(answer)?,
            _ = self.questions.tick() => {
                if !self.view.is_paused() {
                    self.feed.ask();
                }
            }
            _ = self.ages.tick() => {}
            () = self.endings.any() => return Ok(Going::Home),
        }
        Ok(Going::On)
    }

    /// Takes this key and all that wait behind it: over a slow line one picture for many is enough.
    fn told(&mut self, mut told: Option<Told>) -> Going {
        if told.is_none() {
            return Going::Home;
        }
        while let Some(now) = told {
            let wish = match now {
                Told::Key(key) => self.view.press(key),
                Told::Resized => Wish::Nothing,
            };
            match wish {
                Wish::Nothing => {}
                Wish::Refresh => self.feed.ask(),
                Wish::Quit => return Going::Home,
            }
            told = self.keys.try_recv().ok();
        }
        Going::On
    }

    fn answered(&mut self, answer: Option<Answer>) -> Result<(), Failure> {
        let answer = answer.ok_or_else(feed_gone)?;
        self.view.answered(answer.at, answer.tree);
        Ok(())
    }
}

fn unhurried(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn feed_gone() -> Failure {
    Failure::unreachable("the thread that asks the server ended")
}
