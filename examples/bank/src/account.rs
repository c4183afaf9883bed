//! The rows of the bank.

use chancery_sdk::{CodecError, Pack};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it holds, in cents.
    pub balance: u64,
    /// Whose it is.
    pub owner: String,
}

impl Pack for Account {
    fn pack(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.balance.to_le_bytes());
        bytes.extend(self.owner.as_bytes());
    }

    fn unpack(bytes: &[u8]) -> Result<Self, CodecError> {
        let error = || CodecError::new("an account is 8 bytes and a name");
        let (balance, owner) = bytes.split_first_chunk().ok_or_else(error)?;
        let owner = str::from_utf8(owner).ok().ok_or_else(error)?;
        Ok(Self { balance: u64::from_le_bytes(*balance), owner: owner.to_owned() })
    }
}
