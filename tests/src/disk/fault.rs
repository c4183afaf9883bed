//! Steps that fail: which, for how long, and with what error.

use std::io;

/// What can be asked of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Opening a file that is there.
    Open,
    /// Reading from a file, or its length.
    Read,
    /// Writing to a file.
    Write,
    /// Cutting a file off, or lengthening it.
    SetLen,
    /// Making a file durable.
    Sync,
    /// Creating a file, or emptying one that is there.
    Create,
    /// Creating a directory.
    CreateDirectory,
    /// Giving another name.
    Rename,
    /// Removing a file or directory.
    Remove,
    /// Making names durable.
    SyncDirectory,
}

impl Kind {
    /// Every one of them.
    pub const ALL: [Self; 10] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::SetLen,
        Self::Sync,
        Self::Create,
        Self::CreateDirectory,
        Self::Rename,
        Self::Remove,
        Self::SyncDirectory,
    ];

    /// Whether it changes what is on the disk.
    #[must_use]
    pub fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }
}

/// How many steps there were, of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// Steps of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Steps that change something.
    #[must_use]
    pub fn changes(&self) -> u64 {
        Kind::ALL.iter().filter(|kind| kind.changes()).map(|kind| self.of(*kind)).sum()
    }

    pub(super) fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }
}

/// What the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errno {
    /// `EIO`: the device is not well.
    Io,
    /// `ENOSPC`: there is no room.
    NoSpace,
}

impl Errno {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => libc::EIO,
            Self::NoSpace => libc::ENOSPC,
        })
    }
}

/// A step that fails, or all from one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Steps of which kind; none for all that change something.
    pub kind: Option<Kind>,
    /// Which of them: 1 is the next.
    pub nth: u64,
    /// Whether those after it fail as well.
    pub sticky: bool,
    /// With what.
    pub error: Errno,
}

impl Fault {
    /// The n-th change from now fails, once, with `EIO`.
    #[must_use]
    pub fn once(nth: u64) -> Self {
        Self { kind: None, nth, sticky: false, error: Errno::Io }
    }

    /// As [`Fault::once`], and all after it.
    #[must_use]
    pub fn from_then_on(nth: u64) -> Self {
        Self { sticky: true, ..Self::once(nth) }
    }

    /// Whether a step meets it; counts those that pass before it.
    pub(super) fn meets(&mut self, kind: Kind) -> Option<Errno> {
        let concerns = self.kind.map_or(kind.changes(), |wanted| wanted == kind);
        if !concerns || self.nth == 0 {
            return None;
        }
        self.nth -= 1;
        if self.nth > 0 {
            return None;
        }
        // The next one is the first again.
        self.nth = u64::from(self.sticky);
        Some(self.error)
    }
}
