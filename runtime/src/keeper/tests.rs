//! What the keeper decides without files is tested here; the rest is in tests/it/retention.rs.

use super::*;

#[test]
fn receipts_are_kept_longer_than_ids_by_default() {
    assert!(Settings::default().receipts_keep > lane::Settings::default().window);
    assert!(Settings::default().payloads_keep <= Settings::default().receipts_keep);
}
