//! What is known of a panic: its text and its place.

use crate::fence::with_running;
use std::any::Any;
use std::cell::RefCell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the texts of panics may be shown, which a program's own data may have got into.
static WITHHELD: AtomicBool = AtomicBool::new(false);

/// From now on, on every thread, only texts that stand in the program's source are logged and shown in the tree. A text that
/// was formatted when the panic happened may hold what was being worked on (a slice of it, an error that
/// quotes it); of such a panic only the place is told.
pub fn withhold_panic_texts() {
    WITHHELD.store(true, Ordering::Relaxed);
}

/// Characters of a panic's text that are kept.
const TEXT_LIMIT: usize = 512;

thread_local!(static PLACE: RefCell<Option<String>> = const { RefCell::new(None) });

/// Installs, once a process, the panic hook that tells the tree *where* an actor panicked.
///
/// A panic of a supervised actor is logged through `tracing` (its text and place, nothing of the
/// message) and shown as [`crate::Crash::location`]; every other panic goes to the hook that was there
/// before, or, once texts are withheld, is told in one line as [`withhold_panic_texts`] says. Without this hook crashes are contained all the same, but their place is not known.
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if record(info) {
                return;
            }
            if WITHHELD.load(Ordering::Relaxed) {
                tell_plainly(info);
            } else {
                // The hook of the standard library prints every text, formatted ones too.
                previous(info);
            }
        }));
    });
}

/// True if a supervised actor runs on this thread.
fn record(info: &PanicHookInfo<'_>) -> bool {
    let location = info.location().map(place);
    let seen = with_running(|run| {
        let Some(run) = run else { return false };
        tracing::error!(
            actor = &*run.actor,
            generation = run.generation,
            panic = text_of(info.payload()),
            location = location.as_deref().unwrap_or("unknown"),
            "an actor panicked"
        );
        true
    })
    .unwrap_or(false);
    // A thread that is being torn down has nobody left to read the place.
    seen && PLACE.try_with(|slot| slot.replace(location)).is_ok()
}

/// A panic of a thread that is no actor's, without what may have got into its text.
fn tell_plainly(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let panic = text_of(info.payload());
    let location = info.location().map(place);
    let location = location.as_deref().unwrap_or("unknown");
    if tracing::dispatcher::has_been_set() {
        tracing::error!(thread, panic, location, "a thread panicked");
    } else {
        // A command has no log. Nobody is left to hear that standard error is gone.
        writeln!(
            std::io::stderr(),
            "thread {thread} panicked at {location}: {panic}"
        )
        .ok();
    }
}

/// Forgets a place that an actor's own `catch_unwind` left behind.
pub(crate) fn forget_place() {
    PLACE.set(None);
}

fn place(at: &Location<'_>) -> String {
    format!("{}:{}:{}", at.file(), at.line(), at.column())
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    if let Some(literal) = payload.downcast_ref::<&str>() {
        return shortened(literal);
    }
    match payload.downcast_ref::<String>() {
        Some(_) if WITHHELD.load(Ordering::Relaxed) => "(text withheld)".to_owned(),
        Some(formatted) => shortened(formatted),
        None => "(no text)".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}

/// The payload of `ctx.fail(..)`: a fall by decision, which needs no panic hook.
pub(crate) struct Failed {
    reason: String,
    location: &'static Location<'static>,
}

impl Failed {
    #[track_caller]
    pub(crate) fn new(reason: &str) -> Self {
        Self {
            reason: shortened(reason),
            location: Location::caller(),
        }
    }
}

/// A fall's text and place.
pub(crate) struct Account {
    pub(crate) text: String,
    pub(crate) location: Option<String>,
}

/// Reads what a generation unwound with.
pub(crate) fn account(payload: Box<dyn Any + Send>) -> Account {
    let hooked = PLACE.take();
    if let Some(failed) = payload.downcast_ref::<Failed>() {
        return Account {
            text: failed.reason.clone(),
            location: Some(place(failed.location)),
        };
    }
    let text = text_of(payload.as_ref());
    contained("panic payload", move || drop(payload));
    Account {
        text,
        location: hooked,
    }
}

/// Runs code of the actor's author beside the handlers, most of it clean-up; a panic there is logged and
/// goes no further.
pub(crate) fn contained(what: &str, clean_up: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(clean_up)).is_err() {
        tracing::warn!(what, "panicked outside of a handler");
    }
}
