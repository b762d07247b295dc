//! The terminal: taken over, read, and always given back.

use std::{
    io, panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use ratatui::{
    DefaultTerminal, Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{self, Receiver},
};

use super::view::Key;

/// How often the reader looks whether anybody still wants to know.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Keys that may wait; a terminal that pastes more than this waits itself.
const KEYS_AHEAD: usize = 256;

/// Whether the terminal is ours. It must be given back exactly once: doing it again would put the
/// cursor back to where it was before a panic was reported, over its text.
static OURS: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode on its other page. Dropping it gives the terminal back as it was; a panic
/// on any thread does so before it is reported.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            report(info);
        }));
        OURS.store(true, Ordering::SeqCst);
        take_over().inspect_err(|_| give_back())
    }

    /// Paints a frame as large as the terminal is now; only what changed is sent.
    pub(super) fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(paint).map(|_frame| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<Screen> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen)?;
    let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    Ok(Screen { terminal })
}

/// The terminal may be gone, as after a hang-up; there is nobody left to tell then.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        disable_raw_mode().ok();
        execute!(io::stdout(), LeaveAlternateScreen, Show).ok();
    }
}

/// What the terminal tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A key that means something to us.
    Key(Key),
    /// It has another size.
    Resized,
}

/// Starts to read keys, on a thread of its own. The channel ends when the terminal does.
pub(super) fn read() -> io::Result<Receiver<Told>> {
    let (keys, told) = mpsc::channel(KEYS_AHEAD);
    thread::Builder::new()
        .name("top-keys".to_owned())
        .spawn(move || {
            while !keys.is_closed() {
                match next() {
                    Ok(Some(told)) => {
                        if keys.blocking_send(told).is_err() {
                            break;
                        }
                    }
                    Ok(None) => {}
                    Err(_gone) => break,
                }
            }
        })?;
    Ok(told)
}

fn next() -> io::Result<Option<Told>> {
    if !event::poll(LOOK_EVERY)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(event) => key(event).map(Told::Key),
        Event::Resize(..) => Some(Told::Resized),
        _ => None,
    })
}

/// What a key is to us. Letters with Ctrl or Alt are none of ours, but for Ctrl-C.
fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let commanding = KeyModifiers::CONTROL | KeyModifiers::ALT;
    if event.modifiers.intersects(commanding) {
        let interrupt =
            event.modifiers == KeyModifiers::CONTROL && event.code == KeyCode::Char('c');
        return interrupt.then_some(Key::Interrupt);
    }
    Some(match event.code {
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Char(letter) => Key::Char(letter),
        _ => return None,
    })
}

/// The ways in which this process is told to end.
pub(super) struct Endings {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
}

impl Endings {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_is_written_on_them() {
        let pressed = |code, modifiers| key(KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        let cases = [
            (KeyCode::Char('q'), none, Some(Key::Char('q'))),
            (
                KeyCode::Char('?'),
                KeyModifiers::SHIFT,
                Some(Key::Char('?')),
            ),
            (
                KeyCode::Char('c'),
                KeyModifiers::CONTROL,
                Some(Key::Interrupt),
            ),
            (KeyCode::Char('q'), KeyModifiers::CONTROL, None),
            (KeyCode::Char('q'), KeyModifiers::ALT, None),
            (KeyCode::Esc, none, Some(Key::Escape)),
            (KeyCode::F(5), none, None),
        ];
        for (code, modifiers, expected) in cases {
            assert_eq!(pressed(code, modifiers), expected, "{code:?} {modifiers:?}");
        }
    }

    #[test]
    fn a_key_let_go_is_no_second_key() {
        let mut event = KeyEvent::new(KeyCode::Down, KeyModifiers::NONE);
        assert_eq!(key(event), Some(Key::Down));
        event.kind = KeyEventKind::Repeat;
        assert_eq!(key(event), Some(Key::Down));
        event.kind = KeyEventKind::Release;
        assert_eq!(key(event), None);
    }
}
