//! Ids of entries that the server makes itself, from what they follow from.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::History;

/// The id of a command that the server submits by itself: a UUID of version 8, the same
/// each time it is derived from the same cause, so that submitting it twice is
/// submitting it once. Clients cannot submit this version.
///
/// `time_ms` is the time of the cause, of which the lower 48 bits take the place that a
/// version 7 has for it. `cause` says what of the history it follows from, and is
/// another text for each thing that does; `index` tells several apart that follow from
/// one cause.
#[must_use]
pub fn derived(history: History, time_ms: u64, cause: &str, index: u32) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(history.0.as_bytes());
    hash.update(cause.as_bytes());
    hash.update([0]);
    hash.update(index.to_le_bytes());
    let time = u128::from(time_ms) << 80;
    let digest: [u8; 32] = hash.finalize().into();
    let rest = digest.iter().take(10).fold(0, |rest: u128, byte| rest << 8 | u128::from(*byte));
    // The version and the variant overwrite six bits of the digest.
    Builder::from_custom_bytes((time | rest).to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::CommandId;

    #[test]
    fn the_same_cause_gives_the_same_id_and_clients_cannot_have_it() {
        let history = History(Uuid::from_u128(7));
        let id = derived(history, 1_700_000_000_123, "timer/a", 0);
        assert_eq!(id, derived(history, 1_700_000_000_123, "timer/a", 0));
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.as_u64_pair().0 >> 16, 1_700_000_000_123);
        let refused = CommandId::new(id).unwrap_err().to_string();
        assert!(refused.contains("version 8, kept for the server"), "{refused}");
    }

    #[test]
    fn another_cause_gives_another() {
        let history = History(Uuid::from_u128(7));
        let ids = [
            derived(history, 1, "timer/a", 0),
            derived(history, 1, "timer/a", 1),
            derived(history, 1, "timer/b", 0),
            derived(history, 2, "timer/a", 0),
            derived(History(Uuid::from_u128(8)), 1, "timer/a", 0),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
