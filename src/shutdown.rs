//! Signals as events: drain, quit at once, reload.

use std::io;

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// What the operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The first SIGTERM or SIGINT: stop taking requests, finish what is there, exit with 0.
    Drain,
    /// A further SIGTERM or SIGINT: exit at once with this code, 143 or 130 as a shell would report
    /// a process that the signal killed. What was acknowledged is durable all the same.
    Quit(u8),
    /// SIGHUP: read rules and policies again.
    Reload,
}

/// The signals of this process as a stream of events, for as long as it is polled.
#[derive(Debug)]
pub struct Signals {
    terminate: Listener,
    interrupt: Listener,
    hangup: Listener,
    stages: Stages,
}

impl Signals {
    /// Starts to listen; from here on none of the three signals kills the process by itself.
    ///
    /// # Errors
    /// The operating system refuses a handler. Must be called inside a tokio runtime with IO.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            stages: Stages::default(),
        })
    }

    /// The next event. Safe to cancel: a signal that arrives meanwhile is reported next time.
    pub async fn next(&mut self) -> Event {
        let received = tokio::select! {
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.hangup.recv() => Received::Hangup,
        };
        self.stages.after(received)
    }
}

#[derive(Debug, Clone, Copy)]
enum Received {
    Terminate,
    Interrupt,
    Hangup,
}

/// What was asked for so far.
#[derive(Debug, Default)]
struct Stages {
    draining: bool,
}

impl Stages {
    fn after(&mut self, received: Received) -> Event {
        let code = match received {
            Received::Hangup => return Event::Reload,
            Received::Terminate => 143,
            Received::Interrupt => 130,
        };
        if std::mem::replace(&mut self.draining, true) {
            Event::Quit(code)
        } else {
            Event::Drain
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn the_first_drains_and_the_second_quits() {
        for (second, code) in [(Received::Terminate, 143), (Received::Interrupt, 130)] {
            let mut stages = Stages::default();
            assert_eq!(stages.after(Received::Hangup), Event::Reload);
            assert_eq!(stages.after(Received::Interrupt), Event::Drain);
            assert_eq!(stages.after(Received::Hangup), Event::Reload);
            assert_eq!(stages.after(second), Event::Quit(code));
            assert_eq!(stages.after(second), Event::Quit(code));
        }
    }

    #[test]
    fn real_signals_arrive() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let mut signals = Signals::listen().expect("handlers");
            raise(Signal::SIGHUP).expect("sent");
            assert_eq!(signals.next().await, Event::Reload);
            raise(Signal::SIGTERM).expect("sent");
            assert_eq!(signals.next().await, Event::Drain);
            raise(Signal::SIGINT).expect("sent");
            assert_eq!(signals.next().await, Event::Quit(130));
        });
    }
}
