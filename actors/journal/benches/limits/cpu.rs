//! CPU time to the nanosecond, as the system's scheduler counts it.
//!
//! It counts a running thread at its ticks, and when the thread lets go of its core; so the one that
//! asks lets go first.

use std::{fs, io, thread, time::Duration};

/// What this thread has used.
pub(crate) fn of_this_thread() -> io::Result<Duration> {
    thread::yield_now();
    used("/proc/thread-self/schedstat")
}

/// What all threads of this process that still live have used, and of it those of this name.
pub(crate) fn of_all_and_of(name: &str) -> io::Result<(Duration, Duration)> {
    thread::yield_now();
    let (mut all, mut named) = (Duration::ZERO, Duration::ZERO);
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        let cpu = used(&path.join("schedstat").to_string_lossy())?;
        all += cpu;
        if fs::read_to_string(path.join("comm"))?.trim_end() == name {
            named += cpu;
        }
    }
    Ok((all, named))
}

/// The unit of CPU time in `/proc/self/stat`: a hundredth of a second on Linux.
const TICK: Duration = Duration::from_millis(10);

/// What this process has used, threads that have ended included, in steps of [`TICK`].
pub(crate) fn of_this_process() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold spaces; what follows it may not.
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

fn used(path: &str) -> io::Result<Duration> {
    let text = fs::read_to_string(path)?;
    let ns = text.split(' ').next().and_then(|field| field.parse().ok());
    ns.map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other(format!("{path} is unreadable")))
}
