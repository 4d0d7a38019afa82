//! x
use crate::Role;
/// x
pub fn classify(_body: &[u8]) -> Role { Role::Event }
