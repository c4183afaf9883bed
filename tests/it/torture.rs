//! The whole engine on a disk that loses, tears, refuses and rots; and the tools
//! for that, tested by themselves.

mod crash;
mod disk;
mod history;
