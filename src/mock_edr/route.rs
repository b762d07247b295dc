//! The requests that the stand-ins know, by names that are the same for all three vendors.

use std::{fmt, str::FromStr};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// A token is asked for.
    Token,
    /// Hosts are listed: what a check of the credential may ask.
    ListHosts,
    /// A host's state is read.
    ReadHost,
    /// Whether a host is online.
    ReadOnline,
    /// A host is cut off.
    Contain,
    /// A host is let back.
    Release,
    /// A session with a host is opened.
    OpenSession,
    /// A session is kept alive.
    RefreshSession,
    /// A session is closed.
    CloseSession,
    /// A command that changes nothing is given in a session.
    Look,
    /// What came of such a command.
    LookResult,
    /// A command that ends a process is given in a session.
    Kill,
    /// What came of such a command.
    KillResult,
    /// A threat or a file is dealt with.
    Mitigate,
    /// An action's progress is read, by its id.
    ReadAction,
    /// Actions are looked for.
    FindActions,
    /// An action is called off.
    CancelAction,
    /// A hash is blocked.
    BlockHash,
    /// A block is looked for.
    FindBlock,
    /// A block is read by its id.
    ReadBlock,
    /// A block is taken back.
    UnblockHash,
    /// Alerts or threats are looked for.
    FindAlerts,
    /// Alerts or threats are read by their ids.
    ReadAlerts,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Token,
        Self::ListHosts,
        Self::ReadHost,
        Self::ReadOnline,
        Self::Contain,
        Self::Release,
        Self::OpenSession,
        Self::RefreshSession,
        Self::CloseSession,
        Self::Look,
        Self::LookResult,
        Self::Kill,
        Self::KillResult,
        Self::Mitigate,
        Self::ReadAction,
        Self::FindActions,
        Self::CancelAction,
        Self::BlockHash,
        Self::FindBlock,
        Self::ReadBlock,
        Self::UnblockHash,
        Self::FindAlerts,
        Self::ReadAlerts,
    ];

    /// Its name in the log and in faults.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ListHosts => "list_hosts",
            Self::ReadHost => "read_host",
            Self::ReadOnline => "read_online",
            Self::Contain => "contain",
            Self::Release => "release",
            Self::OpenSession => "open_session",
            Self::RefreshSession => "refresh_session",
            Self::CloseSession => "close_session",
            Self::Look => "look",
            Self::LookResult => "look_result",
            Self::Kill => "kill",
            Self::KillResult => "kill_result",
            Self::Mitigate => "mitigate",
            Self::ReadAction => "read_action",
            Self::FindActions => "find_actions",
            Self::CancelAction => "cancel_action",
            Self::BlockHash => "block_hash",
            Self::FindBlock => "find_block",
            Self::ReadBlock => "read_block",
            Self::UnblockHash => "unblock_hash",
            Self::FindAlerts => "find_alerts",
            Self::ReadAlerts => "read_alerts",
        }
    }

    /// Whether such a request changes something on a host or for all hosts. Tokens and sessions do not count.
    pub const fn changes(self) -> bool {
        matches!(
            self,
            Self::Contain
                | Self::Release
                | Self::Kill
                | Self::Mitigate
                | Self::CancelAction
                | Self::BlockHash
                | Self::UnblockHash
        )
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
            format!("a request is any or one of {}", names.join(", "))
        })
    }
}
