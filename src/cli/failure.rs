//! Why a command did not end well: its exit code, what happened and what to do about it.

use std::{fmt, io, process::ExitCode};

use super::out::clean;

/// What the exit code says. Clap uses 2 by itself for arguments that it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It is not so: a check found errors, a chain does not verify, the server refused.
    NotSo = 1,
    /// The command makes no sense as it was given.
    Usage = 2,
    /// Something could not be reached, read or written.
    Unreachable = 3,
    /// Told twice to end by SIGINT: what a shell reports of a process that it killed.
    Interrupted = 130,
    /// The same by SIGTERM.
    Terminated = 143,
}

/// The end of a command that could not do what it was asked to.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    what: String,
    details: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// The answer is no.
    pub fn not_so(what: impl Into<String>) -> Self {
        Self::new(Exit::NotSo, what.into())
    }

    /// The arguments contradict each other or name something that cannot be.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what.into())
    }

    /// No answer to be had.
    pub fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, what.into())
    }

    /// Everything was said on standard output already; only the exit code is left to give.
    pub fn said(exit: Exit) -> Self {
        Self::new(exit, String::new())
    }

    fn new(exit: Exit, what: String) -> Self {
        Self {
            exit,
            what,
            details: Vec::new(),
            hint: None,
        }
    }

    /// The same failure with its parts, each on a line of its own.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        self.details
            .extend(details.into_iter().map(|detail| detail.to_string()));
        self
    }

    /// The same failure with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Which exit code it asks for.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What happened, in one line.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it, where we know.
    pub fn way_on(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Says on standard error what happened and what to do, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !self.what.is_empty() {
            // Standard error itself may be gone; the exit code is then all that is left to say.
            io::Write::write_all(&mut io::stderr().lock(), self.to_string().as_bytes()).ok();
        }
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    /// One line a part, each ended; texts that a stranger may have written lose their controls.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", clean(&self.what))?;
        for detail in &self.details {
            writeln!(f, "       {}", clean(detail))?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, " hint: {}", clean(hint)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    /// Of writing to our own output: a reader who went away ends the command quietly and well.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::said(Exit::Done);
        }
        Self::unreachable(format!("cannot write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_and_what_to_do() {
        let failure = Failure::unreachable("no answer").hint("start the server");
        assert_eq!(
            failure.to_string(),
            "error: no answer\n hint: start the server\n"
        );
        assert_eq!(failure.exit(), Exit::Unreachable);
    }

    #[test]
    fn a_broken_pipe_is_no_failure() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.exit(), Exit::Done);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::Unreachable);
    }

    #[test]
    fn a_servers_text_cannot_drive_the_terminal() {
        assert!(
            !Failure::not_so("a\u{1b}[2Jb")
                .to_string()
                .contains('\u{1b}')
        );
    }
}
